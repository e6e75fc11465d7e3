"""The node is killed, its archive goes away, images come late: every study is answered once.

What a store promises cannot be seen from inside. Here others' programs send, archive and count,
and the node is a process that ends without warning.
"""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest

from fetometry.structured import check
from tests.serve.node.nodes import QUICK, Node, wait_for
from tests.serve.node.patients import Study, blank, save_study, tells_nobody, templates
from tests.serve.orthanc import Orthanc
from tests.serve.peers import StoreScp, needs, send

pytestmark = pytest.mark.slow

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SENDERS = 5
STUDIES, IMAGES, LATE = 20, 10, 2
#: How many of the studies have late images.
LATE_STUDIES = 4
#: Seconds that a step may take on a slow machine that is busy; here it takes some.
LIMIT_S = 600.0


class Sender(threading.Thread):
    """Sends files by storescu until each was answered; what was answered is never sent again."""

    def __init__(self, files: Sequence[Path], node: Node):
        super().__init__(daemon=True)
        self.left = list(files)
        self.answered: list[Path] = []
        self.refused: dict[Path, str] = {}
        self._node = node

    def run(self) -> None:
        until = time.monotonic() + LIMIT_S
        while self.left and time.monotonic() < until:
            sent = send(self.left, self._node)
            self.answered += sent.accepted
            self.refused |= {p: s for p, s in sent.statuses.items() if s != "Success"}
            self.left = [path for path in self.left if path not in sent.statuses]
            if self.left:
                time.sleep(0.2)


def send_all(files: Sequence[Path], node: Node) -> list[Sender]:
    """Start the senders, each with a share of the files."""
    senders = [Sender(files[k::SENDERS], node) for k in range(SENDERS)]
    for sender in senders:
        sender.start()
    return senders


def all_answered(senders: Sequence[Sender]) -> None:
    for sender in senders:
        sender.join(LIMIT_S)
    assert [sender.left for sender in senders] == [[]] * len(senders)
    assert [sender.refused for sender in senders] == [{}] * len(senders)


def predecessor(report: pydicom.Dataset) -> str | None:
    named = report.get("PredecessorDocumentsSequence")
    if named is None:
        return None
    ((instance,),) = [series.ReferencedSOPSequence for series in named[0].ReferencedSeriesSequence]
    return str(instance.ReferencedSOPInstanceUID)


