"""Fetal Planes: its layout, ellipses from landmarks, and what is known of the real images."""

import collections
import csv

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError, MeasurementError
from fetometry.training.data import MANIFEST, fetal_planes, load, read_manifest, write_manifest
from fetometry.training.data.fetal_planes import ellipse_of
from tests.support import data_dir, needs_data

HEADER = [
    "image", "plane", "brain_plane", "patient", "us_machine", "width", "height", "mm_per_px",
    "suspect",
    *(f"{n}_{k}_{x}" for n in ("ofd", "bpd", "tad", "apad", "fl") for k in (1, 2) for x in "xy"),
]  # fmt: skip

HEAD = {
    "image": "images/head.jpg", "plane": "Fetal brain", "brain_plane": "Trans-thalamic",
    "patient": "7", "us_machine": "Aloka", "mm_per_px": "0.25",
    "ofd_1_x": "10", "ofd_1_y": "50", "ofd_2_x": "110", "ofd_2_y": "50",
    "bpd_1_x": "60", "bpd_1_y": "10", "bpd_2_x": "60", "bpd_2_y": "90",
}  # fmt: skip
ABDOMEN = {
    "image": "images/abdomen.jpg", "plane": "Fetal abdomen", "patient": "7", "mm_per_px": "0.5",
    "tad_1_x": "20", "tad_1_y": "40", "tad_2_x": "80", "tad_2_y": "40",
    "apad_1_x": "50", "apad_1_y": "5", "apad_2_x": "50", "apad_2_y": "75",
}  # fmt: skip
FEMUR = {
    "image": "images/femur.jpg", "plane": "Fetal femur", "patient": "8", "mm_per_px": "0.2",
    "fl_1_x": "30", "fl_1_y": "40", "fl_2_x": "60", "fl_2_y": "80",
}  # fmt: skip
THORAX = {"image": "images/thorax.jpg", "plane": "Fetal thorax", "patient": "9"}


def points(*row_cols):
    return np.array(row_cols, float)


def diameter(center, length, angle_deg):
    """Two ends (2, 2) of a diameter; the angle is from the columns towards the rows."""
    angle = np.radians(angle_deg)
    half = length / 2 * np.array([np.sin(angle), np.cos(angle)])
    return np.array([center - half, center + half])


def turned(ellipse, angle_deg):
    """How far, in degrees, the long axis is from a direction."""
    return (ellipse.angle_deg - angle_deg + 90) % 180 - 90


def test_diameters_at_right_angles_are_the_axes():
    found = ellipse_of(points((50, 10), (50, 110)), points((10, 60), (90, 60)))
    assert found.center == (50.0, 60.0)
    assert found.semi_axes == (50.0, 40.0)
    assert turned(found, 0) == pytest.approx(0)


def test_the_longer_diameter_is_the_long_axis_whichever_comes_first():
    one, other = points((50, 10), (50, 110)), points((10, 60), (90, 60))
    assert ellipse_of(other, one) == ellipse_of(one, other)
    longer_short = ellipse_of(points((50, 30), (50, 90)), points((10, 60), (90, 60)))
    assert longer_short.semi_axes == (40.0, 30.0)
    assert turned(longer_short, 90) == pytest.approx(0)


@pytest.mark.parametrize("angle", [0, 25, 150])
@pytest.mark.parametrize("off", [-19, 0, 12])
@pytest.mark.parametrize("lengths", [(100, 80), (80, 100)])
def test_the_axes_are_as_long_as_the_diameters_and_share_out_what_is_off(angle, off, lengths):
    center = np.array([70.0, 90.0])
    one, other = diameter(center, lengths[0], angle), diameter(center, lengths[1], angle + 90 + off)
    found = ellipse_of(one, other)
    assert 2 * np.array(found.semi_axes) == pytest.approx((100, 80))
    assert found.center == pytest.approx(center)
    # two directions, `off` from each other, each weighing as its squared length
    a, b, wide = *np.square(lengths), np.radians(off)
    share = np.degrees(np.arctan2(b * np.sin(wide), a + b * np.cos(wide)))
    along = angle + share if lengths[0] > lengths[1] else angle + share + 90
    assert turned(found, along) == pytest.approx(0, abs=1e-9)


