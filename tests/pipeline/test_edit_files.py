"""Edits of a whole file: all frames of a cine show one fetus, and are rejected together."""

import pytest

from fetometry.geometry import Ellipse
from fetometry.pipeline.editing import edited, frame_reviews, write_edited
from tests.conftest import cine, painted, save_dicom
from tests.pipeline.review_examples import edit, numbered, three

#: A head in three frames, and a fourth frame that shows none of the planes.
SIZES = [Ellipse((135.0, 200.0), (a, 80.0), 0.0) for a in (100.0, 104.0, 108.0)]


@pytest.fixture
def loop(three_planes, tmp_path):
    frames = [*map(painted, SIZES), painted(plane="none")]
    path = save_dicom(tmp_path / "exam" / "loop.dcm", cine(frames))
    proposal, settings, pictures, _ = three(tmp_path / "exam", spacing=None)
    return proposal, settings, pictures, str(path)


@pytest.fixture
def made(loop):
    """A function from edits to the exam and the reviews of the loop's four frames."""
    proposal, settings, pictures, path = loop

    def make(*edits):
        done = numbered(*edits)
        exam = edited(proposal, done, settings, pictures)
        reviews = frame_reviews(proposal, done, settings, pictures)
        return exam, [reviews[path, k] for k in (1, 2, 3, 4)]

    return make


@pytest.mark.parametrize("frame", [None, 2])
def test_a_fetus_holds_for_all_frames_whatever_frame_is_named(loop, made, frame):
    path = loop[3]
    exam, reviews = made(edit("fetus", {"fetus": "B"}, source=path, frame=frame))
    assert {f.fetus for f in exam.findings if f.source == path} == {"B"}
    assert [r.finding.fetus for r in reviews[:3]] == ["B"] * 3
    hc = next(s for s in exam.selected if (s.name, s.fetus, s.source) == ("HC", "B", path))
    assert hc.count > 1  # of one cine the spread is that of its frames


def test_a_rejected_cine_counts_in_no_frame_and_is_named_once(loop, made):
    path = loop[3]
    said = {"rejected": True, "reason": "shadow"}
    exam, reviews = made(edit("reject", said, source=path, frame=None))
    assert [(r.rejected, r.counts) for r in reviews] == [(True, False)] * 4
    assert path not in {f.source for f in exam.findings}
    told = [(p.frame, p.kind, p.reason) for p in exam.problems if p.source == path]
    assert told == [(None, "rejected", "a reviewer rejected it: shadow")]


def test_one_frame_of_a_rejected_cine_can_be_taken_back(loop, made):
    path = loop[3]
    file = edit("reject", {"rejected": True}, source=path, frame=None)
    exam, _ = made(file, edit("reject", {"rejected": False}, source=path, frame=2))
    assert [f.frame for f in exam.findings if f.source == path] == [2]
    told = [p.frame for p in exam.problems if p.source == path]
    assert sorted(told) == [1, 3, 4]


def test_one_frame_is_rejected_alone_and_its_reset_takes_that_back(loop, made):
    path = loop[3]
    one = edit("reject", {"rejected": True}, source=path, frame=2)
    assert [r.rejected for r in made(one)[1]] == [False, True, False, False]
    again = edit("reset", {}, source=path, frame=2)
    assert [r.rejected for r in made(one, again)[1]] == [False] * 4


def test_reset_of_a_frame_leaves_what_was_said_of_the_file(loop, made):
    path = loop[3]
    file = edit("reject", {"rejected": True}, source=path, frame=None)
    fetus = edit("fetus", {"fetus": "A"}, source=path, frame=None)
    _, reviews = made(file, fetus, edit("reset", {}, source=path, frame=2))
    assert [r.rejected for r in reviews] == [True] * 4
    assert reviews[1].finding.fetus == "A"


def test_what_holds_for_a_file_stands_in_every_output(loop, made, tmp_path):
    _, settings, _, path = loop
    rejected = edit("reject", {"rejected": True, "reason": "shadow"}, source=path, frame=None)
    others = next(f.source for f in loop[0].findings if f.plane == "femur")
    exam, _ = made(rejected, edit("fetus", {"fetus": "A"}, source=others, frame=None))
    kinds = ["json", "csv", "html"]
    told, _ = write_edited(exam, tmp_path / "out", kinds, settings, {path: "loop.dcm"})
    assert [p.frame for p in told.problems if p.source == "loop.dcm"] == [None]
    (page,) = (tmp_path / "out").rglob("*.html")
    text = page.read_text("utf-8")
    assert "rejected: shadow" in text
    assert "1 rejected by a reviewer" in text
    assert "loop.dcm frame" not in text
