"""A finding that is a number alone: no outline, no ellipse, no points."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from fetometry.report import draw_exam, draw_overlay, read_exam
from fetometry.report.exam_json import exam_json
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.table import hc18_csv, measurements_csv
from fetometry.types import Exam, Selected
from tests.report.examples import head

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "exam.schema.json"
GREY = np.full((540, 800), 90, np.uint8)


@pytest.fixture
def finding():
    hc = replace(
        head().measurements[0],
        value=175.04,
        value_px=1750.4,
        convention="told as a number, no outline",
        flags=("no-outline",),
    )
    bare = {"outline_px": np.empty((0, 2)), "ellipse": None, "points_px": {}}
    return replace(head(), measurements=(hc,), quality=0.1, **bare)


@pytest.fixture
def exam(finding):
    selected = Selected(
        "HC", "", 175.04, "mm", None, None, "best", 1, None, 175.04, 175.04,
        finding.source, 1, ("no-outline",),
    )  # fmt: skip
    return Exam((finding,), (), "fetometry 9.8.7", (selected,), "ward 3")


def test_the_picture_says_the_value_and_that_there_is_no_outline(finding, written):
    picture = draw_overlay(finding, GREY)
    said = [text for text, _, _ in written]
    assert "HC 175.0 mm (no outline)" in said
    assert FLAG_TEXT["no-outline"] in said
    assert "told as a number, no outline" in said
    # a word in the upper left corner, and nothing on the rest of the picture
    assert np.any(picture[:30, :300] != 90)
    assert np.all(picture[30:540] == 90)


def test_a_tiny_picture_has_the_word_too(finding):
    assert draw_overlay(finding, np.zeros((3, 2), np.uint8)).shape[1] >= 480


def test_the_picture_of_the_exam_shows_it(exam, finding, written):
    draw_exam(exam, {(finding.source, finding.frame): GREY})
    assert "HC 175.0 mm (no outline)" in [text for text, _, _ in written]


def test_the_document_follows_the_schema_and_comes_back(exam, tmp_path):
    text = exam_json(exam)
    document = json.loads(text)
    assert document["findings"][0]["ellipse"] is None
    assert document["findings"][0]["outline_px"] == []
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    path = tmp_path / "exam.json"
    path.write_text(text, encoding="utf-8")
    (back,) = read_exam(path).findings
    assert back.outline_px.shape == (0, 2)
    assert back.measurements[0].flags == ("no-outline",)


def test_the_tables_have_the_number_but_the_challenge_s_has_no_ellipse(exam):
    lines = measurements_csv(exam).splitlines()
    assert len(lines) == 2
    assert ",HC,175.04,1750.40," in lines[1]
    assert len(hc18_csv(exam).splitlines()) == 1
