"""The numbers in the model card are those of the per-image results beside it."""

from pathlib import Path

from fetometry import predict
from fetometry.training.evaluate import as_markdown, read_cases

CARDS = Path(__file__).resolve().parents[1] / "docs" / "models"


def test_the_card_s_table_is_computed_from_the_per_image_results():
    cases = read_cases(CARDS / "hc18-head-test.csv")
    assert as_markdown(cases) in (CARDS / "hc18-head.md").read_text(encoding="utf-8")


def test_the_card_is_of_the_model_that_ships():
    text = (CARDS / "hc18-head.md").read_text(encoding="utf-8")
    assert predict.catalogue()["hc18-head"].sha256 in text


def test_the_results_are_of_exams_in_the_test_bucket_alone():
    from fetometry.training.data.manifest import TEST_BUCKET, bucket

    cases = read_cases(CARDS / "hc18-head-test.csv")
    assert {bucket("hc18", case.group) for case in cases} == {TEST_BUCKET}
