import threading
from collections import Counter

import pydicom
import pytest

from fetometry.errors import OutputError, UsageError
from fetometry.pipeline import Settings, measure_into
from fetometry.serve.node.running import Parts
from fetometry.serve.node.store import Store
from tests.serve.node.nodes import QUICK, Node, wait_for
from tests.serve.node.patients import save_study, tells_nobody, templates
from tests.serve.node.studies import COMPREHENSIVE_SR, FIRST, SECOND, Archive, Events, scan
from tests.serve.orthanc import Orthanc
from tests.serve.peers import SENDER, send

WITHIN_S = 180.0


@pytest.fixture
def archive():
    with Archive().running() as running:
        running.host, running.aet, running.dicom_port = "127.0.0.1", running.title, running.port
        yield running


@pytest.fixture(scope="module")
def made():
    return templates()


def reports(archive) -> list[pydicom.Dataset]:
    return [one for one in archive.taken if one.SOPClassUID == COMPREHENSIVE_SR]


def answered_once(archive, node) -> None:
    """Every result came, and none of them twice."""
    wait_for(lambda: not node.status()["queued"], within_s=WITHIN_S, what="all is sent")
    assert set(Counter(archive.asked).values()) == {1}


@pytest.mark.slow
def test_a_study_is_answered_and_a_late_image_gets_a_report_that_names_the_first(
    tmp_path, archive, made
):
    study = save_study(tmp_path / "study", 1, images=1, late=1, made=made)
    with Node(tmp_path / "node", archive, *QUICK, allow=SENDER) as node:
        assert send(study.images, node).accepted == study.images
        wait_for(lambda: len(reports(archive)) == 1, within_s=WITHIN_S, what="the first report")
        send(study.late, node)
        wait_for(lambda: len(reports(archive)) == 2, within_s=WITHIN_S, what="the second report")
        answered_once(archive, node)
        assert node.stop() == 0
        assert node.status()["answered"] == 1
        tells_nobody(node)
    first, second = reports(archive)
    (replaced,) = second.PredecessorDocumentsSequence
    named = replaced.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert first.StudyInstanceUID == second.StudyInstanceUID == study.uid
    assert first.PatientID == study.patient


@pytest.mark.slow
def test_a_node_that_is_killed_while_it_measures_answers_after_the_next_start(
    tmp_path, archive, made
):
    study = save_study(tmp_path / "study", 1, images=3, made=made)
    with Node(tmp_path / "node", archive, *QUICK, allow=SENDER) as node:
        send(study.images, node)
        wait_for(lambda: node.kept("results"), within_s=WITHIN_S, what="the first file")
        node.kill()
        node.start()
        wait_for(lambda: reports(archive), within_s=WITHIN_S, what="the report")
        answered_once(archive, node)
        node.stop()
        assert list(node.store.rglob(".work-*")) == []
    (report,) = reports(archive)
    here = tmp_path / "here"
    measure_into(here, study.images[::-1], Settings(), kinds=["sr"])  # the other way, another order
    assert pydicom.dcmread(here / "report.sr.dcm").SOPInstanceUID == report.SOPInstanceUID


@pytest.mark.slow
def test_a_node_whose_model_is_not_there_says_so_and_ends(tmp_path, archive):
    node = Node(tmp_path / "node", archive, *QUICK, "--model", str(tmp_path / "none.onnx"))
    try:
        with pytest.raises(RuntimeError, match=r"none\.onnx"):
            node.start()
            wait_for(lambda: not node.runs, within_s=WITHIN_S, what="the end")
            raise RuntimeError(node.log)
        assert '"event": "part-broken"' in node.log
    finally:
        node.kill()


@pytest.mark.slow
def test_a_second_node_on_the_same_folder_is_refused(tmp_path, archive):
    node = Node(tmp_path / "node", archive, *QUICK)
    with Store.open(node.store), pytest.raises(RuntimeError, match="another node is running"):
        node.start()


@pytest.mark.slow
def test_an_earlier_exam_that_only_the_archive_knows_is_in_the_growth_chart(tmp_path):
    first = scan(tmp_path / "first.dcm", FIRST)
    second = scan(tmp_path / "second.dcm", SECOND, hc_mm=250.0)
    known = ("--earlier", "--allow", "ORTHANC")
    with Orthanc(tmp_path / "orthanc") as archive:
        for number, (file, expected) in enumerate(((first, 2), (second, 2 + 2 + 4))):
            node = Node(tmp_path / f"node{number}", archive, *QUICK, *known)
            archive.know("fetometry", node.aet, node.dicom_port)
            with node:
                assert send([file], node).accepted == [file]
                wait_for(
                    lambda expected=expected: len(archive.instances()) == expected,
                    within_s=WITHIN_S,
                    what=f"{expected} results",
                )
                assert node.stop() == 0
                log = node.log
    assert '"event": "earlier-fetched"' in log
    assert '"earlier": 1' in log
    assert '"kind": "report"' in log


def test_a_part_that_ends_ends_the_others():
    stop, log = threading.Event(), Events()
    parts = Parts(stop, log)
    parts.start("waiting", lambda: stop.wait(30))
    parts.start("ending", lambda: None)
    parts.join()
    assert stop.is_set()
    assert parts.broken == []


def test_what_broke_a_part_is_kept_for_the_one_who_started_the_node():
    stop, log = threading.Event(), Events()
    parts = Parts(stop, log)

    def break_down() -> None:
        raise UsageError("the model is not there")

    parts.start("measuring", break_down)
    parts.join()
    assert [str(error) for error in parts.broken] == ["the model is not there"]
    assert log.said == [("part-broken", {"part": "measuring", "reason": "UsageError"})]


def test_a_fault_of_this_program_tells_its_kind_and_place_and_no_more():
    from fetometry.serve.node.running import _told_of_faults

    stop, log = threading.Event(), Events()
    parts = Parts(stop, log)

    def break_down() -> None:
        raise LookupError("Geheimnis^Erika")

    with _told_of_faults(log):
        parts.start("measuring", break_down)
        parts.join()
    (fault,) = log.of("fault")
    assert fault["reason"] == "LookupError"
    assert fault["place"].startswith("test_running.py:")
    assert isinstance(parts.broken[0], OutputError)
    assert "Geheimnis" not in f"{log.said} {parts.broken}"
