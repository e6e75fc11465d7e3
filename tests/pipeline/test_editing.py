"""What edits make of an exam of three planes whose answers are known."""

import time
from dataclasses import replace

import numpy as np
import pytest

from fetometry.errors import UsageError
from fetometry.geometry import Ellipse
from fetometry.growth import Dates
from fetometry.pipeline import looking_again
from fetometry.pipeline.editing import checked_edit, edited, frame_reviews
from fetometry.report.exam_json import exam_json
from tests.conftest import HEAD as TRUE_HEAD
from tests.conftest import cine, dataset, painted, save, save_dicom
from tests.pipeline.review_examples import Pictures, edit, numbered, outline, three

HEAD = Ellipse((135.0, 200.0), (100.0, 80.0), 10.0)


@pytest.fixture
def desk(three_planes, tmp_path):
    return three(tmp_path / "exam")


def value(exam, name, fetus=""):
    return next(s for s in exam.selected if (s.name, s.fetus) == (name, fetus))


def test_without_edits_the_exam_is_the_proposal(desk):
    proposal, settings, frames, _ = desk
    same = edited(proposal, [], settings, frames)
    assert exam_json(replace(same, review=None)) == exam_json(proposal)
    assert (same.review.signed, same.review.edits) == ("", ())
    assert frames.read == 0


def test_a_dragged_ellipse_gives_its_own_numbers_and_moves_the_weight(desk):
    proposal, settings, frames, paths = desk
    one = edit("ellipse", outline(HEAD), source=paths["head"])
    exam = edited(proposal, [one], settings, frames)
    hc = value(exam, "HC")
    assert hc.value == pytest.approx(HEAD.scaled(0.3, 0.3).circumference)
    assert (hc.low, hc.high, hc.flags) == (None, None, ("edited",))
    assert value(exam, "AC") == value(proposal, "AC")
    before, after = (e.growth[""].weights[0].value_g for e in (proposal, exam))
    assert after < before
    assert exam.review.edits == (one,)


def test_the_ellipse_dragged_to_the_truth_measures_the_truth(desk):
    proposal, settings, frames, paths = desk
    one = edit("ellipse", outline(TRUE_HEAD), source=paths["head"])
    hc = value(edited(proposal, [one], settings, frames), "HC").value
    assert hc == pytest.approx(TRUE_HEAD.scaled(0.3, 0.3).circumference, abs=1e-9)


def test_an_axis_dragged_shorter_than_the_other_changes_places_with_it(desk):
    proposal, settings, frames, paths = desk
    turned = {"center_px": [135.0, 200.0], "semi_axes_px": [80.0, 100.0], "angle_deg": 100.0}
    exams = [
        edited(proposal, [edit("ellipse", v, source=paths["head"])], settings, frames)
        for v in (turned, outline(HEAD))
    ]
    assert value(exams[0], "OFD").value == pytest.approx(value(exams[1], "OFD").value)


def test_what_was_undone_does_nothing_and_is_kept(desk):
    proposal, settings, frames, paths = desk
    one = edit("ellipse", outline(HEAD), source=paths["head"], undone=True)
    exam = edited(proposal, [one], settings, frames)
    assert exam_json(replace(exam, review=None)) == exam_json(proposal)
    assert exam.review.edits == (one,)


def test_reset_takes_the_proposal_again_and_leaves_ticks_and_other_images(desk):
    proposal, settings, frames, paths = desk
    edits = numbered(
        edit("criteria", {"cavum": True}, source=paths["head"]),
        edit("points", {"FL": [[100, 100], [110, 220]]}, source=paths["femur"]),
        edit("ellipse", outline(HEAD), source=paths["head"]),
        edit("fetus", {"fetus": "A"}, source=paths["head"]),
        edit("reset", {}, source=paths["head"]),
    )
    exam = edited(proposal, edits, settings, frames)
    fetus_a = value(exam, "HC", "A")  # whose image it is was no proposal
    assert fetus_a == replace(value(proposal, "HC"), fetus="A")
    assert value(exam, "FL").value == pytest.approx(0.3 * np.hypot(10, 120))
    review = frame_reviews(proposal, edits, settings, frames)[paths["head"], 1]
    assert (review.criteria, review.edited) == ({"cavum": True}, False)


