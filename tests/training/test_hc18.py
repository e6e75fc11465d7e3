"""HC18: its published layout, and what is known of the real images."""

import csv

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.geometry import Ellipse, apply, distances_to, fit_ellipse, invert, letterbox
from fetometry.predict.decode import mask_outline, output_to_source
from fetometry.training.data import cache, hc18, load
from tests.support import data_dir, needs_data

SHAPE = (270, 400)
HEADS = {
    "000_HC": Ellipse((130.2, 200.4), (90.3, 70.1), 20.0),
    "001_HC": Ellipse((140.7, 190.6), (80.8, 60.2), 110.0),
    "001_2HC": Ellipse((128.0, 210.5), (100.0, 81.5), 75.0),
}
SPACING_MM = 0.31
SIZE = (256, 384)


def outline_picture(ellipse):
    """A white outline, one pixel wide, on black."""
    grid = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1).astype(float)
    away = distances_to(ellipse, grid.reshape(-1, 2)).reshape(SHAPE)
    return np.where(np.abs(away) < 0.5, 255, 0).astype(np.uint8)


def write(path, pixels):
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path):
    """Three heads of two exams in the published layout."""
    images = tmp_path / "training_set"
    images.mkdir()
    lines = ["filename,pixel size(mm),head circumference (mm)"]
    for name, head in HEADS.items():
        write(images / f"{name}.png", np.where(head.mask(SHAPE), 180, 20).astype(np.uint8))
        write(images / f"{name}_Annotation.png", outline_picture(head))
        lines.append(f"{name}.png,{SPACING_MM},{SPACING_MM * head.circumference:.2f}")
    (tmp_path / hc18.TABLE).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_published_layout_is_read(folder):
    rows = load("hc18", folder)
    assert [r.image.name for r in rows] == ["000_HC.png", "001_HC.png", "001_2HC.png"]
    assert [r.group for r in rows] == ["000", "001", "001"]
    assert {(r.dataset, r.plane, r.spacing_mm) for r in rows} == {
        ("hc18", "head", (SPACING_MM, SPACING_MM))
    }
    for row, head in zip(rows, HEADS.values(), strict=True):
        np.testing.assert_allclose(row.ellipse.center, head.center, atol=0.1)
        np.testing.assert_allclose(row.ellipse.semi_axes, head.semi_axes, atol=0.1)
        assert row.ellipse.angle_deg == pytest.approx(head.angle_deg, abs=0.5)
        assert row.reference_mm == pytest.approx(SPACING_MM * head.circumference, abs=0.005)


def test_lossless_webp_copies_are_found_under_the_names_of_the_table(folder):
    for path in sorted((folder / "training_set").glob("*HC.png")):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        write(path.with_suffix(".webp"), pixels)
        path.unlink()
    assert [r.image.suffix for r in hc18.rows(folder)] == [".webp"] * 3


def test_images_that_are_not_there_are_left_out(folder):
    (folder / "training_set" / "001_HC.png").unlink()
    assert [r.image.stem for r in hc18.rows(folder)] == ["000_HC", "001_2HC"]


def test_an_empty_line_at_the_end_of_the_table_is_no_image(folder):
    with (folder / hc18.TABLE).open("a") as stream:
        stream.write("\n")
    assert len(hc18.rows(folder)) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("000_HC.png,wide,44.3", "line 5: could not convert"),
        ("000_HC.png,0.1", "line 5: not enough values"),
        ("000_HC.png,nan,44.3", "line 5: spacing must be"),
    ],
)
def test_a_spoiled_line_of_the_table_is_refused_with_its_number(folder, line, reason):
    with (folder / hc18.TABLE).open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=reason):
        hc18.rows(folder)


def test_a_folder_that_is_not_hc18_is_refused(tmp_path):
    with pytest.raises(DataError, match="is this the HC18 folder"):
        hc18.rows(tmp_path)
    (tmp_path / hc18.TABLE).write_text("filename,a,b\n000_HC.png,0.1,44\n")
    with pytest.raises(DataError, match="none of the images"):
        hc18.rows(tmp_path)


def test_an_annotation_that_is_missing_or_blank_is_refused_by_name(folder):
    path = folder / "training_set" / "001_HC_Annotation.png"
    write(path, np.zeros(SHAPE, np.uint8))
    with pytest.raises(DataError, match=r"001_HC_Annotation\.png: an ellipse needs"):
        hc18.rows(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"001_HC_Annotation\.png: .* cannot be read"):
        hc18.rows(folder)


