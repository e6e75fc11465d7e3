import copy
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from fetometry.errors import DataError, OutputError
from fetometry.geometry import Ellipse
from fetometry.report import read_exam, write
from fetometry.report.exam_json import exam_json
from fetometry.review import Review
from fetometry.types import Problem
from tests.pipeline.review_examples import edit, numbered, outline
from tests.report.examples import HEAD, exam, full_exam, head

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "exam.schema.json"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def document():
    return json.loads(exam_json(full_exam()))


def saved(folder, document):
    path = folder / "exam.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_document_has_the_promised_keys(document):
    assert list(document) == [
        *("schema", "software", "name", "selected", "findings", "volumes", "problems", "growth"),
        "review",
    ]
    assert document["name"] == "ward 3"
    assert document["schema"] == "fetometry-exam/1"
    assert document["software"] == "fetometry 9.8.7"
    finding = document["findings"][0]
    assert set(finding) == {
        *("source", "frame", "plane", "plane_probability", "model", "spacing_mm"),
        *("spacing_source", "outline_px", "ellipse", "points_px", "measurements"),
        *("quality", "fetus", "exam"),
    }
    assert finding["ellipse"] == {
        "center_px": [200.25, 300.75],
        "semi_axes_px": [150.5, 120.125],
        "angle_deg": 30.0,
    }
    assert document["findings"][2]["spacing_mm"] is None
    assert document["problems"][1] == {
        "source": "loop.dcm",
        "frame": 7,
        "reason": "nothing was found",
        "kind": "refused",
        "exam": "",
    }
    assert document["problems"][2]["kind"] == "other-plane"


def test_a_femur_has_two_ends_and_no_ellipse(document):
    finding = document["findings"][4]
    assert finding["ellipse"] is None
    assert finding["points_px"] == {"FL_1": [300.0, 200.0], "FL_2": [200.0, 560.0]}


def test_a_selected_value_says_how_it_was_taken_and_how_far_its_repeats_lie(document):
    hc, ac = document["selected"][0], document["selected"][3]
    value = head().measurements[0].value
    assert hc == {
        "name": "HC", "fetus": "", "unit": "mm", "how": "best", "count": 2, "sd": 1.25,
        "value": round(value, 4), "low": 80.0, "high": 90.0,
        "smallest": round(0.98 * value, 4), "largest": round(1.01 * value, 4),
        "source": "scans/010_HC.png", "frame": 1, "flags": ["cut-by-edge", "unusual-shape"],
    }  # fmt: skip
    assert (ac["name"], ac["fetus"], ac["how"]) == ("AC", "A", "mean")
    assert (ac["source"], ac["frame"], ac["low"]) == ("", None, None)


def test_reading_back_gives_what_was_written_to_the_written_digits(tmp_path):
    before = full_exam()
    (path,) = write(before, tmp_path, ["json"])
    after = read_exam(path)
    assert exam_json(after) == exam_json(before)
    assert after.problems == before.problems
    assert after.name == before.name
    for one, two in zip(before.selected, after.selected, strict=True):
        assert two.value == pytest.approx(one.value, abs=5.1e-5)
        same = {"value": 1.0, "smallest": 1.0, "largest": 1.0}
        assert replace(two, **same) == replace(one, **same)
    for ours, theirs in zip(before.findings, after.findings, strict=True):
        assert theirs.spacing == ours.spacing
        assert theirs.model == ours.model
        assert (theirs.plane, theirs.ellipse) == (ours.plane, ours.ellipse)
        assert (theirs.quality, theirs.fetus, theirs.exam) == (ours.quality, ours.fetus, ours.exam)
        assert np.allclose(theirs.outline_px, ours.outline_px, atol=0.0051)
        for one, two in zip(ours.measurements, theirs.measurements, strict=True):
            assert two.value == pytest.approx(one.value, abs=5.1e-5)
            assert replace(two, value=1.0, value_px=1.0) == replace(one, value=1.0, value_px=1.0)


