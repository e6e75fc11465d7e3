"""What bad input gets: one clear line, exit 1 or 2, nothing half-written, the rest measured."""

import os
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEGBaseline8Bit

from tests.conftest import (
    dataset,
    exam_of,
    files_in,
    nothing_new_in,
    painted,
    save,
    save_dicom,
    table,
)
from tests.image.synthetic import photograph

needs_rights = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may do anything"
)


def whole_png(path):
    return save(path.with_suffix(".png")).read_bytes()


def png_of(rows, cols):
    """A PNG that announces a size, and holds one row of nothing."""

    def chunk(kind, body):
        tail = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + tail

    header = struct.pack(">IIBBBBB", cols, rows, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(max(cols, 1) + 1))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def picture(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


def changed(path, **tags):
    made = dataset()
    for name, value in tags.items():
        setattr(made, name, value)
    return save_dicom(path, made)


def without_pixels(path):
    made = dataset()
    del made.PixelData
    return save_dicom(path, made)


def encrypted_pixels(path):
    """As a site does that encrypts the fragments and leaves the header readable."""
    made = dataset()
    noise = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    made.PixelData = encapsulate([noise])
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return save_dicom(path, made)


def encrypted_attributes(path):
    """As DICOM PS3.15 E.1 does: what is secret, pixels included, in one encrypted item."""
    made = dataset()
    item = Dataset()
    item.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2"
    item.EncryptedContent = bytes(range(256)) * 8
    made.EncryptedAttributesSequence = Sequence([item])
    del made.PixelData
    return save_dicom(path, made)


BAD_FILES = {
    "notes.png": (lambda p: p.write_text("HC 250 mm, see the letter"), "not an image"),
    "cut.png": (lambda p: p.write_bytes(whole_png(p)[:900]), "truncated|not whole|ends"),
    "cut.jpg": (lambda p: p.write_bytes(save(p).read_bytes()[:900]), "truncated|not whole|ends"),
    "cut.dcm": (lambda p: p.write_bytes(save_dicom(p).read_bytes()[:9000]), "truncated"),
    "zero.png": (lambda p: p.write_bytes(b""), "empty .0 bytes."),
    "zero.dcm": (lambda p: p.write_bytes(b""), "empty .0 bytes."),
    "none.png": (lambda p: p.write_bytes(png_of(0, 0)), "0 rows x 0 columns"),
    "huge.png": (lambda p: p.write_bytes(png_of(20_000, 20_000)), "20000 rows x 20000 columns"),
    "black.png": (lambda p: p.write_bytes(picture(np.zeros((99, 99), np.uint8))), "black"),
    "holiday.png": (lambda p: p.write_bytes(picture(photograph())), "colour photograph"),
    "report.dcm": (without_pixels, "no pixels"),
    "tag.dcm": (lambda p: changed(p, PhotometricInterpretation="RGB"), "Photometric"),
    "odd.dcm": (lambda p: changed(p, PhotometricInterpretation="HSV"), "Photometric"),
    "secret.dcm": (encrypted_pixels, "encrypted"),
    "sealed.dcm": (encrypted_attributes, "no pixels"),
    "letter.dcm": (lambda p: p.write_bytes(b"%PDF-1.4 " * 99), "not a DICOM file"),
    "a:x:b.png": (lambda p: p.write_bytes(b""), "a:x:b.png: the file is empty"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_and_the_good_one_is_measured(
    name, bright, run, tmp_path
):
    make, reason = BAD_FILES[name]
    folder, out = tmp_path / "in", tmp_path / "out"
    bad, good = folder / name, save(folder / "good.bmp")
    make(bad)
    for extra in set(folder.iterdir()) - {bad, good}:
        extra.unlink()
    code, printed = run("measure", folder, "--mm-per-px", 0.3, "--out", out)
    assert code == 1
    (line,) = [line for line in printed.splitlines() if line.startswith(("refused:", "error:"))]
    assert line.startswith(f"refused: {bad}: ")
    assert re.search(reason, line), line
    assert {row["source"] for row in table(out)} == {str(good)}
    (problem,) = exam_of(out)["problems"]
    assert problem["source"] == str(bad)
    assert files_in(out) == {
        "exam.json", "exam.png", "measurements.csv", "summary.csv", "overlays/good_f1.png",
    }  # fmt: skip


def test_a_bad_file_alone_leaves_whole_files_that_say_so(bright, run, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    code, printed = run("measure", bad, "--out", tmp_path / "out")
    assert code == 1
    assert printed.count("\n") == 2  # the refusal, and where the files are
    assert files_in(tmp_path / "out") == {"exam.json", "measurements.csv", "summary.csv"}
    assert table(tmp_path / "out") == []


@pytest.mark.slow
def test_the_installed_command_refuses_without_a_traceback(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    code = "import sys; sys.argv[0] = 'fetometry'; from fetometry.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "measure", "bad.png", "--mm-per-px", "nan"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: --mm-per-px: ")
    assert done.stderr.count("\n") == 1
    assert files_in(tmp_path) == {"bad.png"}


@pytest.mark.parametrize(
    "text", ["nan", "-0.1", "0", "inf", "12", "0.1,nan", "0.1,0.2,0.3", "abc", "", "0,12"]
)
def test_an_unbelievable_mm_per_px_is_a_usage_error_and_nothing_is_written(
    text, bright, run, tmp_path
):
    image = save(tmp_path / "head.png")
    with nothing_new_in(tmp_path):
        code, printed = run("measure", image, "--mm-per-px", text, "--out", tmp_path / "out")
    assert code == 2
    assert printed.startswith("error: --mm-per-px: ")
    assert "mm per pixel" in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", ["NaN", "-0.3", "0", "3000", "none"])
def test_an_unbelievable_number_in_the_table_names_the_line(number, bright, run, tmp_path):
    image, csv_file = save(tmp_path / "head.png"), tmp_path / "mm.csv"
    csv_file.write_text(f"image,mm_per_px\nother,0.3\nhead,{number}\n")
    code, printed = run("measure", image, "--spacing", csv_file, "--out", tmp_path / "out")
    assert code == 1
    assert f"{csv_file} line 3: " in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mm_per_px", [0.03, 0.99])
def test_a_spacing_that_makes_the_head_implausible_says_the_range_and_asks(
    mm_per_px, bright, run, tmp_path
):
    image = save(tmp_path / "head.png")
    code, printed = run("measure", image, "--mm-per-px", mm_per_px, "--out", tmp_path / "out")
    assert code == 1
    assert "HC must be 40 to 420 mm, got" in printed
    assert "not in cm?" in printed
    assert table(tmp_path / "out") == []


def test_a_picture_without_a_ruler_is_left_in_pixels_with_the_reason(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    code, printed = run("measure", image, "--spacing", "ruler", "--out", out)
    assert code == 1
    assert f"refused: {image}: no millimetres: the ruler cannot be read: " in printed
    assert "--mm-per-px X or --spacing FILE.csv" in printed
    assert {row["value_mm"] for row in table(out)} == {""}


def test_a_given_spacing_that_contradicts_the_dicom_file_gives_no_millimetres(
    bright, run, tmp_path
):
    image, out = save_dicom(tmp_path / "head.dcm"), tmp_path / "out"
    code, printed = run("measure", image, "--mm-per-px", 0.31, "--out", out)
    assert code == 1
    assert "two spacings: 0.31 x 0.31 mm per pixel was given" in printed
    assert "0.3 x 0.3 mm per pixel" in printed
    assert {(row["value_mm"], row["value_px"] != "") for row in table(out)} == {("", True)}


def test_a_given_spacing_that_agrees_with_the_dicom_file_is_taken(bright, run, tmp_path):
    image, out = save_dicom(tmp_path / "head.dcm"), tmp_path / "out"
    code, _ = run("measure", image, "--mm-per-px", 0.302, "--out", out)
    assert code == 0
    assert {row["spacing_source"] for row in table(out)} == {"given"}


def test_without_a_spacing_pixels_are_reported_and_four_ways_are_named(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    code, printed = run("measure", image, "--out", out, "--write", "csv,json,hc18")
    assert code == 1
    (line,) = [line for line in printed.splitlines() if line.startswith("refused: ")]
    assert "no millimetres" in line
    ways = ("--mm-per-px X", "--spacing FILE.csv", "--spacing ruler", "the calibrated DICOM file")
    for way in ways:
        assert way in line
    for row in table(out):
        assert row["value_mm"] == row["mm_per_px_row"] == row["spacing_source"] == ""
        assert float(row["value_px"]) > 100
    assert exam_of(out)["findings"][0]["spacing_mm"] is None
    assert (out / "hc18.csv").read_text().count("\n") == 1


def test_a_table_without_the_image_says_so_and_measures_the_others(bright, run, tmp_path):
    folder, out, csv_file = tmp_path / "in", tmp_path / "out", tmp_path / "mm.csv"
    save(folder / "known.png")
    save(folder / "unknown.png")
    csv_file.write_text("filename,pixel size(mm)\nknown.png,0.3\n")
    code, printed = run("measure", folder, "--spacing", csv_file, "--out", out)
    assert code == 1
    assert "the spacing table has no row for 'unknown'" in printed
    values = {(row["source"].rpartition("/")[2], row["value_mm"] == "") for row in table(out)}
    assert values == {("known.png", False), ("unknown.png", True)}
    assert {row["spacing_source"] for row in table(out)} == {"table:mm.csv", ""}


def test_a_folder_without_an_image_is_an_error_and_no_folder_is_made(bright, run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing here")
    save(tmp_path / "in" / "010_HC_Annotation.png")
    code, printed = run("measure", tmp_path / "in", "--out", tmp_path / "out")
    assert (code, printed.count("\n")) == (1, 1)
    assert "the folder holds no image" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["nowhere.png", "x" * 300 + ".png", "no/such/folder"])
def test_a_path_without_a_file_is_an_error_and_no_folder_is_made(name, bright, run, tmp_path):
    code, printed = run("measure", tmp_path / name, "--out", tmp_path / "out")
    assert (code, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: ")
    assert name in printed
    assert not (tmp_path / "out").exists()


def test_a_missing_path_does_not_stop_the_others(bright, run, tmp_path):
    good, out = save(tmp_path / "good.png"), tmp_path / "out"
    code, printed = run("measure", tmp_path / "gone.png", good, "--mm-per-px", 0.3, "--out", out)
    assert code == 1
    assert f"refused: {tmp_path / 'gone.png'}: no such file or folder" in printed
    assert {row["source"] for row in table(out)} == {str(good)}
    assert [problem["source"] for problem in exam_of(out)["problems"]] == [
        str(tmp_path / "gone.png")
    ]


@pytest.mark.parametrize("out", ["taken", "taken/deeper"])
def test_an_output_folder_that_is_a_file_is_an_error_before_the_work(out, bright, run, tmp_path):
    image = save(tmp_path / "head.png")
    (tmp_path / "taken").write_text("mine")
    with nothing_new_in(tmp_path):
        code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", tmp_path / out)
    assert (code, printed.count("\n")) == (1, 1)
    assert "cannot write into the folder" in printed
    assert "--out" in printed
    assert (tmp_path / "taken").read_text() == "mine"


@needs_rights
def test_an_output_folder_without_the_right_to_write_is_an_error(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    out.mkdir(mode=0o500)
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", out)
    assert (code, printed.count("\n")) == (1, 1)
    assert files_in(out) == set()


@needs_rights
def test_a_file_without_the_right_to_read_is_refused(bright, run, tmp_path):
    image = save(tmp_path / "head.png")
    image.chmod(0)
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", tmp_path / "out")
    assert code == 1
    assert "cannot be read" in printed


def test_an_overlay_that_cannot_be_written_does_not_cost_the_numbers(bright, run, tmp_path):
    image, out = save(tmp_path / "head.png"), tmp_path / "out"
    out.mkdir()
    (out / "overlays").write_text("in the way")
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", out)
    assert code == 1
    assert "cannot write" in printed
    assert [row["name"] for row in table(out)] == ["HC", "BPD", "OFD"]
    assert files_in(out) == {
        "overlays", "exam.json", "exam.png", "measurements.csv", "summary.csv",
    }  # fmt: skip


def test_a_plain_picture_without_a_head_is_refused(bright, run, tmp_path):
    dark = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    image = save(tmp_path / "dark.png", dark)
    code, printed = run("measure", image, "--mm-per-px", 0.3, "--out", tmp_path / "out")
    assert code == 1
    assert "nothing was found" in printed
    assert table(tmp_path / "out") == []


def test_one_bad_frame_is_named_and_the_others_are_measured(bright, run, tmp_path):
    made = dataset()
    frames = [painted(), np.full_like(painted(), 30), painted()]
    made.NumberOfFrames = 3
    made.PixelData = b"".join(frame.tobytes() for frame in frames)
    image, out = save_dicom(tmp_path / "cine.dcm", made), tmp_path / "out"
    code, printed = run("measure", image, "--out", out)
    assert code == 1
    assert f"refused: {image} frame 2: nothing was found" in printed
    assert {row["frame"] for row in table(out)} == {"1", "3"}
    assert files_in(out) >= {"overlays/cine_f1.png", "overlays/cine_f3.png"}