def test_the_cache_holds_the_pictures_where_its_matrices_say(folder, tmp_path):
    rows = hc18.rows(folder)
    stored = cache.load(rows, (128, 192), tmp_path / "cache")
    assert stored.pixels.shape == (3, 128, 192)
    np.testing.assert_array_equal(stored.shapes, [SHAPE] * 3)
    for pixels, matrix, head in zip(stored.pixels, stored.matrices, HEADS.values(), strict=True):
        np.testing.assert_allclose(matrix, letterbox(SHAPE, (128, 192)))
        rows_cols = np.argwhere(pixels > 100)
        np.testing.assert_allclose(
            rows_cols.mean(axis=0), apply(matrix, np.array([head.center]))[0], atol=0.1
        )


def test_the_cache_is_made_once_for_a_size(folder, tmp_path, monkeypatch):
    rows = hc18.rows(folder)
    first = cache.load(rows, (64, 96), tmp_path / "cache")
    monkeypatch.setattr(cache, "build", None)
    again = cache.load(rows, (64, 96), tmp_path / "cache")
    np.testing.assert_array_equal(first.pixels, again.pixels)
    with pytest.raises(TypeError):
        cache.load(rows, (32, 48), tmp_path / "cache")


@pytest.fixture(scope="module")
def heads():
    """Every row of the real HC18, and the shape of its image."""
    rows = hc18.rows(data_dir() / "hc18")
    annotations = (r.image.with_name(f"{r.image.stem}_Annotation.png") for r in rows)
    return [
        (row, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).shape)
        for row, path in zip(rows, annotations, strict=True)
    ]


def circumference_mm(ellipse, row):
    return ellipse.scaled(*row.spacing_mm).circumference


@needs_data
@pytest.mark.slow
def test_every_annotation_gives_the_published_head_circumference(heads):
    differences = np.array([circumference_mm(r.ellipse, r) - r.reference_mm for r, _ in heads])
    assert len(differences) == 898
    assert np.abs(differences).mean() < 0.01
    assert np.abs(differences).max() < 0.1
    assert abs(differences.mean()) < 0.005


def hard_logits(mapped, size):
    return np.where(mapped.mask(size), 1.0, -1.0)


def soft_logits(mapped, size):
    grid = np.stack(np.mgrid[: size[0], : size[1]], axis=-1).astype(float).reshape(-1, 2)
    share = np.clip(0.5 - distances_to(mapped, grid), 1e-3, 1 - 1e-3).reshape(size)
    return np.log(share / (1 - share))


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("draw", "stride"), [(hard_logits, 1), (soft_logits, 2)])
def test_a_perfect_mask_at_256_px_gives_every_head_to_a_tenth_of_a_millimetre(heads, draw, stride):
    differences = []
    for row, shape in heads:
        to_source = output_to_source(letterbox(shape, SIZE), stride)
        mapped = row.ellipse.transformed(invert(to_source))
        logits = draw(mapped, (SIZE[0] // stride, SIZE[1] // stride))
        found = fit_ellipse(mask_outline(logits, to_source, shape).points).ellipse
        differences.append(circumference_mm(found, row) - circumference_mm(row.ellipse, row))
    assert np.abs(differences).mean() < 0.03
    assert abs(np.mean(differences)) < 0.01
    assert np.abs(differences).max() < 0.2


@needs_data
def test_the_pixel_grid_contour_of_a_perfect_mask_is_a_millimetre_too_small(heads):
    differences = []
    for row, shape in heads[::10]:
        to_source = output_to_source(letterbox(shape, SIZE), 1)
        mask = row.ellipse.transformed(invert(to_source)).mask(SIZE).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # away from the rim, where the contour follows the picture's edge
        points = contours[0][:, 0, ::-1].astype(np.float64)
        points = points[((points > 1) & (points < np.array(SIZE) - 2)).all(axis=1)]
        found = fit_ellipse(apply(to_source, points)).ellipse
        differences.append(circumference_mm(found, row) - circumference_mm(row.ellipse, row))
    assert -1.3 < np.mean(differences) < -0.7


@needs_data
def test_no_exam_is_on_two_sides(heads):
    sides, stems = {}, set()
    for row, _ in heads:
        exam = row.image.stem.split("_")[0]
        sides.setdefault(exam, set()).add((row.split, row.split_in_fold(3, 5)))
        stems.add(row.image.stem)
    assert {"392_HC", "392_2HC"} <= stems
    assert len(sides) < len(stems)
    assert all(len(found) == 1 for found in sides.values())


@needs_data
def test_the_table_names_more_images_than_are_there(heads):
    with (data_dir() / "hc18" / hc18.TABLE).open(newline="") as stream:
        named = len(list(csv.reader(stream))) - 1
    assert len(heads) <= named
