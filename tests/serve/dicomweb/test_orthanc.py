"""A study in Orthanc, measured and answered."""

import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage, UltrasoundMultiFrameImageStorage

from fetometry.serve import dicomweb
from tests.conftest import cine, dataset, exam_of, files_in, painted, save_dicom
from tests.serve.dicomweb.servers import INSTANCE, SECRET
from tests.serve.orthanc import Orthanc


@pytest.fixture
def archive(tmp_path):
    with Orthanc(tmp_path / "orthanc", users={"me": SECRET}) as server:
        yield server


def in_archive(archive, folder, *objects):
    """Store objects; return the URL of their study, as it is typed."""
    for number, made in enumerate(objects):
        archive.upload(save_dicom(folder / f"{number}.dcm", made))
    return f"dicomweb+{archive.dicomweb}/studies/{objects[0].StudyInstanceUID}"


@pytest.fixture
def study(archive, tmp_path, monkeypatch):
    """A head, a cine of two heads, and a Secondary Capture, in one study; its URL."""
    monkeypatch.setenv(dicomweb.AUTH_VARIABLE, f"me:{SECRET}")
    head = dataset(PatientName="Müller^Anna", SpecificCharacterSet="ISO_IR 100")
    loop = cine(
        [painted(), painted()],
        SOPClassUID=UltrasoundMultiFrameImageStorage,
        SOPInstanceUID=f"{INSTANCE}.1",
    )
    shot = dataset(SOPClassUID=SecondaryCaptureImageStorage, SOPInstanceUID=f"{INSTANCE}.2")
    return in_archive(archive, tmp_path / "sent", head, loop, shot)


def test_only_ultrasound_is_fetched_and_measured_and_its_path_is_the_source(
    run, study, bright, tmp_path
):
    out = tmp_path / "out"
    code, printed = run("measure", study, "--out", out, "--write", "json")
    assert code == 0
    uid = study.rpartition("/")[2]
    got = sorted(files_in(out / "received"))
    head = dataset().SOPInstanceUID
    assert got == sorted([f"{uid}/{head}.dcm", f"{uid}/{INSTANCE}.1.dcm"])
    sources = {finding["source"] for finding in exam_of(out)["findings"]}
    assert sources == {str(out / "received" / name) for name in got}
    assert "2 ultrasound objects" in printed
    assert SECRET not in printed


def test_a_compressed_file_is_fetched_as_it_is_stored(archive, tmp_path):
    source = pydicom.examples.get_path("ybr_color")  # JPEG: 7 MB where it is not compressed
    archive.upload(source)
    uid = str(pydicom.dcmread(source, stop_before_pixels=True).StudyInstanceUID)
    server = dicomweb.Server(
        dicomweb.Study(archive.dicomweb, uid),
        dicomweb.authorization({dicomweb.AUTH_VARIABLE: f"me:{SECRET}"}),
    )
    (file,) = dicomweb.fetch(server, tmp_path / "got")
    ours, theirs = pydicom.dcmread(file), pydicom.dcmread(source)
    assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
    assert ours.PixelData == theirs.PixelData


def test_results_are_stored_in_the_study_and_a_second_time_changes_nothing(
    run, study, archive, bright, tmp_path
):
    before = set(archive.by_uid())
    uid = study.rpartition("/")[2]
    for out in (tmp_path / "one", tmp_path / "two"):
        code, printed = run("measure", study, "--out", out, "--write", "sr,sc,seg", "--stow")
        assert code == 0, printed
        assert "stored on" in printed
    written = list((tmp_path / "two").glob("**/*.s*.dcm"))
    results = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in written}
    now = archive.by_uid()
    assert len(results) == 7  # a report, and a capture and a segmentation of each of three frames
    assert set(now) == before | set(results)
    for name, path in results.items():
        assert archive.file(now[name]) == path.read_bytes()
        assert archive.tag(now[name], "0020-000d") == uid


def test_without_stow_nothing_is_stored(run, study, archive, bright, tmp_path):
    before = archive.instances()
    assert run("measure", study, "--out", tmp_path / "out", "--write", "sr")[0] == 0
    assert archive.instances() == before


@pytest.mark.parametrize("said", [None, f"me:not-{SECRET}"])
def test_who_is_not_known_is_told_how_to_say_who_asks(run, study, said, monkeypatch, tmp_path):
    monkeypatch.delenv(dicomweb.AUTH_VARIABLE)
    if said:
        monkeypatch.setenv(dicomweb.AUTH_VARIABLE, said)
    code, printed = run("measure", study, "--out", tmp_path / "out")
    assert code == 1
    assert "(401)" in printed
    assert dicomweb.TOKEN_VARIABLE in printed
    assert SECRET not in printed
    assert not (tmp_path / "out").exists()


def test_a_study_that_is_not_there_is_said_to_be_missing(run, study, tmp_path):
    missing = study.rpartition("/")[0] + "/1.2.3"
    code, printed = run("measure", missing, "--out", tmp_path / "out")
    assert code == 1
    assert "has no such study, or it is empty" in printed


def test_a_study_without_ultrasound_is_not_fetched(run, archive, monkeypatch, tmp_path):
    monkeypatch.setenv(dicomweb.AUTH_VARIABLE, f"me:{SECRET}")
    url = in_archive(archive, tmp_path / "sent", dataset(SOPClassUID=SecondaryCaptureImageStorage))
    code, printed = run("measure", url, "--out", tmp_path / "out")
    assert code == 1
    assert "no ultrasound images in this study, of 1 objects" in printed
    assert not (tmp_path / "out").exists()