def squares(center, axes, angle, one, other):
    """The squared distances of four landmarks from the ends of axes in a direction."""
    ends = [diameter(center, axes[0], angle), diameter(center, axes[1], angle + 90)]
    total = 0.0
    for drawn, marked in zip(ends, (one, other), strict=True):
        total += min(np.sum((drawn - marked) ** 2), np.sum((drawn[::-1] - marked) ** 2))
    return total


@pytest.mark.parametrize("seed", range(8))
def test_of_all_directions_the_ends_of_the_axes_lie_nearest_to_the_landmarks(seed):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 180)
    one = diameter(rng.normal(80, 2, 2), rng.uniform(100, 120), angle)
    other = diameter(rng.normal(80, 2, 2), rng.uniform(75, 110), angle + 90 + rng.uniform(-19, 19))
    axes = [np.linalg.norm(d[1] - d[0]) for d in (one, other)]
    found = ellipse_of(one, other)
    center = np.array(found.center)
    assert center == pytest.approx(np.concatenate([one, other]).mean(axis=0))
    own = found.angle_deg if axes[0] >= axes[1] else found.angle_deg + 90
    best = squares(center, axes, own, one, other)
    for degrees in np.arange(0, 180, 0.5):
        assert best <= squares(center, axes, degrees, one, other) + 1e-6


@pytest.mark.parametrize("first", [1, -1])
@pytest.mark.parametrize("second", [1, -1])
def test_the_order_of_a_diameter_s_ends_does_not_matter(first, second):
    one, other = diameter(np.array([50, 60]), 100, 30), diameter(np.array([51, 59]), 80, 108)
    found, wanted = ellipse_of(one[::first], other[::second]), ellipse_of(one, other)
    assert found.center == pytest.approx(wanted.center)
    assert found.semi_axes == pytest.approx(wanted.semi_axes)
    assert turned(found, wanted.angle_deg) == pytest.approx(0, abs=1e-9)


def test_a_diameter_without_a_length_is_no_ellipse():
    with pytest.raises(MeasurementError, match="not an ellipse"):
        ellipse_of(points((5, 5), (5, 5)), points((1, 5), (9, 5)))


@pytest.fixture
def folder(tmp_path):
    """Write rows of the table, and a picture for each."""

    def written(*records):
        (tmp_path / "images").mkdir(exist_ok=True)
        for record in records:
            assert cv2.imwrite(str(tmp_path / record["image"]), np.eye(99, dtype=np.uint8) * 200)
        with (tmp_path / fetal_planes.TABLE).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, HEADER, restval="")
            writer.writeheader()
            writer.writerows(records)
        return tmp_path

    return written


def test_the_table_s_x_and_y_become_row_and_column(folder):
    found = load("fetal_planes", folder(HEAD, ABDOMEN, FEMUR, THORAX))
    head, abdomen, femur, thorax = found
    assert [r.plane for r in found] == ["head", "abdomen", "femur", "none"]
    assert [r.group for r in found] == ["7", "7", "8", "9"]
    assert {r.dataset for r in found} == {"fetal_planes"}
    assert head.image == head.image.parents[1] / "images" / "head.jpg"
    assert (head.ellipse.center, head.ellipse.semi_axes) == ((50, 60), (50, 40))
    assert turned(head.ellipse, 0) == pytest.approx(0)
    assert (head.view, head.machine, head.ends) == ("trans-thalamic", "Aloka", None)
    assert (abdomen.ellipse.semi_axes, abdomen.ends) == ((35, 30), ((40, 20), (40, 80)))
    assert (femur.ellipse, femur.ends) == (None, ((40, 30), (80, 60)))
    assert (thorax.ellipse, thorax.ends, thorax.spacing_mm) == (None, None, None)


