"""Of several images of a plane: which value counts, and how far they lie apart."""

import hashlib
import statistics

import numpy as np
import pytest

from fetometry.errors import UsageError
from fetometry.pipeline import SELECT, Settings, selecting
from fetometry.types import Finding, Measurement, ModelRef
from tests.conftest import dataset, save, save_dicom

MODEL = ModelRef("m", "0" * 64, "CC0-1.0")
NAMES = {"head": ("HC", "BPD", "OFD"), "abdomen": ("AC", "TAD", "APAD"), "femur": ("FL",)}


def finding(source, main, *, plane="head", frame=1, quality=0.5, unit="mm", **more):
    """A finding whose measurements are `main`, a third and a quarter of it."""
    flags, names = more.pop("flags", ()), more.pop("names", NAMES[plane])
    interval = more.pop("interval", True)
    values = zip(names, (main, main / 3, main / 4), strict=False)
    measurements = tuple(
        Measurement(
            name, value, unit, 2 * value, "", *((0.9 * value, 1.1 * value) if interval else ()),
            flags=flags,
        )
        for name, value in values
    )  # fmt: skip
    return Finding(
        source, frame, plane, None, MODEL, None, np.zeros((0, 2)), None, {}, measurements,
        quality=quality, **more,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def agreeing(monkeypatch):
    """Sizes that go together, whatever they are."""
    monkeypatch.setattr(selecting, "disagreeing", lambda values_mm: {})


def decided(findings, how="best"):
    """What counts, by fetus and name."""
    return {(s.fetus, s.name): s for s in selecting.decide(findings, how)[1]}


THREE = (
    finding("a", 200.0, quality=0.3),
    finding("b", 210.0, quality=0.9),
    finding("c", 190.0, quality=0.5),
    finding("d", 230.0, quality=0.2),
)


@pytest.mark.parametrize(("how", "source"), [("best", "b"), ("median", "a"), ("last", "d")])
def test_the_chosen_image_gives_all_measurements_of_its_plane(how, source):
    main = {f.source: f.measurements[0].value for f in THREE}[source]
    found = decided(THREE, how)
    assert [name for _, name in found] == ["HC", "BPD", "OFD"]
    assert {(s.source, s.frame, s.how) for s in found.values()} == {(source, 1, how)}
    assert found["", "BPD"].value == pytest.approx(main / 3)
    assert (found["", "HC"].low, found["", "HC"].high) == pytest.approx((0.9 * main, 1.1 * main))


@pytest.mark.parametrize("how", SELECT)
def test_the_spread_is_that_of_all_images_whichever_counts(how):
    hc = decided(THREE, how)["", "HC"]
    assert hc.count == 4
    assert hc.sd == pytest.approx(statistics.stdev([200, 210, 190, 230]))
    assert (hc.smallest, hc.largest) == (190.0, 230.0)


def test_a_mean_is_of_values_and_of_both_ends_of_their_intervals():
    hc = decided(THREE, "mean")["", "HC"]
    assert (hc.value, hc.low, hc.high) == pytest.approx((207.5, 0.9 * 207.5, 1.1 * 207.5))
    assert (hc.source, hc.frame) == ("", None)


def test_a_mean_has_no_interval_where_one_of_its_values_has_none():
    hc = decided([*THREE, finding("e", 200.0, interval=False)], "mean")["", "HC"]
    assert (hc.low, hc.high) == (None, None)


def test_the_median_of_an_even_number_is_the_lower_of_the_middle_two():
    assert decided(THREE, "median")["", "HC"].value == 200.0
    assert decided(THREE[:3], "median")["", "HC"].value == 200.0
    assert decided(THREE[:2], "median")["", "HC"].value == 200.0


@pytest.mark.parametrize("how", ["best", "median"])
def test_of_equals_the_lowest_uid_counts_then_the_lowest_digest(how, tmp_path):
    uids = [tmp_path / "a.dcm", tmp_path / "b.dcm"]
    for path, uid in zip(uids, ("1.2.9", "1.2.3"), strict=True):
        save_dicom(path, dataset(SOPInstanceUID=uid))
    pictures = [
        save(tmp_path / f"{name}.png", np.full((9, 9), k, np.uint8)) for k, name in enumerate("cd")
    ]
    lowest = min(pictures, key=lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
    for paths, expected in (([*pictures, *uids], uids[1]), (pictures, lowest)):
        equal = [finding(str(path), 200.0, quality=0.5) for path in paths]
        for order in (equal, equal[::-1]):
            assert decided(order, how)["", "HC"].source == str(expected)


@pytest.mark.parametrize("how", ["best", "median"])
def test_of_equals_that_cannot_be_read_the_earlier_counts(how):
    equal = [finding(name, 200.0, quality=0.5) for name in "abc"]
    assert decided(equal, how)["", "HC"].source == "a"


def test_one_image_alone_has_no_spread():
    hc = decided([finding("a", 200.0)])["", "HC"]
    assert (hc.count, hc.sd, hc.smallest, hc.largest) == (1, None, 200.0, 200.0)


def test_planes_are_decided_by_themselves_and_listed_in_their_order():
    found = decided([
        finding("f", 40.0, plane="femur", quality=0.1), finding("a", 150.0, plane="abdomen"),
        finding("h", 200.0, quality=0.9),
    ])  # fmt: skip
    assert [name for _, name in found] == ["HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"]
    assert {s.count for s in found.values()} == {1}


# millimetres and pixels


@pytest.mark.parametrize("how", SELECT)
def test_pixels_do_not_count_where_there_are_millimetres(how):
    mixed = [finding("a", 200.0, quality=0.1), finding("b", 900.0, unit="px", quality=0.9)]
    hc = decided(mixed, how)["", "HC"]
    assert (hc.value, hc.unit, hc.count, hc.largest) == (200.0, "mm", 1, 200.0)


def test_pixels_count_where_there_is_nothing_else():
    hc = decided([finding(n, v, unit="px") for n, v in (("a", 900.0), ("b", 910.0))])["", "HC"]
    assert (hc.value, hc.unit, hc.count) == (900.0, "px", 2)


# twins


@pytest.mark.parametrize("how", SELECT)
def test_twins_are_never_pooled(how):
    found = decided(
        [
            finding("a", 200.0, fetus="B", quality=0.9),
            finding("b", 100.0, fetus="A", quality=0.1),
            finding("c", 150.0),
        ],
        how,
    )
    assert [fetus for fetus, name in found if name == "HC"] == ["", "A", "B"]
    assert {f: s.value for (f, n), s in found.items() if n == "HC"} == {
        "": 150.0, "A": 100.0, "B": 200.0,
    }  # fmt: skip
    assert {s.count for s in found.values()} == {1}


# cines


def loop(qualities, source="cine", **more):
    return [
        finding(source, 200.0 + 2 * k, frame=k + 1, quality=q, **more)
        for k, q in enumerate(qualities)
    ]


def test_of_a_cine_the_best_frame_counts_with_the_spread_of_its_neighbours():
    frames = loop([0.1, 0.2, 0.3, 0.9, 0.3, 0.2, 0.1, 0.1])
    hc = decided(frames)["", "HC"]
    assert (hc.frame, hc.value) == (4, 206.0)
    assert (hc.count, hc.smallest, hc.largest) == (5, 202.0, 210.0)
    assert hc.sd == pytest.approx(statistics.stdev([202, 204, 206, 208, 210]))


def test_at_the_end_of_a_cine_there_are_fewer_neighbours():
    hc = decided(loop([0.9, 0.2, 0.1, 0.1]))["", "HC"]
    assert (hc.frame, hc.count, hc.largest) == (1, 3, 204.0)


def test_frames_in_which_nothing_was_found_are_no_neighbours():
    frames = loop([0.1, 0.2, 0.3, 0.9, 0.3])
    assert decided([frames[0], frames[3]])["", "HC"].count == 1


@pytest.mark.parametrize(("how", "value"), [("best", 206.0), ("last", 190.0), ("median", 206.0)])
def test_beside_other_images_a_cine_is_one_of_them(how, value):
    cine = loop([0.1, 0.2, 0.3, 0.9, 0.3])
    stills = [finding("a", 210.0, quality=0.1), finding("b", 190.0, quality=0.8)]
    hc = decided([*cine, *stills], how)["", "HC"]
    assert (hc.value, hc.count, hc.smallest, hc.largest) == (value, 3, 190.0, 210.0)


def test_each_plane_of_a_cine_has_its_best_frame():
    frames = [
        finding("c", 200.0, frame=1, quality=0.9),
        finding("c", 150.0, plane="abdomen", frame=2, quality=0.2),
        finding("c", 160.0, plane="abdomen", frame=3, quality=0.3),
    ]
    found = decided(frames)
    assert (found["", "HC"].frame, found["", "AC"].frame) == (1, 3)


def test_all_frames_stay_listed():
    frames = loop([0.1, 0.9, 0.3])
    assert selecting.decide(frames, "best")[0] == tuple(frames)


# an abdomen may lack its diameters


def test_what_the_chosen_image_does_not_have_is_not_taken_from_another():
    some = [
        finding("a", 150.0, plane="abdomen", quality=0.9, names=("AC",)),
        finding("b", 160.0, plane="abdomen", quality=0.1),
    ]
    assert [name for _, name in decided(some)] == ["AC"]
    means = decided(some, "mean")
    assert means["", "AC"].count == 2
    assert (means["", "TAD"].count, means["", "TAD"].value) == (1, pytest.approx(160 / 3))


# flags


def test_the_flags_are_those_of_the_image_that_counts_or_of_all_that_make_the_mean():
    flagged = [
        finding("a", 200.0, quality=0.9, flags=("poor-fit", "tilted")),
        finding("b", 210.0, flags=("cut-by-edge", "tilted")),
    ]
    assert decided(flagged)["", "HC"].flags == ("poor-fit", "tilted")
    assert decided(flagged, "last")["", "HC"].flags == ("cut-by-edge", "tilted")
    assert decided(flagged, "mean")["", "HC"].flags == ("poor-fit", "tilted", "cut-by-edge")


@pytest.fixture
def seen(monkeypatch):
    """What is asked about sizes; HC and AC never go together."""
    asked = []

    def disagreeing(values_mm):
        asked.append(dict(values_mm))
        return {name: "why" for name in ("HC", "AC") if name in values_mm}

    monkeypatch.setattr(selecting, "disagreeing", disagreeing)
    return asked


SIZES = (
    finding("a", 200.0, quality=0.9, flags=("poor-fit",)),
    finding("b", 210.0),
    finding("c", 150.0, plane="abdomen"),
    finding("d", 40.0, plane="femur"),
)


def test_sizes_that_disagree_are_flagged_with_the_findings_they_came_from(seen):
    findings, selected = selecting.decide(SIZES, "best")
    assert [s.name for s in selected if "sizes-disagree" in s.flags] == ["HC", "AC"]
    flagged = {
        (f.source, m.name) for f in findings for m in f.measurements if "sizes-disagree" in m.flags
    }
    assert flagged == {("a", "HC"), ("c", "AC")}
    assert selected[0].flags == ("poor-fit", "sizes-disagree")
    assert [f.source for f in findings] == ["a", "b", "c", "d"]


def test_of_a_mean_all_that_made_it_are_flagged(seen):
    findings, _ = selecting.decide(SIZES, "mean")
    flagged = [f.source for f in findings if "sizes-disagree" in f.measurements[0].flags]
    assert flagged == ["a", "b", "c"]


def test_only_millimetres_of_one_fetus_are_compared(seen):
    selecting.decide(
        [finding("a", 200.0, fetus="A"), finding("b", 150.0, plane="abdomen", fetus="B"),
         finding("c", 900.0, plane="abdomen", fetus="A", unit="px")],
        "best",
    )  # fmt: skip
    assert [sorted(values) for values in seen] == [["BPD", "HC", "OFD"], ["AC", "APAD", "TAD"]]


def test_real_sizes_are_judged_by_the_published_ratios(monkeypatch):
    monkeypatch.undo()
    ages = [finding("a", 330.0), finding("b", 150.0, plane="abdomen")]  # 38 and 20 weeks
    selected = selecting.decide(ages, "best")[1]
    assert {s.name for s in selected if "sizes-disagree" in s.flags} == {"HC", "AC"}
    same = [finding("a", 172.5), finding("b", 147.7, plane="abdomen")]  # both 20 weeks
    assert not any("sizes-disagree" in s.flags for s in selecting.decide(same, "best")[1])


def test_an_unknown_way_to_choose_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError, match=r"--select worst: unknown; allowed: best, median, last, m"
    ):
        Settings(select="worst")
