"""A study fetched from servers that are broken, slow, somebody else's or too full."""

import shutil
import ssl
import subprocess
import time

import pytest

from fetometry.errors import OutputError
from fetometry.serve import dicomweb
from tests.conftest import files_in
from tests.serve.dicomweb.servers import (
    INSTANCE,
    SECRET,
    STUDY,
    Answer,
    image,
    listed,
    one_part,
    serving,
)


def fetched(answers, folder, **options):
    with serving(answers) as (service, _):
        server = dicomweb.Server(dicomweb.Study(service, STUDY), timeout_s=1)
        return dicomweb.fetch(server, folder, **options)


def refusal(answers, folder, **options) -> str:
    with pytest.raises(dicomweb.DicomwebError) as caught:
        fetched(answers, folder, **options)
    assert not files_in(folder)  # nothing half, and nothing wrong, is left
    return str(caught.value)


def test_a_sound_answer_is_saved(tmp_path):
    (file,) = fetched({"list": [listed(), Answer(b"[]")], "file": one_part(image())}, tmp_path)
    assert file == tmp_path / STUDY / f"{INSTANCE}.dcm"
    assert file.read_bytes() == image()


def test_a_file_that_comes_without_parts_is_saved(tmp_path):
    plain = Answer(image(), kind="application/dicom")
    (file,) = fetched({"list": [listed(), Answer(status=204)], "file": plain}, tmp_path)
    assert file.read_bytes() == image()


def test_a_server_that_knows_no_pages_is_asked_no_more_than_twice(tmp_path):
    with serving({"list": listed(), "file": one_part(image())}) as (service, seen):
        server = dicomweb.Server(dicomweb.Study(service, STUDY))
        assert len(dicomweb.fetch(server, tmp_path)) == 1
    assert len([path for _, path, *_ in seen if "series" not in path]) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>log in</html>", kind="text/html"), "does not answer as DICOMweb does"),
        (Answer(b'{"error": 1}'), "no list of instances"),
        (Answer(b'["x"]'), "no list of instances"),
        (Answer(b"[" * 100_000), "does not answer as DICOMweb does"),
        (listed(**{"00080018": "../../x"}), "no list of instances with UIDs"),
        (listed(**{"0020000E": "1.2/../3"}), "no list of instances with UIDs"),
        (Answer(status=404), "no such study, or no DICOMweb at this address"),
        (Answer(status=403), "wants to know who asks"),
        (Answer(status=500), r"failed (500)"),
        (Answer(status=503), "try again later"),
        (Answer(status=418), "refused the request (418)"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path, answer, words):
    assert words in refusal({"list": answer}, tmp_path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (one_part(b"junk"), "it gives no DICOM file"),
        (one_part(b""), "it gives no DICOM file"),
        (one_part(image(PatientID="x")[:-9000]), None),  # pixels are judged when it is measured
        (one_part(image().replace(b"1.2.3.4.5", b"1.2.3.4.6")), "it gives another object"),
        (Answer(image()), "application/dicom+json, not a DICOM file"),
        (Answer(b"--B--\r\n\r\n", kind="multipart/related; boundary=B"), "holds no file"),
        (Answer(b"--B\r\n\r\nabc", kind="multipart/related; boundary=B"), "ends in the middle"),
        (Answer(status=404), "(404)"),
        (Answer(status=406), "(406)"),
    ],
)
def test_a_file_that_is_not_what_was_asked_for_is_not_kept(tmp_path, answer, words):
    answers = {"list": [listed(), Answer(b"[]")], "file": answer}
    if words is None:
        assert len(fetched(answers, tmp_path)) == 1
    else:
        assert words in refusal(answers, tmp_path)


@pytest.mark.parametrize("kind", ["application/dicom", "multipart/related; boundary=B"])
def test_a_connection_that_breaks_in_the_middle_leaves_no_file(tmp_path, kind):
    short = Answer(b"--B\r\n\r\n" + image()[:5000], kind=kind, **{"Content-Length": "9999999"})
    said = refusal({"list": [listed(), Answer(b"[]")], "file": short}, tmp_path)
    assert "ends in the middle" in said


def test_a_server_that_says_nothing_is_given_up(tmp_path):
    assert "within 1 s" in refusal({"list": lambda handler: time.sleep(1.3)}, tmp_path)


def test_a_server_that_hangs_up_is_named(tmp_path):
    assert "broke the connection" in refusal({"list": lambda handler: None}, tmp_path)


def test_a_server_that_speaks_no_http_is_named(tmp_path):
    said = refusal({"list": lambda handler: handler.wfile.write(b"\0\1\2 hello\r\n\r\n")}, tmp_path)
    assert "does not answer as a web server does" in said


def test_a_redirection_is_not_followed_and_the_credentials_stay(tmp_path):
    with serving({}) as (elsewhere, seen_there):
        moved = Answer(status=302, Location=f"{elsewhere}/studies/{STUDY}/instances?key={SECRET}")
        with serving({"list": moved}) as (service, seen):
            server = dicomweb.Server(dicomweb.Study(service, STUDY), f"Bearer {SECRET}")
            with pytest.raises(dicomweb.DicomwebError, match="302") as caught:
                dicomweb.fetch(server, tmp_path)
    assert SECRET not in str(caught.value)
    assert seen[0][2]["Authorization"] == f"Bearer {SECRET}"
    assert seen_there == []


def test_too_many_objects_and_too_large_ones_are_refused(tmp_path):
    sound = {"list": [listed(), Answer(b"[]")] * 3, "file": one_part(image())}
    assert "more than 0 objects" in refusal(sound, tmp_path, limits=dicomweb.Limits(objects=0))
    sound["list"] = [listed(), Answer(b"[]")]
    assert "more than the limit" in refusal(sound, tmp_path, limits=dicomweb.Limits(object_mb=0))
    sound["list"] = [listed(), Answer(b"[]")]
    assert "more than the limit" in refusal(sound, tmp_path, limits=dicomweb.Limits(total_mb=0))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / STUDY).write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        fetched({"list": [listed(), Answer(b"[]")], "file": one_part(image())}, tmp_path)


@pytest.fixture
def certificate(tmp_path):
    """A server's certificate that nobody signed, in one file with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", key, "-out", file], check=True, capture_output=True)
    return file, key


def test_a_certificate_must_be_trusted(tmp_path, certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    sound = {"list": [listed(), Answer(b"[]")], "file": one_part(image())}
    with serving(sound, context=context) as (service, seen):
        study = dicomweb.Study(service, STUDY)
        with pytest.raises(dicomweb.DicomwebError, match=r"not trusted .*SSL_CERT_FILE"):
            dicomweb.fetch(dicomweb.Server(study), tmp_path / "got")
        assert seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert len(dicomweb.fetch(dicomweb.Server(study), tmp_path / "got")) == 1
