"""What the command line prints, writes and returns."""

import csv
import math
import os
import subprocess
import sys

import pytest

from fetometry import __version__
from fetometry.geometry import Ellipse
from tests.conftest import (
    HEAD,
    dataset,
    exam_of,
    files_in,
    painted,
    save,
    save_dicom,
    table,
)
from tests.support import data_dir, needs_data

COMMANDS = (
    (),
    ("measure",),
    ("demo",),
    ("phantom",),
    ("phantom", "head"),
    ("phantom", "abdomen"),
    ("phantom", "femur"),
    ("phantom", "femur3d"),
    ("doctor",),
    ("models",),
    ("evaluate",),
    ("table",),
    ("compare",),
    ("prepare",),
    ("train",),
    ("export",),
    ("export-data",),
    ("sweep",),
    ("reproduce",),
    ("collect",),
    ("systems",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command, run):
    code, printed = run(*command, "--help")
    assert code == 0
    assert "Usage:" in printed


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"fetometry {__version__}\n")


def test_a_measured_image_is_exit_0_and_its_numbers_are_the_drawn_ones(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    truth = HEAD.scaled(0.3, 0.3)
    expected = {
        "HC": truth.circumference,
        "BPD": 2 * truth.semi_axes[1],
        "OFD": 2 * truth.semi_axes[0],
    }
    assert {row["name"]: float(row["value_mm"]) for row in table(out)} == pytest.approx(
        expected, rel=2e-3
    )
    assert {row["source"] for row in table(out)} == {str(image)}
    assert {row["spacing_source"] for row in table(out)} == {"given"}
    assert f"{expected['HC']:.0f}." in printed
    assert exam_of(out)["software"] == f"fetometry {__version__} (bright 1.0 cpu)"
    written = "overlays, exam.png, exam.json, measurements.csv, summary.csv"
    assert f"written to {out}: {written}\n" in printed


def test_row_and_column_spacing_are_not_mixed_up(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    code, _ = run("measure", image, "--mm-per-px", "0.2,0.4", "--out", out)
    assert code == 0
    truth = HEAD.scaled(0.2, 0.4)
    hc = table(out)[0]
    assert (hc["mm_per_px_row"], hc["mm_per_px_col"]) == ("0.2", "0.4")
    assert float(hc["value_mm"]) == pytest.approx(truth.circumference, rel=2e-3)


def test_a_calibrated_dicom_file_needs_no_spacing(bright, run, tmp_path):
    image, out = save_dicom(tmp_path / "head.dcm", dataset(mm=(0.25, 0.35))), tmp_path / "out"
    code, _ = run("measure", image, "--out", out)
    assert code == 0
    hc = table(out)[0]
    assert hc["spacing_source"] == "dicom-region-1"
    truth = HEAD.scaled(0.25, 0.35)
    assert float(hc["value_mm"]) == pytest.approx(truth.circumference, rel=2e-3)


def test_a_folder_is_searched_and_its_folders_are_kept(bright, run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "ward 1/a.png", "ward 2/deep/a.jpg", "ward 2/a_Annotation.png"):
        save(folder / name)
    code, printed = run("measure", folder, "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    assert [(row["exam"], row["source"]) for row in table(out)[::3]] == [
        ("in", f"{folder}/a.png"),
        ("ward 1", f"{folder}/ward 1/a.png"),
        ("deep", f"{folder}/ward 2/deep/a.jpg"),
    ]
    assert files_in(out / "overlays") == {
        "a_f1.png", "ward 1/a_f1.png", "ward 2/deep/a_f1.png",
    }  # fmt: skip
    assert files_in(out / "exams") == {
        "in.json", "in.png", "ward 1.json", "ward 1.png", "deep.json", "deep.png",
    }  # fmt: skip
    assert printed.count("\nward 1\n") == 1
    assert f"written to {out}: overlays, exams, measurements.csv, summary.csv\n" in printed


def test_measuring_again_does_not_measure_the_pictures_of_the_first_time(
    bright, run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png")
    for _ in range(2):
        code, _ = run("measure", ".", "--mm-per-px", 0.3)
        assert code == 0
        assert {row["source"] for row in table(tmp_path / "fetometry-out")} == {"a.png"}


def test_the_source_is_the_path_as_given(bright, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in" / "a.png")
    run("measure", "./in/../in/a.png", "--mm-per-px", 0.3)
    assert {row["source"] for row in table(tmp_path / "fetometry-out")} == {"in/../in/a.png"}


def test_images_of_one_name_from_several_paths_get_a_picture_each(bright, run, tmp_path):
    out = tmp_path / "out"
    paths = [save(tmp_path / name) for name in ("one/x.png", "two/x.png", "two/x.bmp")]
    code, _ = run("measure", *paths, "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    assert files_in(out / "overlays") == {
        "one/x_f1.png", "two/x.png_f1.png", "two/x.bmp_f1.png",
    }  # fmt: skip


def test_an_image_that_is_named_twice_is_measured_once(bright, run, tmp_path):
    image, out = save(tmp_path / "in" / "a.png"), tmp_path / "out"
    code, _ = run("measure", image.parent, image, image, "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    assert len(table(out)) == 3


def test_every_frame_is_measured_and_gets_a_picture(bright, run, tmp_path):
    made = dataset()
    smaller = Ellipse(HEAD.center, (90.0, 70.0), 20.0)
    made.NumberOfFrames = 2
    made.PixelData = painted().tobytes() + painted(smaller).tobytes()
    image, out = save_dicom(tmp_path / "cine.dcm", made), tmp_path / "out"
    code, printed = run("measure", image, "--out", out)
    assert code == 0
    frames = {row["frame"]: float(row["value_mm"]) for row in table(out) if row["name"] == "HC"}
    assert frames == pytest.approx(
        {
            "1": HEAD.scaled(0.3, 0.3).circumference,
            "2": smaller.scaled(0.3, 0.3).circumference,
        },
        rel=2e-3,
    )
    assert files_in(out / "overlays") == {"cine_f1.png", "cine_f2.png"}
    assert "frame 2" in printed


@pytest.mark.parametrize(
    ("kinds", "files"),
    [
        ("csv", {"measurements.csv"}),
        ("json, hc18", {"exam.json", "hc18.csv"}),
        ("summary", {"summary.csv"}),
        ("picture", {"exam.png"}),
        ("overlay", {"overlays/head_f1.png"}),
    ],
)
def test_only_what_was_asked_for_is_written(kinds, files, bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    code, _ = run("measure", image, "--mm-per-px", 0.3, "--out", out, "--write", kinds)
    assert code == 0
    assert files_in(out) == files


def test_the_challenge_file_gives_the_ellipse_back(bright, run, tmp_path):
    image, out = save(tmp_path / "010_HC.webp"), tmp_path / "out"
    run("measure", image, "--mm-per-px", "0.25,0.3", "--out", out, "--write", "hc18")
    header, line, rest = (out / "hc18.csv").read_text().split("\n")
    assert header == "filename,center_x_mm,center_y_mm,semi_axes_a_mm,semi_axes_b_mm,angle_rad"
    assert rest == ""
    name, *numbers = line.split(",")
    assert name == "010_HC.png"
    x, y, a, b, angle = map(float, numbers)
    read = Ellipse((y, x), (a, b), math.degrees(angle)).scaled(1 / 0.25, 1 / 0.3)
    assert read.center == pytest.approx(HEAD.center, abs=0.2)
    assert read.semi_axes == pytest.approx(HEAD.semi_axes, rel=3e-3)
    assert read.angle_deg == pytest.approx(HEAD.angle_deg, abs=0.5)


def test_hc18s_own_table_is_taken_as_it_is(bright, run, tmp_path):
    image, out, csv_file = save(tmp_path / "010_HC.webp"), tmp_path / "out", tmp_path / "own.csv"
    csv_file.write_text("filename,pixel size(mm),head circumference (mm)\n010_HC.png,0.3,1\n")
    code, _ = run("measure", image, "--spacing", csv_file, "--out", out)
    assert code == 0
    assert {row["spacing_source"] for row in table(out)} == {"table:own.csv"}


@needs_data
def test_hc18s_published_table_gives_its_pixel_size(bright, run, tmp_path):
    csv_file = data_dir() / "hc18" / "training_set_pixel_size_and_HC.csv"
    with csv_file.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if float(row["pixel size(mm)"]) > 0.15)
    image = save(tmp_path / row["filename"])
    code, _ = run("measure", image, "--spacing", csv_file, "--out", tmp_path, "--write", "json")
    assert code == 0
    (finding,) = exam_of(tmp_path)["findings"]
    assert finding["spacing_mm"] == [float(row["pixel size(mm)"])] * 2


@pytest.mark.slow
def test_a_name_that_is_not_text_is_measured_by_the_installed_command(shipped, tmp_path):
    name = os.fsdecode(b"k\xf6ln.png")
    try:
        save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    code = "import sys; sys.argv[0] = 'fetometry'; from fetometry.cli import main; main()"
    done = subprocess.run(
        [
            sys.executable, "-c", code, "measure", name, "--mm-per-px", "0.3", "--device", "cpu",
            "--model", "hc18-head",
        ],
        capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "fetometry-out" / "measurements.csv").is_file()