def test_the_truth_is_what_the_callipers_give(folder):
    head, abdomen, femur = fetal_planes.rows(folder(HEAD, ABDOMEN, FEMUR))
    assert head.spacing_mm == (0.25, 0.25)
    assert head.truth_mm["OFD"] == pytest.approx(25)
    assert head.truth_mm["BPD"] == pytest.approx(20)
    assert (abdomen.truth_mm["TAD"], abdomen.truth_mm["APAD"]) == pytest.approx((30, 35))
    assert femur.truth_mm == {"FL": pytest.approx(10)}


@pytest.mark.parametrize(
    ("brain_plane", "view", "name"),
    [
        ("Trans-thalamic", "trans-thalamic", "head"),
        ("Trans-ventricular", "trans-ventricular", "head"),
        ("Trans-cerebellum", "trans-cerebellar", "head:trans-cerebellar"),
    ],
)
def test_the_views_of_a_brain_are_told_apart(brain_plane, view, name, folder):
    (found,) = fetal_planes.rows(folder({**HEAD, "brain_plane": brain_plane}))
    assert (found.view, found.plane_class) == (view, name)


def test_suspect_rows_and_brains_in_no_standard_view_are_left_out(folder):
    odd = {**HEAD, "brain_plane": "Other"}
    other = {"image": "images/other.jpg", "plane": "Other", "brain_plane": "Other", "patient": "9"}
    found = fetal_planes.rows(folder({**HEAD, "suspect": "1"}, odd, FEMUR, other))
    assert [row.plane for row in found] == ["femur", "none"]


@pytest.mark.parametrize(
    ("plane", "kind"),
    [
        ("Fetal brain", "head/plane-only"),
        ("Fetal abdomen", "abdomen/plane-only"),
        ("Fetal femur", "femur/plane-only"),
        ("Fetal thorax", "none"),
        ("Maternal cervix", "none"),
        ("Other", "none"),
    ],
)
def test_an_image_without_landmarks_serves_to_tell_its_plane(plane, kind, folder):
    brain = "Trans-ventricular" if plane == "Fetal brain" else "Not A Brain"
    (found,) = fetal_planes.rows(folder({**THORAX, "plane": plane, "brain_plane": brain}))
    assert found.kind == f"fetal_planes/{kind}"
    assert found.truth_mm == {}


def test_images_that_are_not_there_are_left_out(folder):
    made = folder(HEAD, FEMUR)
    (made / HEAD["image"]).unlink()
    assert [row.plane for row in fetal_planes.rows(made)] == ["femur"]


@pytest.mark.parametrize(
    ("record", "changes", "reason"),
    [
        (HEAD, {"ofd_1_x": "left"}, "could not convert"),
        (HEAD, {"bpd_2_y": ""}, "could not convert"),
        (HEAD, {"ofd_1_y": ""}, "could not convert"),
        (HEAD, {"mm_per_px": ""}, "could not convert"),
        (HEAD, {"mm_per_px": "0"}, "spacing must be"),
        (HEAD, {"mm_per_px": "nan"}, "spacing must be"),
        (FEMUR, {"mm_per_px": "9"}, "spacing must be"),
        (FEMUR, {"fl_2_x": "nan"}, "fl must be two points apart"),
        (FEMUR, {"fl_2_x": "30", "fl_2_y": "40"}, "fl must be two points apart"),
        (ABDOMEN, {"plane": "Fetal foot"}, "lacks 'Fetal foot'"),
    ],
)
def test_a_cell_that_is_wrong_is_refused_with_its_line(record, changes, reason, folder):
    made = folder(THORAX, {**record, **changes})
    with pytest.raises(DataError, match=rf"manifest\.csv, line 3: {reason}"):
        fetal_planes.rows(made)