def images_of(report: pydicom.Dataset) -> set[str]:
    """The images that a report is about."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def chain(reports: Sequence[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """The reports of one study in order, each naming the one before; there is no other one."""
    following = {predecessor(one): one for one in reports}
    assert len(following) == len(reports), "two reports name the same predecessor"
    ordered = []
    current = None
    while current in following:
        ordered.append(following[current])
        current = ordered[-1].SOPInstanceUID
    assert len(ordered) == len(reports), "a report names one that is not there"
    return ordered


def judge(results: Sequence[pydicom.Dataset], studies: Sequence[Study]) -> None:
    """Every study is answered, in one chain of reports, with one capture of each image."""
    reports, captures = defaultdict(list), defaultdict(list)
    for result in results:
        kinds = {COMPREHENSIVE_SR: reports, SECONDARY_CAPTURE: captures}
        kinds[result.SOPClassUID][result.StudyInstanceUID].append(result)
    assert set(reports) == set(captures) == {study.uid for study in studies}
    for study in studies:
        ordered = chain(reports[study.uid])
        seen = [images_of(one) for one in ordered]
        assert seen[-1] == study.shown
        assert all(a < b for a, b in itertools.pairwise(seen)), "a report without news"
        sources = [
            one.SourceImageSequence[0].ReferencedSOPInstanceUID for one in captures[study.uid]
        ]
        assert sorted(sources) == sorted(study.shown)
        assert {one.PatientID for one in reports[study.uid]} == {study.patient}
        if study.late:
            assert len(ordered) > 1


def in_orthanc(orthanc: Orthanc, folder: Path) -> list[pydicom.Dataset]:
    """Everything that the archive has."""
    found = []
    for k, instance in enumerate(orthanc.instances()):
        path = folder / f"{k}.dcm"
        path.write_bytes(orthanc.file(instance))
        found.append(pydicom.dcmread(path))
        if found[-1].SOPClassUID == COMPREHENSIVE_SR:
            assert check(path).faults == ()
    return found


def committed(node: Node) -> set[str]:
    """The UIDs of all results that the node has."""
    return {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        for path in node.kept("results", "*.dcm")
    }


def finished(node: Node) -> bool:
    """Whether no study and no result is under way."""
    told = node.counts()
    return told.waiting == told.queued == 0


def test_every_study_is_answered_and_none_twice(tmp_path):
    needs("storescu")
    # of three images one shows something, and the first of the late ones does: quick to measure
    nothing = [blank(one) for one in templates()]
    made = [one for k, shown in enumerate(templates()) for one in (nothing[k], shown, nothing[k])]
    studies = [
        save_study(tmp_path / "in", k, IMAGES, LATE if k < LATE_STUDIES else 0, made=made)
        for k in range(STUDIES)
    ]
    empty = save_study(tmp_path / "in", STUDIES, 1, made=nothing)
    early = [path for study in (*studies, empty) for path in study.images]
    late = [path for study in studies for path in study.late]
    (tmp_path / "out").mkdir()
    orthanc = Orthanc(tmp_path / "orthanc")  # away: nobody listens yet
    with Node(tmp_path / "node", orthanc, *QUICK) as node:
        senders = send_all(early, node)
        for count in (30, 80, 150):  # while objects come
            wait_for(
                lambda count=count: len(node.kept("objects")) >= count,
                within_s=LIMIT_S,
                what=f"{count} objects",
            )
            node.kill()
            node.start()
        all_answered(senders)
        wait_for(
            lambda: len(node.kept("results", "*.sr.dcm")) >= 5, within_s=LIMIT_S, what="5 reports"
        )
        node.kill()  # while studies are measured
        node.start()
        with orthanc:
            wait_for(lambda: len(orthanc.instances()) >= 40, within_s=LIMIT_S, what="results sent")
            node.kill()  # while results are sent
        node.start()  # and the archive is away again
        wait_for(lambda: node.counts().waiting == 0, within_s=LIMIT_S, what="all measured")
        all_answered(send_all(late, node))
        with orthanc:
            wait_for(lambda: finished(node), within_s=LIMIT_S, what="everything sent")
            results = in_orthanc(orthanc, tmp_path / "out")
        status = node.status()
        assert node.stop() == 0
    assert node.starts == 6
    assert len(early) + len(late) > 200
    judge(results, studies)
    assert {one.SOPInstanceUID for one in results} == committed(node)
    assert status["objects"] == len(early) + len(late)
    assert (status["answered"], status["nothing"], status["failed"]) == (STUDIES, 1, 0)
    assert (status["sent"], status["refused"]) == (len(results), 0)
    tells_nobody(node)


def test_a_receiver_that_dies_gets_each_result_and_a_second_one_only_if_it_is_the_same(tmp_path):
    made = templates()
    studies = [save_study(tmp_path / "in", k, 3, 1 if k < 2 else 0, made=made) for k in range(6)]
    receiver = StoreScp(tmp_path / "received")
    with Node(tmp_path / "node", receiver, *QUICK) as node:
        all_answered(send_all([path for study in studies for path in study.images], node))
        for count in (2, 9):
            with receiver:
                wait_for(
                    lambda count=count: len(receiver.received()) >= count,
                    within_s=LIMIT_S,
                    what=f"{count} results",
                )
            node.kill()
            node.start()
        wait_for(lambda: node.counts().waiting == 0, within_s=LIMIT_S, what="all measured")
        all_answered(send_all([path for study in studies for path in study.late], node))
        with receiver:
            wait_for(lambda: finished(node), within_s=LIMIT_S, what="everything sent")
    copies = defaultdict(list)
    for path in receiver.received():
        one = pydicom.dcmread(path, force=True)
        if "PixelData" in one or "ContentSequence" in one:  # else cut off when the receiver died
            copies[one.SOPInstanceUID].append(one)
    assert all(one == same[0] for same in copies.values() for one in same)
    assert sum(len(same) - 1 for same in copies.values()) <= 2  # once for each death
    judge([same[0] for same in copies.values()], studies)
    assert set(copies) == committed(node)
