"""Measured into a folder: which files, and whose."""

import json

import cv2
import pytest

from fetometry.errors import OutputError
from fetometry.pipeline import Settings, measure_into, selecting
from fetometry.types import Spacing
from tests.conftest import dataset, files_in, painted, save, save_dicom, save_exam, table
from tests.pipeline.test_frames import named

MM = Spacing((0.3, 0.3), "given")
ALL = ("overlay", "picture", "json", "csv", "summary")


def test_measuring_into_a_folder_returns_what_was_written(bright, tmp_path):
    path, out = save(tmp_path / "a.png"), tmp_path / "out"
    (exam,), written = measure_into(out, [path], Settings(spacing=MM), kinds=["overlay", "csv"])
    assert written == [out / "overlays", out / "measurements.csv"]
    assert files_in(out) == {"overlays/a_f1.png", "measurements.csv"}
    assert len(exam.findings) == 1


def test_one_exam_has_its_files_in_the_folder_itself(three_planes, tmp_path):
    save_exam(tmp_path / "in")
    out = tmp_path / "out"
    exams, written = measure_into(out, [tmp_path / "in"], Settings(spacing=MM), kinds=ALL)
    assert [exam.name for exam in exams] == ["in"]
    assert files_in(out) == {
        "exam.json", "exam.png", "measurements.csv", "summary.csv",
        "overlays/abdomen_f1.png", "overlays/femur_f1.png", "overlays/head_f1.png",
    }  # fmt: skip
    assert {path.relative_to(out).as_posix() for path in written} == {
        "overlays", "exam.png", "exam.json", "measurements.csv", "summary.csv",
    }  # fmt: skip


def test_several_exams_have_a_document_and_a_picture_each_and_tables_together(bright, tmp_path):
    for name in ("one/a.png", "two/b.png"):
        save(tmp_path / "in" / name)
    out = tmp_path / "out"
    exams, _ = measure_into(out, [tmp_path / "in"], Settings(spacing=MM), kinds=ALL)
    assert [exam.name for exam in exams] == ["one", "two"]
    assert files_in(out) == {
        "exams/one.json", "exams/one.png", "exams/two.json", "exams/two.png",
        "measurements.csv", "summary.csv", "overlays/one/a_f1.png", "overlays/two/b_f1.png",
    }  # fmt: skip
    assert [row["exam"] for row in table(out)] == ["one"] * 3 + ["two"] * 3
    for exam in exams:
        document = json.loads((out / "exams" / f"{exam.name}.json").read_text())
        assert [finding["source"] for finding in document["findings"]] == [
            finding.source for finding in exam.findings
        ]