def test_growth_comes_back_whole_but_for_the_samples_of_its_curves(tmp_path):
    before = full_exam()
    (path,) = write(before, tmp_path, ["json"])
    ours, theirs = before.growth["A"], read_exam(path).growth["A"]
    assert list(before.growth) == ["A"]
    assert [placed.name for placed in theirs.placements] == ["AC", "FL"]
    for one, two in zip(ours.curves, theirs.curves, strict=True):
        assert replace(one, values=()) == replace(two, values=())
        assert np.allclose(one.values, two.values, atol=5.1e-5)
    assert replace(ours, curves=()) == replace(theirs, curves=())


def test_hc_from_the_written_ellipse_and_spacing_is_the_written_hc(document):
    for finding in document["findings"][:2]:
        form = finding["ellipse"]
        ellipse = Ellipse(tuple(form["center_px"]), tuple(form["semi_axes_px"]), form["angle_deg"])
        hc = ellipse.scaled(*finding["spacing_mm"]).circumference
        assert finding["measurements"][0]["value"] == pytest.approx(hc, abs=1e-4)


def test_an_angle_that_rounds_to_half_a_turn_is_written_as_zero(validator):
    text = exam_json(exam(head(Ellipse((200.0, 300.0), (150.0, 120.0), 179.999999))))
    document = json.loads(text)
    assert document["findings"][0]["ellipse"]["angle_deg"] == 0
    validator.validate(document)


def test_names_on_disk_that_are_not_utf8_survive(tmp_path):
    source = b"scan\xe9.png".decode("utf-8", "surrogateescape")
    (path,) = write(exam(head(source=source)), tmp_path, ["json"])
    assert read_exam(path).findings[0].source == source


def test_the_text_keeps_numbers_side_by_side_and_letters_readable():
    text = exam_json(full_exam())
    assert "köln 中/two.dcm" in text
    assert '"center_px": [200.25, 300.75]' in text
    assert len(text.splitlines()) < 340


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(number):
    # a measurement refuses to be built with one; a probability is not checked before
    wrong = replace(head(), plane_probability=number)
    with pytest.raises(OutputError, match="JSON"):
        exam_json(exam(wrong))


def test_what_is_written_fits_the_schema(validator, document):
    validator.validate(document)
    validator.validate(json.loads(exam_json(exam())))


def change(document, path, value):
    changed = copy.deepcopy(document)
    *parents, last = path
    place = changed
    for key in parents:
        place = place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], "fetometry-exam/2"),
        (["problems"], KeyError),
        (["findings", 0, "frame"], 0),
        (["findings", 0, "plane_probability"], 1.5),
        (["findings", 0, "spacing_mm"], [0.1]),
        (["findings", 0, "spacing_mm"], None),  # while the values are still in mm
        (["findings", 0, "spacing_source"], None),
        (["findings", 0, "outline_px", 3], [1.0, "2"]),
        (["findings", 0, "ellipse", "angle_deg"], 180),
        (["findings", 0, "ellipse", "semi_axes_px"], [10, 0]),
        (["findings", 0, "measurements", 0, "unit"], "cm"),
        (["findings", 0, "measurements", 0, "value"], None),
        (["findings", 0, "model", "sha256"], "short"),
        (["findings", 2, "measurements", 0, "unit"], "mm"),  # without a spacing
        (["problems", 0, "reason"], ""),
        (["problems", 0, "kind"], "lost"),
        (["findings", 0, "quality"], 1.5),
        (["findings", 0, "fetus"], None),
        (["findings", 4, "ellipse"], []),
        (["selected", 0, "how"], "first"),
        (["selected", 0, "count"], 0),
        (["selected", 0, "sd"], KeyError),
        (["selected", 0, "flags"], ["bent", "bent"]),
        (["growth"], []),
        (["growth", "A", "schema"], "fetometry-growth/2"),
        (["growth", "A", "age"], KeyError),
        (["growth", "A", "age", "source"], "guess"),
        (["growth", "A", "placements", 0, "centile"], 101),
        (["growth", "A", "placements", 0, "z_interval"], [0.1]),
        (["growth", "A", "placements", 0, "chart"], ""),
        (["growth", "A", "curves", 0, "unit"], "cm"),
    ],
)
def test_a_broken_document_does_not_fit_the_schema(validator, document, path, value):
    assert not validator.is_valid(change(document, path, value))