def test_a_rejected_image_counts_no_more_and_says_why(desk):
    proposal, settings, frames, paths = desk
    said = {"rejected": True, "reason": "shadow"}
    one = edit("reject", said, source=paths["head"], frame=None)
    exam = edited(proposal, [one], settings, frames)
    assert {s.name for s in exam.selected} == {"AC", "TAD", "APAD", "FL"}
    assert all(f.source != paths["head"] for f in exam.findings)
    (problem,) = [p for p in exam.problems if p.kind == "rejected"]
    assert problem.reason == "a reviewer rejected it: shadow"
    review = frame_reviews(proposal, [one], settings, frames)[paths["head"], 1]
    assert review.finding is proposal.findings[2]
    assert (review.rejected, review.counts) == (True, False)
    back = replace(one, number=2, value={"rejected": False})
    assert value(edited(proposal, [one, back], settings, frames), "HC") == value(proposal, "HC")


def test_a_fetus_is_assigned_and_twins_are_not_pooled(desk):
    proposal, settings, frames, paths = desk
    one = edit("fetus", {"fetus": "B"}, source=paths["head"])
    exam = edited(proposal, [one], settings, frames)
    assert value(exam, "HC", "B").value == value(proposal, "HC").value
    assert set(exam.growth) == {"", "B"}


def test_a_person_chooses_which_repeat_counts(three_planes, tmp_path):
    small = Ellipse((135.0, 200.0), (90.0, 75.0), 0.0)
    folder = tmp_path / "exam"
    other = save(folder / "another.png", painted(small))
    proposal, settings, frames, paths = three(folder)
    best = value(proposal, "HC")
    picked = str(other) if best.source == paths["head"] else paths["head"]
    exam = edited(proposal, [edit("choose", {"plane": "head"}, source=picked)], settings, frames)
    hc = value(exam, "HC")
    assert (hc.how, hc.source, hc.count) == ("chosen", picked, 2)
    assert (hc.smallest, hc.largest) == (best.smallest, best.largest)


def test_a_frame_of_a_cine_is_chosen_though_another_is_better(three_planes, tmp_path):
    sizes = [Ellipse((135.0, 200.0), (a, 80.0), 0.0) for a in (100.0, 104.0, 108.0)]
    path = save_dicom(tmp_path / "exam" / "loop.dcm", cine([painted(e) for e in sizes]))
    proposal, settings, frames, _ = three(tmp_path / "exam", spacing=None)
    before = next(s for s in proposal.selected if s.source == str(path) or s.name == "HC")
    assert before.name == "HC"
    one = edit("choose", {"plane": "head"}, source=str(path), frame=3)
    hc = value(edited(proposal, [one], settings, frames), "HC")
    assert (hc.how, hc.frame) == ("chosen", 3)
    assert hc.value == pytest.approx(sizes[2].scaled(0.3, 0.3).circumference, rel=2e-3)


def test_another_plane_is_looked_for_once(desk, monkeypatch):
    proposal, settings, frames, paths = desk
    looks = []
    predictor = settings.predictor
    kept = type(predictor).maps
    monkeypatch.setattr(
        type(predictor), "maps", lambda self, images: looks.append(1) or kept(self, images)
    )
    looking_again._seen.cache_clear()
    one = edit("plane", {"plane": "abdomen"}, source=paths["none"])
    for _ in range(3):
        exam = edited(proposal, [one], settings, frames)
    assert len(looks) == 1
    found = next(f for f in exam.findings if f.source == paths["none"])
    assert (found.plane, found.plane_probability) == ("abdomen", None)
    assert "plane-chosen" in found.measurements[0].flags
    assert "edited" not in found.measurements[0].flags  # nobody placed anything
    assert found.measurements[0].value == pytest.approx(
        TRUE_HEAD.scaled(0.3, 0.3).circumference, rel=2e-3
    )
    assert exam.problems == ()
    assert value(exam, "AC").count == 2


def test_what_no_model_sees_stands_in_the_middle_and_counts_once_it_is_placed(
    three_planes, tmp_path
):
    pixels = np.full((270, 400), 20, np.uint8)
    pixels[100:150, 100:200] = 90  # nothing is as bright as what the model takes for a structure
    dark = save(tmp_path / "exam" / "dark.png", pixels)
    proposal, settings, frames, _ = three(tmp_path / "exam")
    one = edit("plane", {"plane": "abdomen"}, source=str(dark))
    review = frame_reviews(proposal, [one], settings, frames)[str(dark), 1]
    assert (review.to_place, review.counts) == (True, False)
    assert review.finding.ellipse.center == (134.5, 199.5)
    exam = edited(proposal, [one], settings, frames)
    assert value(exam, "AC") == value(proposal, "AC")
    assert any("counts once a reviewer has placed it" in p.reason for p in exam.problems)
    two = edit("ellipse", outline(HEAD), source=str(dark), number=2)
    exam = edited(proposal, [one, two], settings, frames)
    found = next(f for f in exam.findings if f.source == str(dark))
    assert [m.name for m in found.measurements] == ["AC"]  # nobody knows which way is across
    assert value(exam, "AC").count == 2