def test_without_a_finding_there_is_no_picture_of_the_exam(bright, tmp_path):
    path, out = save(tmp_path / "a.png", painted() // 4), tmp_path / "out"
    exams, written = measure_into(out, [path], Settings(spacing=MM), kinds=ALL)
    assert exams[0].findings == ()
    assert files_in(out) == {"exam.json", "measurements.csv", "summary.csv"}
    assert len(written) == 3


def test_measuring_the_same_folder_again_finds_the_same_images(bright, tmp_path):
    for name in ("one/a.png", "two/b.png"):
        save(tmp_path / name)
    for _ in range(2):
        exams, _ = measure_into(tmp_path, [tmp_path], Settings(spacing=MM), kinds=ALL)
        assert [exam.name for exam in exams] == ["one", "two"]
        assert [len(exam.findings) for exam in exams] == [1, 1]


def test_the_files_pass_through_the_watcher_in_the_order_of_the_exams(bright, tmp_path):
    paths = [save(tmp_path / name) for name in ("x/1.png", "y/2.png", "x/3.png")]
    seen = []

    def watch(files):
        for file in files:
            seen.append(file)
            yield file

    measure_into(tmp_path / "out", paths, Settings(spacing=MM), kinds=["json"], watch=watch)
    assert seen == [paths[0], paths[2], paths[1]]


def test_a_missing_path_is_told_in_the_exam_of_its_folder_or_else_the_first(bright, tmp_path):
    paths = [save(tmp_path / "one" / "a.png"), save(tmp_path / "two" / "b.png")]
    gone = [tmp_path / "two" / "gone.png", tmp_path / "lost.png"]
    (one, two), _ = measure_into(
        tmp_path / "out", [*gone, *paths], Settings(spacing=MM), kinds=["json"]
    )
    assert [problem.source for problem in one.problems] == [str(gone[1])]
    assert [problem.source for problem in two.problems] == [str(gone[0])]


def test_the_overlay_and_the_picture_on_disk_do_not_show_the_name(bright, tmp_path):
    made, pixels = named(RegionLocationMinX0=60, RegionLocationMinY0=20)
    path, out = save_dicom(tmp_path / "a.dcm", made), tmp_path / "out"
    measure_into(out, [path], Settings(), kinds=["overlay", "picture"])
    assert pixels[:18, :58].max() == 255
    overlay = cv2.imread(str(out / "overlays" / "a_f1.png"), cv2.IMREAD_GRAYSCALE)
    scale = overlay.shape[1] / pixels.shape[1]
    assert overlay[: int(18 * scale), : int(58 * scale)].max() == 0
    shown = []

    def write_exam_picture(exam, pictures, path):
        shown.extend(pictures.values())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fetometry.report.write_exam_picture", write_exam_picture)
        measure_into(out, [path], Settings(), kinds=["picture"])
    (picture,) = shown
    assert picture[:18, :58].max() == 0
    assert picture[30:, 70:].max() > 200


def test_a_picture_that_cannot_be_written_does_not_cost_the_numbers(bright, tmp_path):
    path, out = save(tmp_path / "a.png"), tmp_path / "out"
    (out / "exam.png").mkdir(parents=True)
    (exam,), _ = measure_into(out, [path], Settings(spacing=MM), kinds=ALL)
    assert [problem.source for problem in exam.problems] == [str(out / "exam.png")]
    assert "cannot write" in json.loads((out / "exam.json").read_text())["problems"][0]["reason"]
    assert len(table(out)) == 3


def test_a_file_that_is_gone_before_its_picture_is_drawn_does_not_cost_the_numbers(
    bright, tmp_path
):
    path, out = save(tmp_path / "a.png"), tmp_path / "out"

    def watch(files):
        yield from files
        path.unlink()

    (exam,), _ = measure_into(
        out, [path], Settings(spacing=MM), kinds=["picture", "json"], watch=watch
    )
    assert len(exam.findings) == 1
    assert "cannot be read" in exam.problems[0].reason


def test_sizes_that_disagree_are_seen_in_the_overlays_too(three_planes, tmp_path, monkeypatch):
    save_exam(tmp_path / "in")
    drawn = {}

    def write_overlay(finding, picture, path):
        drawn.setdefault(path.name, []).append("sizes-disagree" in finding.measurements[0].flags)

    monkeypatch.setattr("fetometry.report.write_overlay", write_overlay)
    monkeypatch.setattr(selecting, "disagreeing", lambda values_mm: {"HC": "x", "FL": "x"})
    out, settings = tmp_path / "out", Settings(spacing=MM)
    measure_into(out, [tmp_path / "in"], settings, kinds=["overlay", "summary"])
    assert drawn == {
        "abdomen_f1.png": [False], "femur_f1.png": [False, True], "head_f1.png": [False, True],
    }  # fmt: skip


def test_a_table_that_cannot_be_written_is_an_error(bright, tmp_path):
    path, out = save(tmp_path / "a.png"), tmp_path / "out"
    (out / "summary.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"summary\.csv"):
        measure_into(out, [path], Settings(spacing=MM), kinds=["summary"])


def test_twins_have_their_own_values_in_one_exam(bright, tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "in" / f"{name}.png")
    settings = Settings(spacing=MM, fetus={"a": "A", "b": "B"})
    (exam,), _ = measure_into(tmp_path / "out", [tmp_path / "in"], settings, kinds=ALL)
    assert [(s.fetus, s.name, s.count) for s in exam.selected[::3]] == [
        ("A", "HC", 1),
        ("B", "HC", 1),
    ]


def test_two_studies_in_one_folder_are_never_mixed(bright, tmp_path):
    save_dicom(tmp_path / "in" / "a.dcm")
    save_dicom(tmp_path / "in" / "b.dcm", dataset(StudyInstanceUID="1.2.3"))
    exams, _ = measure_into(tmp_path / "out", [tmp_path / "in"], Settings(), kinds=ALL)
    assert [len(exam.findings) for exam in exams] == [1, 1]
    assert len(files_in(tmp_path / "out" / "exams")) == 4
