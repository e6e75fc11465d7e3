"""What was written goes through an archive and comes back: every number, point and name."""

import io
import re
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from fetometry import phantom, structured
from fetometry.cli import app
from fetometry.growth import Dates
from fetometry.phantom.write import dicom
from fetometry.pipeline import Settings, measure_into
from tests.report.sr.made import dump, faults, needs_dciodvfy, needs_dsrdump
from tests.serve.orthanc import Orthanc, needs_orthanc
from tests.serve.peers import StoreScp, echo, move, needs, send

pytestmark = pytest.mark.slow

#: The character set of the images, and the name that they give the patient.
NAMES = {
    "ascii": ("", "Phantom^Jane"),
    "utf-8": ("ISO_IR 192", "Åström^Zoë^Ægir"),
    "latin-1": ("ISO_IR 100", "Müller^Jörg^ß"),
    "misspelt": ("ISO-IR 100", "Núñez^Inés"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "japanese-utf-8": ("ISO_IR 192", "ﾔﾏﾀﾞ^ﾊﾅｺ=山田^花子=やまだ^はなこ"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "chinese-utf-8": ("ISO_IR 192", "Zhang^Li=张^丽"),
}
#: The AE title under which the archive knows who asks it to move.
MOVER = "MOVER"
EVERY_NAME = pytest.mark.parametrize("name", NAMES)


@dataclass(frozen=True)
class Archived:
    """An archive that has everything, and what was sent to it, by the name of the patient."""

    orthanc: Orthanc
    receiver: StoreScp
    written: dict[str, list[Path]]

    def report(self, name: str) -> Path:
        return next(path for path in self.written[name] if path.name.endswith(".sr.dcm"))

    def study(self, name: str) -> str:
        return pydicom.dcmread(self.report(name)).StudyInstanceUID


def by_uid(datasets):
    """Data sets by their own UID, each of which must occur once."""
    made = list(datasets)
    found = {one.SOPInstanceUID: one for one in made}
    assert len(found) == len(made)
    return found


def same_report(returned: Path, written: Path):
    """Both say the same, down to every number, point and letter."""
    ours, theirs = (replace(structured.read(p), source="") for p in (written, returned))
    assert theirs == ours
    (fetus,) = theirs.fetuses
    assert {"HC", "BPD", "AC", "FL", "GA", "EFW"} <= set(fetus.names())
    assert all(fetus.chosen(size).value.shapes for size in ("HC", "BPD", "AC", "FL"))
    return theirs


def save_study(folder: Path, name: str, planes) -> None:
    """Save planes of one fetus, of a patient of this name in this character set."""
    folder.mkdir(parents=True)
    number = list(NAMES).index(name) + 1
    character_set, patient = NAMES[name]
    proper = "ISO_IR 100" if name == "misspelt" else character_set
    for plane, seen in enumerate(planes, 1):
        made = dicom(seen, study=name)
        made.SpecificCharacterSet = proper
        made.PatientName = patient
        made.PatientID = f"ID-{number}"
        made.IssuerOfPatientID = "HOSPITAL"
        made.AccessionNumber = f"A{number}"
        made.StudyDate = "20260521"
        made.StudyTime = "101500"
        made.SOPInstanceUID = f"1.2.3.{number}.1.{plane}"
        made.SeriesInstanceUID = f"1.2.3.{number}.1"
        path = folder / f"{plane}.dcm"
        made.save_as(path, enforce_file_format=True)
        if name == "misspelt":
            path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", character_set.encode()))


@pytest.fixture(scope="module")
def archived(shipped, tmp_path_factory):
    """An archive to which every study, and every kind of file written for it, was sent."""
    needs_orthanc()
    needs("storescu", "storescp", "movescu", "echoscu")
    folder = tmp_path_factory.mktemp("round")
    planes = (
        phantom.head(phantom.HeadSpec()),
        phantom.abdomen(phantom.AbdomenSpec()),
        phantom.femur(phantom.FemurSpec()),
    )
    written = {}
    for name in NAMES:
        save_study(folder / name, name, planes)
        settings = Settings(dates=Dates(ga_days=189))
        out = folder / "out" / name
        measure_into(out, [folder / name], settings, kinds=("sr", "sc", "seg", "sr1500"))
        written[name] = sorted(out.rglob("*.dcm"))
    with (
        StoreScp(folder / "receiver", aet=MOVER) as receiver,
        Orthanc(
            folder / "orthanc", modalities={"mover": (MOVER, receiver.host, receiver.dicom_port)}
        ) as orthanc,
    ):
        for name, paths in written.items():
            sent = send([*paths, *sorted((folder / name).iterdir())], orthanc)
            assert set(sent.statuses.values()) == {"Success"}, sent.output
        yield Archived(orthanc, receiver, written)


def test_the_archive_answers(archived):
    assert "Received Echo Response (Success)" in echo(archived.orthanc)


def by_rest(archived, name, folder):
    """The files of a study as Orthanc itself gives them out."""
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": archived.study(name)}}
    for instance in archived.orthanc.post("/tools/find", query):
        yield archived.orthanc.file(instance)


def by_wado(archived, name, folder):
    """The files of a study by DICOMweb: parts of one answer, each a file."""
    request = urllib.request.Request(
        f"{archived.orthanc.dicomweb}/studies/{archived.study(name)}",
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        boundary = re.search('boundary="?([^";]+)', answer.headers["Content-Type"])[1]
        parts = answer.read().split(f"--{boundary}".encode())
    for part in parts[1:-1]:
        yield part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def by_move(archived, name, folder):
    """The files of a study as a workstation has them sent to itself."""
    before = set(archived.receiver.received())
    move(archived.orthanc, archived.receiver, archived.study(name), calling=MOVER)
    for path in set(archived.receiver.received()) - before:
        yield path.read_bytes()


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")  # of the images
@EVERY_NAME
@pytest.mark.parametrize("way", [by_rest, by_wado, by_move])
def test_every_file_comes_back_as_it_was_sent(archived, tmp_path, name, way):
    returned = by_uid(pydicom.dcmread(io.BytesIO(raw)) for raw in way(archived, name, tmp_path))
    sent = by_uid(pydicom.dcmread(path) for path in archived.written[name])
    assert len(returned) == len(sent) + 3  # the images themselves
    for uid, ours in sent.items():
        assert returned[uid] == ours
    report = pydicom.dcmread(archived.report(name))
    path = tmp_path / "back.dcm"
    returned[report.SOPInstanceUID].save_as(path, enforce_file_format=True)
    back = same_report(path, archived.report(name))
    assert back.header["patient_name"] == NAMES[name][1]
    assert back.header["patient_id"] == f"ID-{list(NAMES).index(name) + 1}"
    assert back.header["issuer"] == "HOSPITAL"


@EVERY_NAME
def test_the_archive_reads_the_name_in_each_of_them(archived, name):
    query = {"Level": "Study", "Query": {"StudyInstanceUID": archived.study(name)}, "Expand": True}
    (study,) = archived.orthanc.post("/tools/find", query)
    for path in archived.written[name]:
        made = pydicom.dcmread(path)
        told = archived.orthanc.get(
            f"/instances/{archived.orthanc.by_uid()[made.SOPInstanceUID]}/simplified-tags"
        )
        assert told["PatientName"].rstrip() == NAMES[name][1]
        assert told["AccessionNumber"] == study["MainDicomTags"]["AccessionNumber"]
        assert told["StudyInstanceUID"] == archived.study(name)


def test_the_numbers_of_the_report_are_shown(archived, tmp_path):
    raw = archived.orthanc.file(
        archived.orthanc.by_uid()[pydicom.dcmread(archived.report("japanese")).SOPInstanceUID]
    )
    path = tmp_path / "back.dcm"
    path.write_bytes(raw)
    done = CliRunner().invoke(app, ["sr", "show", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert NAMES["japanese"][1] in done.output
    (fetus,) = structured.read(archived.report("japanese")).fetuses
    for size in ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"):
        assert re.search(rf"^{size} +{fetus.chosen(size).value.value:.1f} mm", done.output, re.M)


@needs_dciodvfy
@EVERY_NAME
def test_the_validator_finds_no_error_in_any_of_them(archived, name):
    kinds = {path.name.split(".", 1)[1] for path in archived.written[name]}
    assert kinds == {"sr.dcm", "sr1500.dcm", "sc.dcm", "seg.dcm"}
    assert {path.name: faults(path) for path in archived.written[name] if faults(path)} == {}


@needs_dsrdump
@EVERY_NAME
def test_another_reader_finds_the_codes_and_units(archived, name):
    text = dump(archived.report(name))
    for code, scheme, unit in (
        ("11984-2", "LN", "mm"),
        ("11820-8", "LN", "mm"),
        ("11979-2", "LN", "mm"),
        ("11963-6", "LN", "mm"),
        ("11727-5", "LN", "g"),
        ("18185-9", "LN", "d"),
    ):
        assert re.search(rf'NUM:\({code},{scheme},"[^"]*"\)="[^"]+" \({unit},UCUM,', text), code