def test_an_image_said_to_show_no_plane_is_measured_no_more(desk):
    proposal, settings, frames, paths = desk
    one = edit("plane", {"plane": "none"}, source=paths["femur"])
    exam = edited(proposal, [one], settings, frames)
    assert "FL" not in {s.name for s in exam.selected}
    assert ("other-plane", "a reviewer says that it shows no plane that is measured") in {
        (p.kind, p.reason) for p in exam.problems
    }


def test_a_spacing_makes_millimetres_of_pixels_and_takes_the_problem_away(three_planes, tmp_path):
    proposal, settings, frames, paths = three(tmp_path / "exam", spacing=None)
    assert any("no millimetres" in p.reason for p in proposal.problems)
    edits = numbered(
        *(
            edit("spacing", {"mm_per_px": [0.3, 0.3]}, source=paths[plane])
            for plane in ("head", "abdomen", "femur")
        )
    )
    exam = edited(proposal, edits, settings, frames)
    assert {s.unit for s in exam.selected} == {"mm"}
    assert value(exam, "HC").value == pytest.approx(0.3 * value(proposal, "HC").value)
    assert value(exam, "HC").flags == value(proposal, "HC").flags
    assert [p.kind for p in exam.problems] == ["other-plane"]
    assert {f.spacing.source for f in exam.findings} == {"reviewer"}
    assert exam.growth[""].weights


def test_a_file_that_says_its_spacing_takes_no_other(three_planes, tmp_path):
    path = str(save_dicom(tmp_path / "exam" / "a.dcm", dataset()))
    proposal, _, frames, _ = three(tmp_path / "exam", spacing=None)
    with pytest.raises(UsageError, match="the file says itself how large a pixel is"):
        checked_edit(proposal, edit("spacing", {"mm_per_px": [0.3, 0.3]}, source=path), frames)


def test_dates_said_by_a_reviewer_replace_what_was_said_before(desk):
    proposal, settings, frames, _ = desk
    said = {"ga": "23w4d", "lmp": "", "crl_mm": None}
    exam = edited(proposal, [edit("dates", said, frame=None)], settings, frames)
    assert (exam.growth[""].age.days, exam.growth[""].age.source) == (165, "ga")
    lmp = {"lmp": "2026-01-01", "exam_date": "2026-05-21"}
    exam = edited(proposal, [edit("dates", lmp, frame=None)], settings, frames)
    assert (exam.growth[""].age.days, exam.growth[""].age.source) == (140, "lmp")
    with pytest.raises(UsageError, match="the date of the exam is needed to count from"):
        edited(proposal, [edit("dates", {"lmp": "2026-01-01"}, frame=None)], settings, frames)


def test_settings_of_another_exam_keep_the_model_that_is_open(desk):
    _, settings, _, _ = desk
    predictor = settings.predictor
    other = settings.saying(Dates(ga_days=150))
    assert other.predictor is predictor
    assert other.dates.ga_days == 150


REFUSED = [
    ("ellipse", {**outline(HEAD), "center_px": [-5, 200]}, "outside the picture of 270 x 400"),
    ("ellipse", {**outline(HEAD), "angle_deg": float("nan")}, "angle .* must be a number, got nan"),
    ("ellipse", {**outline(HEAD), "angle_deg": float("inf")}, "angle .* must be a number, got inf"),
    ("ellipse", {**outline(HEAD), "angle_deg": 10**400}, "angle .* must be a number"),
    ("ellipse", {**outline(HEAD), "semi_axes_px": [100, 0.5]}, "too small"),
    ("ellipse", {**outline(HEAD), "semi_axes_px": "ab"}, "must be two numbers"),
    ("ellipse", {**outline(HEAD), "colour": 1}, "unknown: 'colour'"),
    ("points", {"BPD": [[10, 10], [10, 1000]]}, "an end of BPD lies outside"),
    ("points", {"BPD": [[10, 10], [10, 11]]}, "lie on each other"),
    ("points", {"XYZ": [[10, 10], [10, 90]]}, "unknown: 'XYZ'; allowed: BPD, OFD, TAD, APAD, FL"),
    ("points", {}, "no line was placed"),
    ("plane", {"plane": "thorax"}, "the plane must be one of head, abdomen, femur, none"),
    ("fetus", {"fetus": "C"}, "the fetus must be one of none, A, B"),
    ("reject", {"rejected": "yes"}, "true or false"),
    ("choose", {"plane": "none"}, "the plane must be one of"),
    ("criteria", {"nose": True}, "unknown: 'nose'"),
    ("criteria", {"cavum": 1}, "cavum must be true or false"),
    ("spacing", {"mm_per_px": [3.0, 3.0]}, "0.01 to 1.0 mm per pixel"),
    ("reset", {"all": True}, "unknown: 'all'; allowed: nothing"),
]


