"""Results stored on a server: what counts as stored, and what is said of the rest."""

import json

import pytest

from fetometry.serve import dicomweb
from fetometry.serve.dicomweb import multipart
from tests.serve.dicomweb.servers import STUDY, Answer, image, serving
from tests.serve.dicomweb.test_multipart import in_steps


def stored(tmp_path, *answers):
    """Send one file for each answer; return the remarks and what the server saw."""
    files = [tmp_path / f"{number}.sr.dcm" for number in range(len(answers))]
    for file in files:
        file.write_bytes(image())
    with serving({"store": list(answers)}) as (service, seen):
        server = dicomweb.Server(dicomweb.Study(service, STUDY))
        try:
            return dicomweb.send(server, files), seen
        except dicomweb.DicomwebError as error:
            return str(error), seen


def outcome(status, **sequences):
    """What STOW-RS answers: a reason or warning for each named sequence."""
    tags = {"failed": ("00081198", "00081197"), "stored": ("00081199", "00081196")}
    document = {}
    for name, code in sequences.items():
        sequence, number = tags[name]
        item = {} if code is None else {number: {"vr": "US", "Value": [code]}}
        document[sequence] = {"vr": "SQ", "Value": [item]}
    return Answer(json.dumps(document).encode(), status=status)


def test_a_file_is_sent_whole_to_its_study(tmp_path):
    remarks, seen = stored(tmp_path, outcome(200, stored=None))
    ((method, path, headers, body),) = seen
    out = bytearray()
    boundary = headers["Content-Type"].rpartition("boundary=")[2]
    multipart.copy_first_part(in_steps(body, 4096), boundary, out.extend)
    assert (remarks, method, path) == ([], "POST", "")
    assert bytes(out) == image()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (outcome(409, failed=0x0111), ["0.sr.dcm: the server has it already"]),
        (outcome(202, stored=0xB000), ["0.sr.dcm: stored with warning B000"]),
        (Answer(b"<xml/>", kind="application/dicom+xml"), []),
        (Answer(), []),
    ],
)
def test_what_counts_as_stored(tmp_path, answer, said):
    assert stored(tmp_path, answer)[0] == said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (outcome(409, failed=0x0122), "0.sr.dcm: the server does not store this class of object"),
        (outcome(202, failed=0xA700), "0.sr.dcm: the server is out of room"),
        (outcome(409, failed=0xFE01), "0.sr.dcm: reason FE01"),
        (Answer(b"oh", status=409), "0.sr.dcm: the server answers with status 409"),
    ],
)
def test_what_was_not_stored_is_named_and_the_rest_is_still_sent(tmp_path, answer, why):
    said, seen = stored(tmp_path, answer, outcome(200, stored=None))
    assert f"stored 1 of 2 files; not {why}" in said
    assert len(seen) == 2


@pytest.mark.parametrize("status", [401, 413, 415, 500])
def test_a_server_that_stores_nothing_is_named(tmp_path, status):
    assert f"({status})" in stored(tmp_path, Answer(status=status))[0]
