import csv
import io
import math

import cv2
import numpy as np
import pytest

from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.report.table import hc18_csv, measurements_csv
from tests.report.examples import exam, full_exam, head
from tests.support import data_dir, needs_data


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_measurement_columns_are_those_promised():
    assert measurements_csv(exam()) == (
        "source,frame,plane,plane_probability,name,value_mm,value_px,low_mm,high_mm,"
        "mm_per_px_row,mm_per_px_col,spacing_source,convention,flags,model\n"
    )


def test_a_row_holds_the_worked_numbers_of_a_circle():
    # a circle of 100 px at 0.1 mm: HC = 2 pi 10 mm
    circle = Ellipse((200.0, 300.0), (100.0, 100.0), 0.0)
    text = measurements_csv(exam(head(circle, flags=("a", "b"), interval=(61.0, 64.125))))
    assert text.splitlines()[1] == (
        "scans/010_HC.png,1,head,0.9877,HC,62.83,628.32,61.00,64.12,0.1,0.1,csv,"
        "ellipse,a;b,head-test"
    )
    assert [row["name"] for row in rows(text)] == ["HC", "BPD", "OFD"]
    assert [row["value_mm"] for row in rows(text)][1:] == ["20.00", "20.00"]


def test_without_spacing_every_millimetre_cell_is_empty_and_pixels_stay():
    circle = Ellipse((200.0, 300.0), (100.0, 100.0), 0.0)
    for row in rows(measurements_csv(exam(head(circle, mm=None, interval=(1.0, 2.0))))):
        empty = {key for key, cell in row.items() if cell == ""}
        assert empty == {
            *("value_mm", "low_mm", "high_mm"),
            *("mm_per_px_row", "mm_per_px_col", "spacing_source", "flags"),
        }
        assert float(row["value_px"]) in (628.32, 200.0)


def test_spacing_has_six_significant_digits_per_axis():
    row = rows(measurements_csv(exam(head(mm=(0.0691358041432, 0.123456789)))))[0]
    assert (row["mm_per_px_row"], row["mm_per_px_col"]) == ("0.0691358", "0.123457")


def test_sources_survive_as_given():
    source = '=cmd("x"), köln/中.png'
    assert {row["source"] for row in rows(measurements_csv(exam(head(source=source))))} == {source}


def test_hc18_takes_heads_with_a_spacing_only():
    text = hc18_csv(exam(head(), head(mm=None), head(plane="abdomen")))
    header, *lines = text.splitlines()
    assert header == "filename,center_x_mm,center_y_mm,semi_axes_a_mm,semi_axes_b_mm,angle_rad"
    assert len(lines) == 1


def test_hc18_gives_x_before_y_in_mm_from_the_centre_of_the_first_pixel():
    ellipse = Ellipse((100.0, 250.0), (80.0, 60.0), 45.0)
    line = hc18_csv(exam(head(ellipse, source="set/012_2HC.webp", mm=(0.2, 0.2)))).splitlines()[1]
    assert line == f"012_2HC.png,50.000000,20.000000,16.000000,12.000000,{math.pi / 4:.6f}"


def test_hc18_turns_and_stretches_the_ellipse_with_unequal_spacings():
    # long along the columns in pixels (80 x 60), long along the rows in mm (8 x 12)
    ellipse = Ellipse((100.0, 250.0), (80.0, 60.0), 0.0)
    row = rows(hc18_csv(exam(head(ellipse, mm=(0.2, 0.1)))))[0]
    numbers = [float(row[key]) for key in row if key != "filename"]
    assert numbers == pytest.approx([25.0, 20.0, 12.0, 8.0, math.pi / 2], abs=1e-6)


@needs_data
def test_the_ellipse_of_hc18_csv_redraws_the_annotation_and_its_hc():
    folder = data_dir() / "hc18"
    with (folder / "training_set_pixel_size_and_HC.csv").open() as file:
        known = {row["filename"]: row for row in csv.DictReader(file)}
    for name in ("010_HC", "300_HC", "700_HC"):
        truth = known[f"{name}.png"]
        mm = float(truth["pixel size(mm)"])
        drawn = cv2.imread(str(folder / "training_set" / f"{name}_Annotation.png"), 0) > 127
        ellipse = fit_ellipse(np.argwhere(drawn).astype(float)).ellipse
        row = rows(hc18_csv(exam(head(ellipse, source=f"{name}.webp", mm=(mm, mm)))))[0]
        assert row["filename"] == f"{name}.png"
        x, y, a, b, angle = (float(row[key]) / mm for key in row if key != "filename")
        # OpenCV's own ellipse, drawn from the row, lies on the annotation
        redrawn = np.zeros(drawn.shape, np.uint8)
        box = ((x, y), (2 * a, 2 * b), math.degrees(angle * mm))
        cv2.ellipse(redrawn, box, 255, 1)
        near = cv2.dilate(drawn.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert np.mean(near[redrawn > 0]) > 0.99
        hc = Ellipse((0.0, 0.0), (a * mm, b * mm), 0.0).circumference
        assert hc == pytest.approx(float(truth["head circumference (mm)"]), abs=0.1)


def test_every_line_ends_with_a_bare_newline():
    for text in (measurements_csv(full_exam()), hc18_csv(full_exam())):
        assert text.endswith("\n")
        assert "\r" not in text
