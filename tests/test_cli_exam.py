"""Exams on the command line: planes, choices, twins, patients, and what the exit code says."""

import csv

import pytest

from fetometry.geometry import Ellipse
from tests.conftest import (
    ABDOMEN,
    HEAD,
    cine,
    dataset,
    exam_of,
    files_in,
    painted,
    save,
    save_dicom,
    save_exam,
    table,
)


def scaled(factor, plane="head"):
    a, b = HEAD.semi_axes
    return painted(Ellipse(HEAD.center, (factor * a, factor * b), HEAD.angle_deg), plane=plane)


def summary(out):
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


HC = HEAD.scaled(0.3, 0.3).circumference


# planes


def test_three_planes_and_an_image_of_none_are_exit_0_and_the_latter_is_listed(
    three_planes, run, tmp_path
):
    images, out = save_exam(tmp_path / "in"), tmp_path / "out"
    code, printed = run("measure", tmp_path / "in", "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    assert [row["name"] for row in summary(out)] == ["HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"]
    assert f"not measured: {images['none']}: shows none of the planes" in printed
    assert "refused" not in printed
    (problem,) = exam_of(out)["problems"]
    assert (problem["source"], problem["kind"]) == (str(images["none"]), "other-plane")


def test_images_of_no_plane_alone_are_exit_1(three_planes, run, tmp_path):
    image = save(tmp_path / "none.png", painted(plane="none"))
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", tmp_path / "out")
    assert code == 1
    assert "not measured" in printed


def test_a_refusal_beside_an_image_of_no_plane_is_exit_1(three_planes, run, tmp_path):
    save_exam(tmp_path / "in")
    (tmp_path / "in" / "bad.png").write_bytes(b"")
    code, printed = run(
        "measure", tmp_path / "in", "--mm-per-px", 0.3, "--out", tmp_path / "out"
    )  # fmt: skip
    assert code == 1
    assert "not measured" in printed
    assert "refused" in printed


def test_a_plane_that_is_insisted_on_is_measured(three_planes, run, tmp_path):
    image, out = save(tmp_path / "x.png", painted(ABDOMEN, plane="none")), tmp_path / "out"
    code, _ = run("measure", image, "--mm-per-px", 0.3, "--plane", "abdomen", "--out", out)
    assert code == 0
    assert [row["name"] for row in table(out)] == ["AC", "TAD", "APAD"]
    assert {row["plane"] for row in table(out)} == {"abdomen"}


def test_intervals_are_shown_and_written(three_planes, run, tmp_path):
    image, out = save(tmp_path / "x.png"), tmp_path / "out"
    _, printed = run("measure", image, "--mm-per-px", 0.3, "--out", out)
    row = summary(out)[0]
    low, high = float(row["low"]), float(row["high"])
    assert (low, high) == pytest.approx((HC / 1.02, HC / 0.98), rel=3e-3)
    assert f"{low:.1f} to {high:.1f}" in printed
    assert "95 % interval" in printed


# which of several images counts


@pytest.mark.parametrize(
    ("select", "factor"), [("median", 1.0), ("last", 0.9), ("mean", 1.0), ("best", 0.9)]
)
def test_of_several_images_one_counts_with_their_spread(
    select, factor, bright, run, tmp_path, monkeypatch
):
    # the smallest is the best: the others are flagged
    for name, size in (("a", 1.1), ("b", 1.0), ("c", 0.9)):
        save(tmp_path / "in" / f"{name}.png", scaled(size))
    qualities = {"a": 0.2, "b": 0.3, "c": 0.9}
    rate(monkeypatch, qualities)
    out = tmp_path / "out"
    code, printed = run(
        "measure", tmp_path / "in", "--mm-per-px", 0.3, "--select", select, "--out", out
    )  # fmt: skip
    assert code == 0
    hc = summary(out)[0]
    assert float(hc["value"]) == pytest.approx(factor * HC, rel=3e-3)
    assert (hc["how"], hc["count"]) == (select, "3")
    assert float(hc["smallest"]) == pytest.approx(0.9 * HC, rel=3e-3)
    assert float(hc["largest"]) == pytest.approx(1.1 * HC, rel=3e-3)
    assert f"{select} of 3 ±{float(hc['sd']):.1f}" in printed
    assert len(table(out)) == 9


def rate(monkeypatch, qualities):
    """Give findings a quality by the stem of their image, or by their frame."""
    from dataclasses import replace
    from pathlib import Path

    from fetometry.pipeline import frames

    true = frames.measure_plane

    def rated(image, prediction, spacing):
        finding = true(image, prediction, spacing)
        key = image.frame if image.frame in qualities else Path(image.source).stem
        return replace(finding, quality=qualities[key])

    monkeypatch.setattr(frames, "measure_plane", rated)


def test_of_a_cine_the_best_frame_counts_and_all_are_listed(bright, run, tmp_path, monkeypatch):
    sizes = (0.8, 0.9, 1.0, 1.1, 1.2, 0.7)
    rate(monkeypatch, {k + 1: q for k, q in enumerate((0.1, 0.2, 0.9, 0.3, 0.2, 0.1))})
    loop = save_dicom(tmp_path / "loop.dcm", cine([scaled(size) for size in sizes]))
    out = tmp_path / "out"
    code, printed = run("measure", loop, "--out", out)
    assert code == 0
    hc = summary(out)[0]
    assert (hc["frame"], hc["count"]) == ("3", "5")
    assert float(hc["value"]) == pytest.approx(HC, rel=3e-3)
    assert float(hc["smallest"]) == pytest.approx(0.8 * HC, rel=3e-3)  # not the last frame
    assert [row["frame"] for row in table(out)[::3]] == list("123456")
    assert "frame 6" in printed


# twins


def test_twins_of_a_table_have_their_own_values(bright, run, tmp_path):
    for name, size in (("a", 1.0), ("b", 0.8), ("c", 0.9)):
        save(tmp_path / "in" / f"{name}.png", scaled(size))
    csv_file, out = tmp_path / "twins.csv", tmp_path / "out"
    csv_file.write_text("image,mm_per_px,fetus\na,0.3,A\nb,0.3,B\nc,0.3,A\n")
    code, printed = run("measure", tmp_path / "in", "--spacing", csv_file, "--out", out)
    assert code == 0
    counts = {(row["fetus"], row["name"]): row["count"] for row in summary(out)}
    assert counts["A", "HC"] == "2"
    assert counts["B", "HC"] == "1"
    assert {row["fetus"] for row in table(out)} == {"A", "B"}
    assert "head A" in printed
    assert "head B" in printed


def test_a_table_of_twins_leaves_the_spacing_to_where_it_comes_from(bright, run, tmp_path):
    csv_file = tmp_path / "twins.csv"
    csv_file.write_text("image,fetus\na,A\n")
    save_dicom(tmp_path / "in" / "a.dcm")
    code, _ = run("measure", tmp_path / "in", "--spacing", csv_file, "--out", tmp_path / "one")
    assert code == 0
    assert {row["spacing_source"] for row in table(tmp_path / "one")} == {"dicom-region-1"}
    image = save(tmp_path / "a.png")
    code, _ = run(
        "measure", image, "--spacing", csv_file, "--mm-per-px", 0.3, "--out", tmp_path / "two"
    )  # fmt: skip
    assert code == 0
    assert {(row["fetus"], row["spacing_source"]) for row in table(tmp_path / "two")} == {
        ("A", "given")
    }


def test_the_twin_of_a_call_is_that_of_all_images(bright, run, tmp_path):
    save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    code, _ = run(
        "measure", tmp_path / "in", "--mm-per-px", 0.3, "--fetus", "B", "--out", out
    )  # fmt: skip
    assert code == 0
    assert {row["fetus"] for row in summary(out)} == {"B"}


# the ruler


def test_a_ruler_that_is_drawn_in_the_picture_gives_its_millimetres(bright, run, tmp_path):
    pixels = painted()
    for number, row in enumerate(range(10, 260, 20)):  # 5 mm each, every second one longer
        pixels[row : row + 2, 2 : 14 if number % 2 else 8] = 255
    image, out = save(tmp_path / "a.png", pixels), tmp_path / "out"
    code, _ = run("measure", image, "--spacing", "ruler", "--out", out)
    assert code == 0
    (source,) = {row["spacing_source"] for row in table(out)}
    assert source.startswith("ruler-left")
    assert "confidence" in source
    assert float(table(out)[0]["mm_per_px_row"]) == pytest.approx(0.25, rel=0.02)


# patients


def test_two_studies_in_one_folder_are_two_exams(bright, run, tmp_path):
    save_dicom(tmp_path / "in" / "a.dcm", dataset(scaled(1.0)))
    save_dicom(tmp_path / "in" / "b.dcm", dataset(scaled(0.8), PatientID="2"))
    out = tmp_path / "out"
    code, printed = run("measure", tmp_path / "in", "--out", out)
    assert code == 0
    names = {row["exam"] for row in summary(out)}
    assert len(names) == 2
    assert all(name.startswith("study-") and name in printed for name in names)
    assert {row["count"] for row in summary(out)} == {"1"}
    assert files_in(out / "exams") == {f"{n}.{s}" for n in names for s in ("json", "png")}


def test_many_exams_are_summed_up(bright, run, tmp_path):
    for number in range(12):
        save(tmp_path / "in" / f"p{number:02}" / "a.png")
    code, printed = run("measure", tmp_path / "in", "--mm-per-px", 0.3, "--out", tmp_path / "out")
    assert code == 0
    assert "12 measured, HC" in printed
    assert "12 exams: the values that count in each are in summary.csv" in printed
    assert "p03" not in printed