#: As version 0.1.0 wrote it.
OLD_DOCUMENT = {
    "schema": "fetometry-exam/1",
    "software": "fetometry 0.1.0",
    "findings": [
        {
            "source": "010_HC.png",
            "frame": 1,
            "plane": "head",
            "plane_probability": None,
            "model": {"name": "hc18-head", "sha256": "01" * 32, "licence": "CC-BY-4.0"},
            "spacing_mm": [0.1, 0.1],
            "spacing_source": "given",
            "outline_px": [[100.0, 250.0]],
            "ellipse": {
                "center_px": [100.0, 200.0], "semi_axes_px": [50.0, 40.0], "angle_deg": 0.0,
            },
            "points_px": {"OFD_1": [100.0, 150.0], "OFD_2": [100.0, 250.0]},
            "measurements": [
                {
                    "name": "OFD", "value": 10.0, "unit": "mm", "value_px": 100.0, "low": None,
                    "high": None, "convention": "outer-outer", "flags": [],
                }
            ],
        }
    ],
    "problems": [{"source": "x.png", "frame": None, "reason": "not an image"}],
}  # fmt: skip


def test_a_document_of_the_first_version_is_valid_and_read_with_plain_values(tmp_path, validator):
    validator.validate(OLD_DOCUMENT)
    read = read_exam(saved(tmp_path, OLD_DOCUMENT))
    (finding,) = read.findings
    assert finding.ellipse == Ellipse((100.0, 200.0), (50.0, 40.0), 0.0)
    assert (finding.quality, finding.fetus, finding.exam) == (1.0, "", "")
    assert read.problems == (Problem("x.png", None, "not an image", "refused", ""),)
    assert (read.selected, read.name, read.growth) == ((), "", {})
    assert exam_json(read_exam(saved(tmp_path, json.loads(exam_json(read))))) == exam_json(read)


def test_every_part_of_the_schema_is_described():
    def undescribed(part, place):
        for key, item in part.get("properties", {}).items():
            if "$ref" not in item and "description" not in item:
                yield f"{place}.{key}"
            yield from undescribed(item, f"{place}.{key}")

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    parts = {"exam": schema, **schema["$defs"]}
    named = {name: {"properties": part.get("properties", {})} for name, part in parts.items()}
    assert [name for name, part in parts.items() if "description" not in part] == []
    assert [gap for name, part in named.items() for gap in undescribed(part, name)] == []


def test_unknown_keys_of_later_versions_are_passed_over(tmp_path, document, validator):
    document["pregnancy"] = []
    document["findings"][0]["doppler"] = {"ri": 0.7}
    document["findings"][0]["measurements"][0]["centile"] = 50
    validator.validate(document)
    assert exam_json(read_exam(saved(tmp_path, document))) == exam_json(full_exam())


