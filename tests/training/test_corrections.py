"""What reviewers corrected, written as a data set and read back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.review import Review
from fetometry.training.data import load
from fetometry.training.data.corrections import NAME, training_manifest
from fetometry.types import Problem
from tests.pipeline.review_examples import edit, numbered
from tests.report.examples import HEAD, SHAFT, abdomen, exam, femur, head

SIGNED = Review("Dr A", "2026-05-21T10:00:00Z")


def grey(source, frame):
    return np.full((540, 700), len(source) + frame, np.uint8)


def corrected(*findings, review=SIGNED, **more):
    return replace(exam(*findings, name="Mrs Smith"), review=review, **more)


def test_the_corrected_images_of_a_signed_exam_come_back_with_what_was_placed(tmp_path):
    shown = corrected(
        head(source="Smith/a.png", flags=("edited",)),
        abdomen(source="Smith/b.png", flags=("edited",)),
        femur(source="Smith/long.png", flags=("edited",)),
        head(source="Smith/untouched.png"),
    )
    path = training_manifest([shown], tmp_path, grey)
    rows = load(NAME, tmp_path)
    assert path == tmp_path / "manifest.csv"
    assert [row.plane for row in rows] == ["head", "abdomen", "femur"]
    assert rows[0].ellipse.semi_axes == pytest.approx(HEAD.semi_axes)
    assert rows[1].ends is not None
    assert rows[2].ends == pytest.approx(np.array(SHAFT))
    assert rows[0].truth_mm["HC"] == pytest.approx(shown.findings[0].measurements[0].value)
    assert {row.spacing_mm for row in rows} == {(0.1, 0.1)}
    pixels = cv2.imread(str(rows[0].image), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(pixels, grey("Smith/a.png", 1))


def test_no_name_stands_in_the_table_or_in_a_file_name(tmp_path):
    training_manifest([corrected(head(source="Smith/a.png", flags=("edited",)))], tmp_path, grey)
    said = (tmp_path / "manifest.csv").read_text(encoding="utf-8")
    names = [path.name for path in tmp_path.rglob("*")]
    for text in (said, *names):
        assert "Smith" not in text
        assert "Dr A" not in text


def test_images_of_one_visit_have_one_group_and_those_of_two_have_two(tmp_path):
    one = corrected(
        head(source="a.png", flags=("edited",)), femur(source="b.png", flags=("edited",))
    )
    other = corrected(head(source="other/c.png", flags=("edited",)))
    training_manifest([one, other], tmp_path, grey)
    groups = [row.group for row in load(NAME, tmp_path)]
    assert groups[0] == groups[1] != groups[2]


def test_an_image_said_to_show_no_plane_is_one_of_none(tmp_path):
    edits = numbered(
        edit("plane", {"plane": "none"}, source="a.png"),
        edit("plane", {"plane": "none"}, source="b.png"),
        edit("reset", {}, source="b.png"),
    )
    shown = corrected(review=replace(SIGNED, edits=tuple(edits)))
    training_manifest([shown], tmp_path, grey)
    (row,) = load(NAME, tmp_path)
    assert (row.plane, row.ellipse, row.spacing_mm) == ("none", None, None)


def test_without_millimetres_only_the_plane_is_learned(tmp_path):
    training_manifest([corrected(head(mm=None, flags=("edited",)))], tmp_path, grey)
    (row,) = load(NAME, tmp_path)
    assert (row.kind, row.ellipse) == ("corrections/head/plane-only", None)


def test_a_diameter_beside_the_models_ellipse_teaches_no_ellipse(tmp_path):
    shown = head()
    only = tuple(
        replace(m, flags=("edited",)) if m.name == "BPD" else m for m in shown.measurements
    )
    with pytest.raises(DataError, match="nothing to learn from"):
        training_manifest([corrected(replace(shown, measurements=only))], tmp_path, grey)


@pytest.mark.parametrize("review", [None, Review("Dr A")])
def test_what_is_not_signed_is_no_data(tmp_path, review):
    shown = corrected(head(flags=("edited",)), review=review)
    with pytest.raises(DataError, match="no exam that is signed has a correction"):
        training_manifest([shown], tmp_path, grey)


def test_of_a_plane_that_was_named_the_plane_alone_is_learned(tmp_path):
    edits = numbered(
        edit("plane", {"plane": "head"}, source="a.png"),
        edit("plane", {"plane": "head"}, source="placed.png"),
        edit("plane", {"plane": "femur"}, source="rejected.png"),
        edit("reject", {"rejected": True}, source="rejected.png", frame=None),
    )
    shown = corrected(
        head(source="a.png", flags=("plane-chosen",)),
        head(source="placed.png", flags=("edited",)),
        problems=(Problem("rejected.png", None, "a reviewer rejected it", "rejected"),),
        review=replace(SIGNED, edits=tuple(edits)),
    )
    training_manifest([shown], tmp_path, grey)
    rows = load(NAME, tmp_path)
    assert [row.kind for row in rows] == ["corrections/head", "corrections/head/plane-only"]
    assert rows[1].ellipse is None
