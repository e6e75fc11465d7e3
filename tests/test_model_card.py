"""The numbers in the model cards are those of the per-image results beside them."""

from pathlib import Path

import pytest

from fetometry import predict
from fetometry.training.cases import Case, read_cases
from fetometry.training.compare import compare, comparison_markdown
from fetometry.training.data.manifest import TEST_BUCKET, bucket
from fetometry.training.results import (
    measurements_markdown,
    parts_markdown,
    planes_markdown,
    summary_markdown,
    volume_summary,
    volumes_markdown,
)

ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "docs" / "models"


def card(model: str) -> str:
    return (CARDS / f"{model}.md").read_text(encoding="utf-8")


def cases(name: str) -> list[Case]:
    return read_cases(CARDS / f"{name}.csv")


def test_the_head_card_s_table_is_computed_from_the_per_image_results():
    assert summary_markdown(cases("hc18-head-test")) in card("hc18-head")


@pytest.mark.parametrize("name", ["exam-test", "exam-fold-validation", "exam-without-aloka"])
def test_the_exam_card_s_tables_are_computed_from_the_per_image_results(name):
    judged, text = cases(name), card("exam")
    assert planes_markdown(judged) in text
    for plane in ("head", "abdomen", "femur"):
        assert measurements_markdown(judged, plane) in text


@pytest.mark.parametrize("name", ["HC", "AC", "FL"])
def test_the_exam_card_s_parts_are_computed_from_the_per_image_results(name):
    assert parts_markdown(cases("exam-test"), name) in card("exam")


def test_the_exam_card_s_hc18_table_is_that_of_the_hc18_images():
    alone = [case for case in cases("exam-test") if case.dataset == "hc18"]
    assert summary_markdown(alone) in card("exam")
    assert [c.sizes for c in alone] == [c.sizes for c in cases("exam-hc18-test")]


def test_the_exam_card_compares_with_the_head_model():
    table = comparison_markdown(cases("hc18-head-test"), cases("exam-hc18-test"))
    assert table in card("exam")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hc18-head-first-test", "hc18-head-test"),
        ("hc18-head-test", "hc18-head-third-test"),
    ],
)
def test_the_card_s_differences_are_computed_from_the_per_image_results(one, other):
    found = compare(cases(one), cases(other))[0]
    e = found.mm
    assert found.name == "HC"
    assert f"{e.value:+.2f} mm ({e.low:+.2f} to {e.high:+.2f})" in card("hc18-head")


@pytest.mark.parametrize(
    ("model", "results"), [("hc18-head", "hc18-head-test"), ("exam", "exam-test")]
)
def test_a_card_is_of_the_model_that_ships(model, results):
    sha256 = predict.catalogue()[model].sha256
    assert sha256 in card(model)
    assert {case.model for case in cases(results)} == {f"{model} {sha256[:12]}"}


@pytest.mark.parametrize(
    "name",
    [
        "exam-hc18-test",
        "exam-test",
        "hc18-head-first-test",
        "hc18-head-test",
        "hc18-head-third-test",
    ],
)
def test_the_results_are_of_groups_in_the_test_bucket_alone(name):
    judged = cases(name)
    assert {bucket(case.dataset, case.group) for case in judged} == {TEST_BUCKET}
    assert {(case.bucket, case.split) for case in judged} == {(TEST_BUCKET, "test")}


def test_what_the_intervals_come_from_holds_no_test_patient():
    judged = cases("exam-fold-validation")
    assert TEST_BUCKET not in {bucket(case.dataset, case.group) for case in judged}


def test_the_card_of_the_volume_model_is_of_what_ships_and_computed_from_its_results():
    judged = read_cases(ROOT / "results" / "wang2019" / "cases" / "BRNDC-D~f0-r0~test.csv")
    text, shipped = card("femur3d-phantom"), predict.catalogue()
    assert volumes_markdown(judged) in text
    for name in ("femur3d-phantom", "femur3d-roi-phantom"):
        assert shipped[name].sha256 in text
        assert predict.describe(name).notice == "phantom-trained: not for real volumes"
    sha256 = shipped["femur3d-phantom"].sha256
    assert {case.model for case in judged} == {f"femur3d-phantom {sha256[:12]}"}
    assert {(case.bucket, case.split) for case in judged} == {(TEST_BUCKET, "test")}


def test_the_readme_has_the_numbers_of_the_volume_model_s_results():
    judged = read_cases(ROOT / "results" / "wang2019" / "cases" / "BRNDC-D~f0-r0~test.csv")
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for name in (
        "FL, mean absolute difference (ADF)",
        "end 1, distance (p1)",
        "end 2, distance (p2)",
    ):
        line = next(one for one in volume_summary(judged) if one.name == name)
        e = line.estimate
        assert f"{e.value:.2f} mm ({e.low:.2f} to {e.high:.2f})" in text


def test_the_shipped_models_of_volumes_weigh_3_mb_at_most():
    shipped = predict.catalogue()
    sizes = [shipped[n].path.stat().st_size for n in ("femur3d-phantom", "femur3d-roi-phantom")]
    assert sum(sizes) <= 3_000_000
