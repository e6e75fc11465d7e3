"""What the command line prints, writes and returns."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from hashlib import sha256

import pytest

from fetometry import __version__
from fetometry.geometry import Ellipse
from fetometry.phantom import HeadPhantom
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
    ("doctor",),
    ("models",),
    ("evaluate",),
    ("table",),
    ("train",),
    ("export",),
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
    assert f"written to {out}: overlays, exam.json, measurements.csv\n" in printed


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
    code, _ = run("measure", folder, "--mm-per-px", 0.3, "--out", out)
    assert code == 0
    assert [row["source"] for row in table(out)[::3]] == [
        f"{folder}/{name}" for name in ("a.png", "ward 1/a.png", "ward 2/deep/a.jpg")
    ]
    assert files_in(out / "overlays") == {
        "a_f1.png", "ward 1/a_f1.png", "ward 2/deep/a_f1.png",
    }  # fmt: skip


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
def test_a_name_that_is_not_text_is_measured_by_the_installed_command(tmp_path):
    name = os.fsdecode(b"k\xf6ln.png")
    try:
        save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    code = "import sys; sys.argv[0] = 'fetometry'; from fetometry.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "measure", name, "--mm-per-px", "0.3", "--device", "cpu"],
        capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "fetometry-out" / "measurements.csv").is_file()


@pytest.mark.slow
def test_the_demo_measures_its_head_and_shows_the_truth(shipped, run, tmp_path):
    out = tmp_path / "out"
    code, printed = run("demo", "--out", out, "--device", "cpu")
    assert code == 0
    truth = json.loads((out / "head.truth.json").read_text())
    hc = float(table(out)[0]["value_mm"])
    assert hc == pytest.approx(truth["hc_mm"], rel=0.03)
    assert f"truth: HC {truth['hc_mm']:.1f}" in printed
    shown = re.search(r"^look at (.*)$", printed, re.M)
    assert shown
    assert (out / "overlays" / "head_f1.png").samefile(shown.group(1))
    assert files_in(out) == {
        "head.dcm", "head.truth.json", "exam.json", "measurements.csv", "overlays/head_f1.png",
    }  # fmt: skip


def test_a_demo_without_a_finding_shows_no_picture(bright, run, tmp_path, monkeypatch):
    dark = HeadPhantom(painted() // 4, HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr("fetometry.phantom.head", lambda spec: dark)
    code, printed = run("demo", "--out", tmp_path)
    assert code == 1
    assert "nothing was found" in printed
    assert "look at" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".dcm", ".PNG"])
def test_a_phantom_is_written_with_its_truth_beside_it(suffix, run, tmp_path):
    path = tmp_path / f"head{suffix}"
    code, printed = run("phantom", "head", "--hc-mm", "180", "--seed", "3", "--out", path)
    assert code == 0
    truth = json.loads((tmp_path / "head.truth.json").read_text())
    assert truth["hc_mm"] == pytest.approx(180.0)
    assert truth["seed"] == 3
    assert f"{path}: HC 180.0 mm, {truth['spacing_mm'][0]:.4f} mm per pixel" in printed
    assert files_in(tmp_path) == {path.name, "head.truth.json"}


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--out", "x.txt"), 2, "--out must end in .dcm or .png, got x.txt"),
        (("--out", "x"), 2, "--out must end in"),
        (("--out", "x.dcm", "--hc-mm", "25"), 2, "HC must be 40 to 420 mm, got 25. Is it in cm?"),
        (("--out", "x.dcm", "--hc-mm", "nan"), 2, "HC must be 40 to 420 mm"),
        (("--out", "x.dcm", "--seed", "-1"), 2, "seed"),
    ],
)
def test_a_phantom_that_cannot_be_is_refused(options, code, reason, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, printed = run("phantom", "head", *options)
    assert found == code
    assert reason in printed
    assert printed.count("\n") == 1
    assert files_in(tmp_path) == set()


def test_a_phantom_for_a_folder_that_is_missing_is_refused(run, tmp_path, monkeypatch):
    made = HeadPhantom(painted(), HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr("fetometry.phantom.head", lambda spec: made)
    code, printed = run("phantom", "head", "--out", tmp_path / "gone" / "x.dcm")
    assert (code, printed.count("\n")) == (1, 1)
    assert "cannot be written" in printed
    assert files_in(tmp_path) == set()


def test_the_models_are_listed_with_licence_and_hash(shipped, run):
    code, printed = run("models")
    assert code == 0
    assert re.search(r"^hc18-head: \S", printed)
    assert re.search(r"planes head; \S.*; SHA-256 [0-9a-f]{64}$", printed, re.M)


def test_the_models_as_json_are_json_and_the_hash_is_the_files(shipped, run):
    code, printed = run("models", "--json")
    assert code == 0
    (row,) = json.loads(printed)
    assert row.keys() == {"name", "planes", "licence", "sha256", "description"}
    assert (row["name"], row["planes"]) == ("hc18-head", ["head"])
    assert row["sha256"] == sha256(shipped.read_bytes()).hexdigest()
