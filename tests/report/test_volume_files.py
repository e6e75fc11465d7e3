"""Volumes in the tables and in the document of an exam."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.report import exam_findings, overlay_names, read_exam, volume_overlay_path, write
from fetometry.report.exam_json import exam_json
from fetometry.report.table import MEASUREMENT_COLUMNS, hc18_csv, measurements_csv, summary_csv
from fetometry.types import Exam
from tests.report.examples import femur, selected
from tests.report.volume_examples import NOTICE, found

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "exam.schema.json"
BOTH = ("end-outside-mask", "phantom-trained")


def with_volumes(*volumes, **more):
    picture = femur()
    return Exam((picture,), selected=selected(picture), name="ward", volumes=volumes, **more)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_volume_has_one_row_with_what_it_has():
    picture, volume = rows(measurements_csv(with_volumes(found(flags=BOTH))))
    filled = {key: cell for key, cell in volume.items() if cell}
    assert filled == {
        "source": "scans/leg.nii.gz", "plane": "femur", "name": "FL", "value_mm": "36.00",
        "mm_per_slice": "1", "mm_per_px_row": "0.5", "mm_per_px_col": "0.75",
        "spacing_source": "volume-header", "convention": "ossified shaft, end to end",
        "flags": "end-outside-mask;phantom-trained", "model": "head-test", "exam": "ward",
        "volume_ml": f"{found().volume_ml:.3f}",
    }  # fmt: skip
    assert tuple(volume) == MEASUREMENT_COLUMNS
    assert (picture["mm_per_slice"], picture["volume_ml"], picture["frame"]) == ("", "", "1")


@pytest.mark.parametrize(
    ("volume", "empty"), [(found(None), "value_mm"), (found(mask=False), "volume_ml")]
)
def test_what_a_model_of_volumes_does_not_tell_is_an_empty_cell(volume, empty):
    row = rows(measurements_csv(with_volumes(volume)))[1]
    assert {name for name in ("value_mm", "volume_ml") if not row[name]} == {empty}


def test_volumes_are_in_no_other_table_and_not_among_the_findings_shown():
    without, exam = with_volumes(), with_volumes(found())
    assert summary_csv(exam) == summary_csv(without)
    assert hc18_csv(exam) == hc18_csv(without)
    assert [finding.source for finding in exam_findings(exam)] == ["femur.png"]


def test_the_document_has_everything_but_the_mask():
    (volume,) = json.loads(exam_json(with_volumes(found())))["volumes"]
    assert volume == {
        "source": "scans/leg.nii.gz",
        "plane": "femur",
        "model": {"name": "head-test", "sha256": "0123456789abcdef" * 4, "licence": "CC-BY-4.0"},
        "notice": NOTICE,
        "spacing_mm": [1.0, 0.5, 0.75],
        "box": {"start": [18, 26, 16], "stop": [23, 35, 65]},
        "ends_voxels": [[20.0, 30.0, 16.0], [20.0, 30.0, 64.0]],
        "ends_mm": [[20.5, 15.5, 12.5], [20.5, 15.5, 48.5]],
        "length_mm": 36.0,
        "volume_ml": pytest.approx(found().volume_ml, abs=1e-4),
        "flags": ["phantom-trained"],
        "exam": "",
    }


@pytest.mark.parametrize(
    "volume",
    [found(flags=BOTH, exam="0f1e"), found(None), found(mask=False)],
    ids=["both", "mask", "ends"],
)
def test_reading_back_gives_what_was_written_without_the_mask(volume, tmp_path):
    write(with_volumes(volume), tmp_path, ["json"])
    (read,) = read_exam(tmp_path / "exam.json").volumes
    points = ("ends_voxels", "ends_mm")
    for name in points:
        one, other = getattr(read, name), getattr(volume, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=5e-4)
    known = None if volume.volume_ml is None else round(volume.volume_ml, 4)
    same = dict.fromkeys((*points, "mask"))
    assert replace(read, **same) == replace(volume, **same, volume_ml=known)


def test_a_document_without_volumes_is_read_as_one_without_any(tmp_path):
    document = json.loads(exam_json(with_volumes(found())))
    del document["volumes"]
    (tmp_path / "exam.json").write_text(json.dumps(document), encoding="utf-8")
    assert read_exam(tmp_path / "exam.json").volumes == ()


def validator():
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def test_what_is_written_of_volumes_fits_the_schema():
    exam = with_volumes(found(), found(None), found(mask=False))
    validator().validate(json.loads(exam_json(exam)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("length_mm", "36"),
        ("volume_ml", -1),
        ("spacing_mm", [1, 1]),
        ("ends_voxels", [[1, 2], [3, 4]]),
        ("box", {"start": [0, 0, 0]}),
        ("plane", "head"),
    ],
)
def test_a_broken_volume_does_not_fit_the_schema(key, value):
    document = json.loads(exam_json(with_volumes(found())))
    document["volumes"][0][key] = value
    assert not validator().is_valid(document)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("spacing_mm", [1, 2], "item 1 of volumes"),
        ("ends_mm", [[1, 2, "x"], [3, 4, 5]], "finite number"),
        ("box", {"start": [0, 0, 0], "stop": [0, 1, 1]}, "has no voxels"),
        ("notice", None, ""),
    ],
)
def test_a_broken_volume_is_refused_with_its_place(key, value, told, tmp_path):
    document = json.loads(exam_json(with_volumes(found())))
    if value is None:
        del document["volumes"][0][key]
        told = "item 1 of volumes lacks 'notice'"
    else:
        document["volumes"][0][key] = value
    (tmp_path / "exam.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_exam(tmp_path / "exam.json")


def test_the_picture_of_a_volume_is_called_after_its_file_without_both_suffixes(tmp_path):
    names = overlay_names(["in/a/leg.nii.gz", "in/b.nii", "in/b.nii.gz", "in/c.mha"], Path("in"))
    paths = [volume_overlay_path(tmp_path, name).relative_to(tmp_path) for name in names.values()]
    assert [path.as_posix() for path in paths] == [
        "overlays/a/leg_volume.png",
        "overlays/b.nii_volume.png",
        "overlays/b.nii.gz_volume.png",
        "overlays/c_volume.png",
    ]
