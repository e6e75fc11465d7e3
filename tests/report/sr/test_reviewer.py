"""What DICOM reports say of what a person corrected, chose and signed."""

import warnings
from dataclasses import replace

import pydicom
import pytest

from fetometry.report.seg import write_segmentations
from fetometry.report.sr.reviewer import person_name, persons_of
from fetometry.report.sr1500 import write_measurements
from fetometry.review import Review
from fetometry.structured import check
from tests.pipeline.review_examples import edit
from tests.report.sr.made import (
    faults,
    grown,
    items,
    needs_dciodvfy,
    task,
    three_planes,
    value,
    written,
)

ALGORITHM, PERSON_NAME, SELECTION, COMMENT, DERIVATION = (
    "111001", "121008", "121404", "121106", "121401",
)  # fmt: skip
HC, FL = "11984-2", "11963-6"


@pytest.fixture
def exam():
    """Three planes: the head was placed by a person, who chose it, too, and signed."""
    proposed = three_planes()
    head, *others = proposed.findings
    head = replace(
        head,
        measurements=tuple(replace(m, flags=("edited",)) for m in head.measurements),
    )
    selected = tuple(
        replace(s, how="chosen", flags=("edited",)) if s.source == head.source else s
        for s in proposed.selected
    )
    edits = (edit("reset", {}, source=head.source, reviewer="Dr^B"),)
    review = Review("Dr Å", "2026-05-21T10:05:00Z", edits)
    return grown(replace(proposed, findings=(head, *others), selected=selected, review=review))


def test_a_value_that_a_person_placed_is_measured_and_by_no_algorithm(exam, tmp_path):
    report = written(exam, tmp_path)
    (hc,) = items(report, code=HC, type="NUM")
    (fl,) = items(report, code=FL, type="NUM")
    assert items(hc, code=ALGORITHM) == []
    assert [value(i) for i in items(fl, code=ALGORITHM)] == ["head-test"]
    assert [value(i) for i in items(hc, code=DERIVATION)] == [("258104002", "SCT")]
    told = [value(item) for item in items(hc, code=COMMENT)]
    assert "pixel size by csv" in told
    assert any(said.startswith("edited: A person placed it") for said in told)
    assert value(hc)[0] == pytest.approx(exam.selected[0].value, abs=0.0006)


def test_the_value_that_a_person_chose_is_user_chosen(exam, tmp_path):
    (hc,) = items(written(exam, tmp_path), code=HC, type="NUM")
    assert [value(item) for item in items(hc, code=SELECTION)] == [("121410", "DCM")]


def test_persons_observe_beside_the_software_and_the_document_stays_unverified(exam, tmp_path):
    report = written(exam, tmp_path)
    names = [str(item.PersonName) for item in items(report, code=PERSON_NAME)]
    assert names == ["Dr Å^", "DrB^"]
    types = [value(i)[0] for i in items(report, code="121005")]
    assert types == ["121007", "121006", "121006"]
    assert report.VerificationFlag == "UNVERIFIED"
    said = [value(item) for item in items(report, code=COMMENT)]
    assert any("signed by Dr Å, 2026-05-21 10:05:00 UTC. This report is not ver" in s for s in said)


def test_without_a_review_nobody_but_the_software_observes(tmp_path):
    report = written(three_planes(), tmp_path)
    assert items(report, code=PERSON_NAME) == []
    said = [value(item) for item in items(report, code=COMMENT)]
    assert any(s.endswith("measured by software, not verified by a person") for s in said)


@needs_dciodvfy
def test_the_reports_are_valid_and_our_own_checker_finds_nothing(exam, tmp_path):
    written(exam, tmp_path)
    done = write_measurements(task(exam, tmp_path))
    for path in (tmp_path / "report.sr.dcm", done.paths[-1]):
        assert faults(path) == []
    assert check(tmp_path / "report.sr.dcm").faults == ()


def test_the_measurement_report_names_the_person_and_no_algorithm(exam, tmp_path):
    report = pydicom.dcmread(write_measurements(task(exam, tmp_path)).paths[-1])
    assert [str(i.PersonName) for i in items(report, code=PERSON_NAME)] == ["Dr Å^"]
    # three of seven measurements are the person's
    assert len(items(report, code=ALGORITHM)) == 4


def test_an_ellipse_that_a_person_drew_is_manual(exam, tmp_path):
    done = write_segmentations(task(exam, tmp_path))
    how = {
        path.name: pydicom.dcmread(path).SegmentSequence[0].SegmentAlgorithmType
        for path in done.paths
    }
    assert sorted(how.values()) == ["AUTOMATIC", "AUTOMATIC", "MANUAL"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("Anna^Smith\\=x", "AnnaSmithx^"), ("", ""), (" \n", ""), ("é" * 99, "é" * 60 + "^")],
)
def test_a_name_becomes_one_that_dicom_can_hold(name, told):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert person_name(name) == told


def test_who_was_undone_is_no_observer(exam):
    undone = replace(exam.review.edits[0], undone=True)
    shown = replace(exam, review=replace(exam.review, edits=(undone,)))
    assert persons_of(shown) == ["Dr Å^"]
