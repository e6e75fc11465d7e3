import os
from pathlib import Path

import pytest

from fetometry import report
from fetometry.errors import OutputError, UsageError
from fetometry.report import (
    KINDS,
    atomic,
    checked_kinds,
    exam_paths,
    overlay_names,
    overlay_path,
    prepare_folder,
    read_exam,
    write,
)
from fetometry.report.names import file_names, source_stem
from tests.report.examples import exam, femur, full_exam, head, selected


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_each_kind_makes_its_own_file_and_only_that(tmp_path):
    for kind, name in (
        ("json", "exam.json"),
        ("csv", "measurements.csv"),
        ("summary", "summary.csv"),
        ("hc18", "hc18.csv"),
    ):
        folder = tmp_path / kind
        assert write(full_exam(), folder, [kind]) == [folder / name]
        assert names_in(folder) == [name]


def test_all_kinds_together_leave_no_temporary_file(tmp_path):
    paths = write(full_exam(), tmp_path / "out", KINDS)
    assert [path.name for path in paths] == [
        "exam.json", "measurements.csv", "summary.csv", "hc18.csv",
    ]  # fmt: skip
    assert names_in(tmp_path / "out") == sorted(path.name for path in paths)


def test_one_exam_in_a_list_is_written_as_it_is_alone(tmp_path):
    alone, listed = tmp_path / "alone", tmp_path / "listed"
    write(full_exam(), alone, KINDS)
    write([full_exam()], listed, KINDS)
    assert names_in(alone) == names_in(listed)
    for path in alone.iterdir():
        assert path.read_bytes() == (listed / path.name).read_bytes()


def test_several_exams_share_the_tables_and_have_a_document_each(tmp_path):
    exams = [exam(head(), name="a"), exam(femur(), name="b/2", selected=selected(femur()))]
    paths = write(exams, tmp_path, KINDS)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        *("exams/a.json", "exams/b_2.json"),
        *("measurements.csv", "summary.csv", "hc18.csv"),
    ]
    assert [read_exam(path).name for path in paths[:2]] == ["a", "b/2"]
    lines = (tmp_path / "measurements.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(",", 3)[-3] for line in lines] == ["exam", "a", "a", "a", "b/2"]
    assert len((tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines()) == 2
    assert len((tmp_path / "hc18.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_no_exam_at_all_still_makes_the_tables(tmp_path):
    assert [path.name for path in write([], tmp_path, ["json", "csv"])] == ["measurements.csv"]


def test_every_file_of_an_exam_has_the_same_place():
    one, two = exam(name="a.b"), exam()
    assert exam_paths([one], Path("out"), ".png") == [Path("out/exam.png")]
    assert exam_paths([one, two], Path("out"), ".json") == [
        Path("out/exams/a.b.json"), Path("out/exams/exam.json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("ward 3", "ward 3"),
        ("köln-中_1.2", "köln-中_1.2"),
        ('../a\\b:c*?"<>|', "_a_b_c______"),
        ("line\nbreak\x00", "line_break_"),
        ("caf\udce9", "caf_"),
        (".hidden. ", "hidden"),
        ("", "exam"),
        ("..", "exam"),
        ("con", "exam-con"),
        ("Aux.1", "exam-Aux.1"),
        ("x" * 300, "x" * 48),
    ],
)
def test_the_name_of_an_exam_becomes_one_that_every_file_system_takes(name, plain):
    assert file_names([name]) == [plain]


def test_names_that_fall_together_are_numbered():
    # the fifth is an e with its accent as one letter, the last the same as two
    names = ["a", "A", "a-2", "a/", "\u00e9", "a_", "e\u0301"]
    assert file_names(names) == ["a", "A-2", "a-2-2", "a_", "\u00e9", "a_-2", "\u00e9-2"]


def test_an_unknown_kind_is_refused_with_the_known_ones_before_anything_is_written(tmp_path):
    with pytest.raises(
        UsageError, match=r"'xml'; choose from overlay, picture, json, csv, summary"
    ):
        write(full_exam(), tmp_path, ["json", "xml"])
    assert names_in(tmp_path) == []


def test_kinds_may_have_spaces_as_in_a_typed_list():
    assert checked_kinds(["json", " csv"]) == {"json", "csv"}


def test_the_public_names_exist():
    assert [name for name in report.__all__ if not hasattr(report, name)] == []


def test_a_block_that_fails_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError), atomic(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"older"
    assert names_in(tmp_path) == ["a.csv"]


def test_the_name_appears_only_when_the_file_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.csv"
    with atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_a_new_file_has_the_rights_that_the_person_asked_for(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic(tmp_path / "a.csv") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "a.csv", tmp_path):
        with pytest.raises(OutputError, match="cannot write"), atomic(path) as file:
            file.write(b"x")
    assert names_in(tmp_path) == ["file"]


def test_prepare_folder_makes_it_and_leaves_it_empty(tmp_path):
    folder = prepare_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert names_in(folder) == []
    assert prepare_folder(folder) == folder


def test_prepare_folder_refuses_a_file_in_the_way(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(OutputError, match=r"cannot write into the folder .*--out"):
            prepare_folder(folder)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_prepare_folder_refuses_a_folder_without_the_right_to_write(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        prepare_folder(tmp_path)


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("a/010_HC.png", "010_HC"),
        ("IM0001", "IM0001"),
        ("1.2.840.113619", "1.2.840.113619"),
        ("1.2.840.113619.dcm", "1.2.840.113619"),
    ],
)
def test_a_stem_loses_its_suffix_but_not_a_part_of_a_uid(source, stem):
    assert source_stem(source) == stem


def test_overlays_keep_the_folders_below_the_root():
    names = overlay_names(["data/a/x.png", "data/b/x.png", "./data/y.dcm"], Path("data"))
    assert names == {
        "data/a/x.png": Path("a/x"),
        "data/b/x.png": Path("b/x"),
        "./data/y.dcm": Path("y"),
    }
    path = overlay_path(Path("out"), names["data/b/x.png"], 12)
    assert path == Path("out/overlays/b/x_f12.png")


def test_files_that_differ_in_suffix_only_get_different_overlays():
    names = overlay_names(["d/head.dcm", "d/head.png", "d/HEAD.bmp", "d/other.png"], Path("d"))
    assert names["d/other.png"] == Path("other")
    assert {str(path) for path in names.values()} == {"head.dcm", "head.png", "HEAD.bmp", "other"}


@pytest.mark.parametrize("source", ["elsewhere/x.png", "data/../x.png", "data"])
def test_no_overlay_leaves_its_folder(source):
    with pytest.raises(OutputError, match="does not lie below data"):
        overlay_names([source], Path("data"))
