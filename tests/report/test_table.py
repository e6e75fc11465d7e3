import csv
import io
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.report.table import hc18_csv, measurements_csv, summary_csv
from tests.report.examples import abdomen, exam, femur, full_exam, head, selected
from tests.support import data_dir, needs_data


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_measurement_columns_are_those_promised():
    assert measurements_csv(exam()) == (
        "source,frame,plane,plane_probability,name,value_mm,value_px,low_mm,high_mm,"
        "mm_per_px_row,mm_per_px_col,spacing_source,convention,flags,model,quality,fetus,exam,"
        "mm_per_slice,volume_ml\n"
    )


def test_a_row_holds_the_worked_numbers_of_a_circle():
    # a circle of 100 px at 0.1 mm: HC = 2 pi 10 mm
    circle = Ellipse((200.0, 300.0), (100.0, 100.0), 0.0)
    text = measurements_csv(exam(head(circle, flags=("a", "b"), interval=(61.0, 64.125))))
    assert text.splitlines()[1] == (
        "scans/010_HC.png,1,head,0.9877,HC,62.83,628.32,61.00,64.12,0.1,0.1,csv,"
        "ellipse,a;b,head-test,1.0000,,,,"
    )
    assert [row["name"] for row in rows(text)] == ["HC", "BPD", "OFD"]
    assert [row["value_mm"] for row in rows(text)][1:] == ["20.00", "20.00"]


def test_without_spacing_every_millimetre_cell_is_empty_and_pixels_stay():
    circle = Ellipse((200.0, 300.0), (100.0, 100.0), 0.0)
    for row in rows(measurements_csv(exam(head(circle, mm=None, interval=(1.0, 2.0))))):
        empty = {key for key, cell in row.items() if cell == ""}
        assert empty == {
            *("value_mm", "low_mm", "high_mm"),
            *("mm_per_px_row", "mm_per_px_col", "spacing_source", "flags", "fetus", "exam"),
            *("mm_per_slice", "volume_ml"),
        }
        assert float(row["value_px"]) in (628.32, 200.0)


def test_spacing_has_six_significant_digits_per_axis():
    row = rows(measurements_csv(exam(head(mm=(0.0691358041432, 0.123456789)))))[0]
    assert (row["mm_per_px_row"], row["mm_per_px_col"]) == ("0.0691358", "0.123457")


def test_after_the_model_come_quality_fetus_and_the_exam_by_its_name_else_by_its_pseudonym():
    kept = replace(femur(fetus="B", quality=0.87654321), exam="0f1e")
    for name, shown in (("", "0f1e"), ("ward 3", "ward 3")):
        (row,) = rows(measurements_csv(exam(kept, name=name)))
        assert (row["quality"], row["fetus"], row["exam"]) == ("0.8765", "B", shown)


def test_the_rows_of_several_exams_stand_in_one_table():
    one, two = exam(head(), name="a"), exam(abdomen(), femur(), name="b")
    found = [(row["exam"], row["name"]) for row in rows(measurements_csv(one, two))]
    names = ["HC", "BPD", "OFD"], ["AC", "TAD", "APAD", "FL"]
    assert found == [*(("a", name) for name in names[0]), *(("b", name) for name in names[1])]


def test_summary_columns_are_those_promised():
    assert summary_csv(exam()) == (
        "exam,fetus,name,value,unit,low,high,how,count,sd,smallest,largest,source,frame,flags\n"
    )


def test_a_summary_row_holds_the_value_that_counts_and_its_repeats():
    ends = ((100.0, 200.0), (100.0, 500.0))  # 300 px at 0.1 mm
    kept = femur(ends, fetus="A", flags=("bent", "tilted"))
    entries = selected(kept, count=4, low=28.5, high=31.625)
    text = summary_csv(exam(kept, selected=entries, name="ward 3"))
    assert text.splitlines()[1:] == [
        "ward 3,A,FL,30.00,mm,28.50,31.62,best,4,1.25,29.40,30.30,femur.png,1,bent;tilted"
    ]


def test_a_summary_cell_is_empty_where_there_is_no_such_number():
    (row,) = rows(summary_csv(exam(selected=selected(femur(), how="mean"))))
    empty = {key for key, cell in row.items() if cell == ""}
    assert empty == {"exam", "fetus", "low", "high", "sd", "source", "frame", "flags"}


def test_values_in_pixels_say_so_in_the_summary():
    found = rows(summary_csv(exam(selected=selected(head(mm=None)))))
    assert [(row["name"], row["unit"]) for row in found] == [
        ("HC", "px"), ("BPD", "px"), ("OFD", "px"),
    ]  # fmt: skip


def test_sources_survive_as_given():
    source = '=cmd("x"), köln/中.png'
    assert {row["source"] for row in rows(measurements_csv(exam(head(source=source))))} == {source}


def test_hc18_takes_heads_with_a_spacing_only():
    text = hc18_csv(exam(head(), head(mm=None), abdomen(), femur()))
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
    for text in (function(full_exam()) for function in (measurements_csv, summary_csv, hc18_csv)):
        assert text.endswith("\n")
        assert "\r" not in text