def test_a_column_that_is_missing_is_refused_by_name(folder):
    made = folder(FEMUR)
    table = made / fetal_planes.TABLE
    table.write_text(table.read_text().replace("us_machine", "machine"))
    with pytest.raises(DataError, match="lacks 'us_machine'"):
        fetal_planes.rows(made)


def test_a_folder_that_is_not_fetal_planes_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="is this the Fetal Planes folder"):
        fetal_planes.rows(tmp_path)
    made = folder(FEMUR)
    (made / FEMUR["image"]).unlink()
    with pytest.raises(DataError, match="none of the images"):
        fetal_planes.rows(made)


def test_its_own_manifest_is_not_taken_for_a_prepared_one_and_the_other_way_round(folder):
    made = folder(HEAD, ABDOMEN, FEMUR, THORAX)
    own = load("fetal_planes", made)
    prepared = made / "prepared"
    write_manifest(own, prepared / MANIFEST)
    found = load("fetal_planes", prepared)
    assert [row.truth_mm for row in found] == [pytest.approx(row.truth_mm, abs=1e-4) for row in own]
    with pytest.raises(DataError, match="columns are missing"):
        read_manifest(made / MANIFEST)


@pytest.fixture(scope="module")
def real():
    return load("fetal_planes", data_dir() / "fetal_planes")


@needs_data
def test_the_real_table_has_so_many_images_of_each_kind(real):
    assert collections.Counter(row.kind.partition("/")[2] for row in real) == {
        "head": 281,
        "abdomen": 287,
        "femur": 177,
        "head/plane-only": 241,
        "abdomen/plane-only": 9,
        "femur/plane-only": 68,
        "none": 408 + 15 + 36,
    }
    assert sum(row.view == "trans-cerebellar" for row in real) == 106


@needs_data
def test_every_real_image_with_a_truth_has_all_of_its_measurements(real):
    names = {"head": {"HC", "BPD", "OFD"}, "abdomen": {"AC", "TAD", "APAD"}, "femur": {"FL"}}
    for row in real:
        known = row.ellipse is not None or row.ends is not None
        assert set(row.truth_mm) == (names[row.plane] if known else set())


@needs_data
@pytest.mark.parametrize(("name", "low", "high"), [("HC", 70, 380), ("AC", 60, 400), ("FL", 7, 82)])
def test_the_real_measurements_are_of_the_size_of_a_fetus(name, low, high, real):
    values = [row.truth_mm[name] for row in real if name in row.truth_mm]
    assert low < min(values) < max(values) < high


@needs_data
def test_the_circumference_is_that_of_the_landmarks_own_diameters(real):
    with (data_dir() / "fetal_planes" / "manifest.csv").open(newline="") as stream:
        table = {record["image"]: record for record in csv.DictReader(stream)}
    for row in [row for row in real if row.plane == "abdomen" and row.truth_mm][::10]:
        record = table[f"images/{row.image.name}"]
        mm = float(record["mm_per_px"])
        for name in ("TAD", "APAD"):
            x1, y1, x2, y2 = (
                float(record[f"{name.lower()}_{end}_{axis}"]) for end in "12" for axis in "xy"
            )
            assert row.truth_mm[name] == pytest.approx(mm * np.hypot(x2 - x1, y2 - y1), abs=1e-6)


@needs_data
def test_no_real_patient_is_on_two_sides_whatever_the_planes(real):
    sides, planes = collections.defaultdict(set), collections.defaultdict(set)
    for row in real:
        sides[row.group].add((row.split, *(row.split_in_fold(fold, 5) for fold in range(5))))
        planes[row.group].add(row.plane)
    assert sum(len(found) > 1 for found in planes.values()) > 100
    assert all(len(found) == 1 for found in sides.values())


@needs_data
def test_every_plane_is_on_every_side_of_the_real_split(real):
    known = [row for row in real if row.truth_mm]
    sides = {(row.split, row.plane) for row in known}
    assert len(sides) == 3 * 3
    for fold in range(5):
        assert {(row.split_in_fold(fold, 5), row.plane) for row in known} == sides