@pytest.mark.parametrize(("action", "said", "reason"), REFUSED)
def test_an_edit_that_is_none_is_refused_in_plain_words(desk, action, said, reason):
    proposal, _, frames, paths = desk
    with pytest.raises(UsageError, match=reason):
        checked_edit(proposal, edit(action, said, source=paths["head"]), frames)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"ga": "23"}, "no gestational age"),
        ({"lmp": "yesterday"}, "a date is YYYY-MM-DD"),
        ({"crl_mm": 60.0}, "a CRL and the date of its scan go together"),
        ({"crl_mm": -1, "crl_date": "2026-01-01"}, "more than 0 mm"),
        ({"edc": "2026-01-01"}, "unknown: 'edc'"),
        ({"lmp": 20260101}, "lmp must be a text"),
    ],
)
def test_dates_that_are_none_are_refused_without_words_of_the_command_line(desk, said, reason):
    proposal, _, frames, _ = desk
    with pytest.raises(UsageError, match=reason) as caught:
        checked_edit(proposal, edit("dates", said, frame=None), frames)
    assert "--" not in str(caught.value)


def test_an_image_of_no_exam_and_a_missing_frame_are_refused(desk):
    proposal, _, frames, paths = desk
    with pytest.raises(UsageError, match="no such image in this exam"):
        checked_edit(proposal, edit("reset", {}, source="/etc/passwd"), frames)
    with pytest.raises(UsageError, match="say which frame"):
        checked_edit(proposal, edit("reset", {}, source=paths["head"], frame=None), frames)
    with pytest.raises(UsageError, match="cannot be read"):
        checked_edit(proposal, edit("reset", {}, source=paths["head"], frame=7), frames)


@pytest.mark.parametrize(
    ("plane", "action", "said", "reason"),
    [
        ("none", "ellipse", outline(HEAD), "say first which plane"),
        ("femur", "ellipse", outline(HEAD), "a femur has a line between its ends"),
        ("head", "points", {"FL": [[10, 10], [10, 90]]}, "FL is not measured in the plane head"),
        ("head", "ellipse", {**outline(HEAD), "semi_axes_px": [9, 9]}, "HC must be 40 to 420 mm"),
        ("femur", "points", {"FL": [[10, 10], [10, 390]]}, "FL must be 5 to 95 mm, got 114.0"),
    ],
)
def test_what_does_not_go_together_and_sizes_of_no_fetus_are_refused(
    desk, plane, action, said, reason
):
    proposal, settings, frames, paths = desk
    one = edit(action, said, source=paths[plane])
    with pytest.raises(UsageError, match=reason) as caught:
        edited(proposal, [one], settings, frames)
    assert paths[plane] not in str(caught.value)


def test_numbers_follow_a_drag_in_less_than_30_ms_and_no_file_is_read_again(desk):
    proposal, settings, frames, paths = desk
    one = edit("ellipse", outline(HEAD), source=paths["head"])
    edited(proposal, [one], settings, frames)
    read, times = frames.read, []
    for _ in range(9):
        start = time.perf_counter()
        edited(proposal, [one], settings, frames)
        times.append(time.perf_counter() - start)
    assert frames.read == read == 1
    assert sorted(times)[2] < 0.03  # the machine may be busy with something else


def test_an_image_that_cannot_be_read_any_more_is_said_so(desk):
    proposal, settings, _, paths = desk

    def gone(source, frame):
        raise KeyError(source)

    one = edit("ellipse", outline(HEAD), source=paths["head"])
    with pytest.raises(UsageError, match="cannot be read any more"):
        edited(proposal, [one], settings, gone)
    assert isinstance(Pictures()(paths["head"], 1).pixels, np.ndarray)