@pytest.mark.parametrize("schema", ["fetometry-exam/2", "dicom", None])
def test_another_version_is_refused_by_name(tmp_path, document, schema):
    with pytest.raises(DataError, match=r"must be fetometry-exam/1, .*later version"):
        read_exam(saved(tmp_path, {**document, "schema": schema}))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["findings", 1, "ellipse"], KeyError, "item 2 of findings lacks 'ellipse'"),
        (["findings", 0, "ellipse", "semi_axes_px"], [1, 2], "item 1 of findings: not an ellipse"),
        (["findings", 0, "spacing_mm"], [0.1, 0.0], "item 1 of findings: spacing must be"),
        (["findings", 0, "frame"], "first", "item 1 of findings"),
        (["findings", 0, "measurements", 0, "value"], "251", "finite number"),
        (["findings", 0, "outline_px", 0], [1.0], "item 1 of findings"),
        (["findings", 0], None, "item 1 of findings"),
        (["problems", 1, "reason"], KeyError, "item 2 of problems lacks 'reason'"),
        (["findings"], {}, "findings must be a list"),
        (["problems", 1, "kind"], "lost", "item 2 of problems: a problem is one of"),
        (["findings", 1, "quality"], "good", "item 2 of findings: a finite number"),
        (["selected", 0, "count"], KeyError, "item 1 of selected lacks 'count'"),
        (["selected", 1, "value"], None, "item 2 of selected: a finite number"),
        (["selected"], None, "selected must be a list"),
        (["growth"], [], "growth"),
        (["growth", "A", "schema"], "fetometry-growth/2", "must be fetometry-growth/1"),
        (["growth", "A", "age", "days"], KeyError, "growth.age lacks 'days'"),
        (["growth", "A", "age", "days"], "140", "growth.age.days: float is needed"),
        (["growth", "A", "age", "days"], -140, "positive"),
        (["growth", "A", "placements", 0, "z_interval"], [0.1], "must have 2 items"),
        (["growth", "A", "curves", 0, "values"], 3, "must be a list"),
    ],
)
def test_a_broken_document_is_refused_with_its_place(tmp_path, document, path, value, told):
    with pytest.raises(DataError, match=told) as refusal:
        read_exam(saved(tmp_path, change(document, path, value)))
    assert "exam.json" in str(refusal.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"schema": "fetometry-exam/1", "findings": [NaN]}', b"[]"]
)
def test_what_is_not_an_exam_is_refused(tmp_path, content):
    path = tmp_path / "exam.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_exam(path)


def test_numbers_beyond_a_double_are_refused(tmp_path, document):
    text = json.dumps(change(document, ["findings", 0, "measurements", 0, "value"], 12345.5))
    path = tmp_path / "exam.json"
    path.write_text(text.replace("12345.5", "1e999"), encoding="utf-8")
    with pytest.raises(DataError, match="finite"):
        read_exam(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        read_exam(tmp_path / "none.json")


def reviewed():
    edits = numbered(
        edit("ellipse", outline(HEAD), source="scans/010_HC.png", before=outline(HEAD)),
        edit("dates", {"ga": "23w4d", "lmp": "2026-01-01"}, frame=None, undone=True),
    )
    return replace(full_exam(), review=Review("Dr Å", "2026-05-21T10:05:00Z", tuple(edits)))


def test_a_review_comes_back_whole_but_for_dates(tmp_path, validator):
    before = reviewed()
    (path,) = write(before, tmp_path, ["json"])
    validator.validate(json.loads(path.read_text(encoding="utf-8")))
    after = read_exam(path).review
    assert (after.reviewer, after.signed) == (before.review.reviewer, before.review.signed)
    assert after.edits[0] == before.review.edits[0]
    dates = after.edits[1]
    assert dates == replace(before.review.edits[1], value={"ga": "23w4d", "lmp": "given"})
    assert "2026-01-01" not in path.read_text(encoding="utf-8")


def test_a_document_without_a_review_is_of_an_exam_that_nobody_looked_at(tmp_path, document):
    assert document.pop("review") is None
    assert read_exam(saved(tmp_path, document)).review is None


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("action", "delete", "no edit 'delete'"),
        ("number", 0, "numbered from 1"),
        ("value", [1], "must be objects"),
        ("frame", "one", "invalid literal"),
    ],
)
def test_a_review_that_is_none_is_refused(tmp_path, key, value, reason):
    document = json.loads(exam_json(reviewed()))
    document["review"]["edits"][0][key] = value
    with pytest.raises(DataError, match=rf"review: .*{reason}"):
        read_exam(saved(tmp_path, document))


def test_a_review_that_lacks_a_key_is_refused(tmp_path):
    document = json.loads(exam_json(reviewed()))
    del document["review"]["edits"][0]["undone"]
    with pytest.raises(DataError, match="review: 'undone'"):
        read_exam(saved(tmp_path, document))
