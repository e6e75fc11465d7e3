"""The numbers of a sweep: what is averaged over folds and repeats, and what is pooled."""

import csv
import statistics
from dataclasses import astuple

import pytest

from fetometry.errors import DataError
from fetometry.training.cases import Size
from fetometry.training.results import judged
from fetometry.training.sweep.collect import write
from fetometry.training.sweep.records import read_results
from fetometry.training.sweep.spec import Cell
from fetometry.training.sweep.table import METRICS, estimate, largest, tidy
from tests.training.judged import case, head, sized, told
from tests.training.sweep.finished import finish, gather, gathered, spec


def heads(*differences, side="test", first=0, **changes):
    return [
        head(d, f"{first + i}.png", split=side, mm_per_px=0.5, **changes)
        for i, d in enumerate(differences)
    ]


def lines_of(folder, **wanted):
    lines = tidy(read_results(folder))
    return [m for m in lines if all(getattr(m, name) == v for name, v in wanted.items())]


def line_of(folder, **wanted):
    (line,) = lines_of(folder, **wanted)
    return line


def test_one_models_number_and_interval_are_those_of_every_other_table():
    cases = heads(1.0, -2.0, 4.0, 0.5, 3.0)
    for metric, other in (
        ("HC ADF mm", judged(cases, "HC").mm.mean_absolute),
        ("HC bias mm", judged(cases, "HC").mm.bias),
    ):
        found = estimate([cases], metric)
        # to rounding: sums in another order
        assert astuple(found) == pytest.approx(astuple(other), abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("HC ADF mm", 3.0),  # |2| and |-4| of 100 mm, at 0.5 mm a pixel
        ("HC bias mm", -1.0),
        ("HC ADF %", 3.0),
        ("HC ADF px", 6.0),
        ("BPD ADF mm", 0.75),
        ("DSC %", 98.0),
        ("HD mm", 1.0),
        ("failed %", 0.0),
    ],
)
def test_metrics_of_two_heads_by_hand(metric, value):
    assert estimate([heads(2.0, -4.0)], metric).value == pytest.approx(value)


def test_a_failure_counts_with_its_full_error():
    lost = case("9.png", sizes={"HC": Size(100.0)}, failure="nothing was found")
    cases = [*heads(2.0), lost]
    assert estimate([cases], "HC ADF mm").value == pytest.approx((2 + 100) / 2)
    assert estimate([cases], "failed %").value == 50.0


def test_planes_are_counted_where_the_model_tells_them_apart():
    cases = [*told("head", "head", count=3), *told("femur", "head")]
    assert estimate([cases], "plane accuracy %").value == 75.0
    assert estimate([heads(1.0)], "plane accuracy %") is None


@pytest.mark.parametrize(
    ("metric", "attribute"),
    [
        ("pixel accuracy %", "pixel_accuracy"),
        ("mask Dice %", "mask_dice"),
        ("mean IoU %", "mean_iou"),
    ],
)
def test_shares_of_pixels_are_in_percent(metric, attribute):
    cases = [case("1.png", **{attribute: 0.9}), case("2.png", **{attribute: 0.8})]
    assert estimate([cases], metric).value == pytest.approx(85.0)


def test_the_interval_draws_a_group_with_all_its_models():
    # two models that err alike: the second tells nothing new, and the interval stays as wide
    cases = heads(1.0, 2.0, 7.0, 3.0)
    assert estimate([cases, cases], "HC ADF mm") == estimate([cases], "HC ADF mm")
    # two that err in opposite ways: every group's mean is 4, and nothing is left to chance
    against = heads(7.0, 6.0, 1.0, 5.0)
    found = estimate([cases, against], "HC ADF mm")
    assert (found.value, found.low, found.high) == pytest.approx((3.75 + 0.25, 4.0, 4.0))


def test_every_metric_says_nothing_of_an_image_that_it_does_not_apply_to():
    plain = case("1.png")
    assert {name: of(plain) for name, of in METRICS.items()} == dict.fromkeys(METRICS)


def test_folds_are_averaged_on_the_test_side_and_pooled_on_the_validation_side(tmp_path):
    for fold, (seen, unseen) in enumerate([((1.0, 3.0), (1.0,)), ((5.0, 7.0), (2.0, 3.0))]):
        files = {
            "test": heads(*seen),
            "validation": heads(*unseen, side="validation", first=10 * (fold + 1)),
        }
        finish(tmp_path / "runs", "a", files, fold=fold, folds=2)
    folder = gathered(tmp_path, spec(["a"]))
    test = line_of(folder, split="test", metric="HC ADF mm")
    # each of two models judges the same two images: (2 + 6) / 2
    assert (test.value, test.images, test.folds) == (4.0, 2, 2)
    # three images, each judged once: not the mean of the folds' means, 1.75
    validation = line_of(folder, split="validation", metric="HC ADF mm")
    assert (validation.value, validation.images, validation.folds) == (2.0, 3, 2)


def test_repeats_are_averaged_and_their_spread_is_told(tmp_path):
    for repeat, error in enumerate((1.0, 2.0, 6.0)):
        finish(tmp_path / "runs", "a", {"test": heads(error, error)}, repeat=repeat)
    line = line_of(gathered(tmp_path, spec(["a"])), split="test", metric="HC ADF mm")
    assert (line.value, line.repeats, line.images, line.groups) == (3.0, 3, 2, 2)
    assert line.sd_repeats == pytest.approx(statistics.stdev([1, 2, 6]))


def test_one_repeat_has_no_spread(tmp_path):
    finish(tmp_path / "runs", "a", {"test": heads(1.0)})
    assert line_of(gathered(tmp_path, spec(["a"])), metric="HC ADF mm").sd_repeats is None


def test_separate_models_are_one_row_with_all_their_images(tmp_path):
    cells = [Cell("one", row="separate"), Cell("two", row="separate")]
    finish(tmp_path / "runs", cells[0], {"test": heads(2.0)})
    femur = sized("FL", [(50.0, 51.0)], plane="femur", split="test", dataset="fetal_planes")
    finish(tmp_path / "runs", cells[1], {"test": femur}, minutes=2.5)
    folder = gathered(tmp_path, spec(cells))
    values = {m.metric: m.value for m in lines_of(folder, row="separate")}
    assert (values["HC ADF mm"], values["FL ADF mm"], values["failed %"]) == (2.0, 1.0, 0.0)
    line = line_of(folder, metric="FL ADF mm")
    assert (line.parameters, line.trainable, line.minutes) == (2000, 800, 4.0)


def test_two_models_of_a_row_may_not_judge_the_same_image(tmp_path):
    cells = [Cell("one", row="separate"), Cell("two", row="separate")]
    for cell in cells:
        finish(tmp_path / "runs", cell, {"test": heads(2.0)})
    with pytest.raises(DataError, match="is in two of the results"):
        tidy(read_results(gathered(tmp_path, spec(cells))))


def test_a_row_that_has_not_run_is_there_and_empty(tmp_path):
    cells = [Cell("a"), Cell("b", x=0.5, paper={"HC ADF mm": "1.08 ± 0.97"}), Cell("c")]
    finish(tmp_path / "runs", "a", {"test": heads(1.0)})
    folder = gathered(tmp_path, spec(cells))
    write(folder)
    with folder.with_suffix(".csv").open(encoding="utf-8") as stream:
        lines = [line for line in csv.DictReader(stream) if line["row"] in "bc"]
    assert [{k: v for k, v in line.items() if v} for line in lines] == [
        {"paper": "someone2020", "row": "b", "x": "0.5", "metric": "HC ADF mm",
         "paper_value": "1.08 ± 0.97"},
        {"paper": "someone2020", "row": "c"},
    ]  # fmt: skip


def test_the_largest_budget_of_a_row_is_the_one_that_is_drawn(tmp_path):
    cells = ["a", "b"]
    finish(tmp_path / "runs", "a", {"test": heads(1.0)})
    finish(tmp_path / "runs", "b", {"test": heads(2.0)})
    gathered(tmp_path, spec(cells))
    finish(tmp_path / "gpu", "a", {"test": heads(0.5)}, repeat=1, budget="full")
    gather(spec(cells), "full", tmp_path / "gpu", tmp_path / "results")
    results = read_results(tmp_path / "results" / "someone2020")
    found = largest(tidy(results), "test")
    assert {row: {m.budget for m in lines} for row, lines in found.items()} == {
        "a": {"full"},
        "b": {"small"},
    }


def page_of(folder):
    return write(folder)[1].read_text(encoding="utf-8")


def cells_of(page, row):
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_page_has_the_papers_numbers_beside_ours(tmp_path):
    cell = Cell("a", paper={"HC ADF mm": "1.08 ± 0.97", "HC ADF px": "9"})
    sides = {"test": heads(1.0, 3.0), "validation": heads(5.0, side="validation", first=5)}
    finish(tmp_path / "runs", cell, sides)
    page = page_of(gathered(tmp_path, spec([cell])))
    assert cells_of(page, "a") == [
        "a", "reduced (small)", "HC ADF 1.08 ± 0.97 mm<br>HC ADF 9 px",
        "HC ADF 5.00 mm<br>HC ADF 10.00 px",
        "HC ADF 2.00 (1.00 to 3.00) mm<br>HC ADF 4.00 (2.00 to 6.00) px",
        "1,000 (400)", "64 x 96", "2", "cpu, 2 threads", "1.5",
    ]  # fmt: skip
    assert "- The paper's split: random, private data" in page
    assert "validation: 1 images of 1 groups; test: 2 images of 2 groups" in page


@pytest.mark.parametrize(
    ("budget", "name"),
    [
        ("small", "reduced (small)"),
        ("smoke", "smoke test on phantoms (smoke)"),
        ("full", "the paper's"),
    ],
)
def test_every_row_and_the_heading_say_the_budget(tmp_path, budget, name):
    finish(tmp_path / "runs", "a", {"test": heads(1.0)}, budget=budget)
    page = page_of(gathered(tmp_path, spec(["a"]), budget))
    assert cells_of(page, "a")[1] == name
    assert (
        f"- {name}: input 64 x 96, 2 epochs, the fixed split, 1 repeat, 30 training images, on "
        f"cpu, 2 threads; made by `fetometry reproduce someone2020 --budget {budget}`"
    ) in page


def test_failures_are_told_beside_the_number_that_they_are_in(tmp_path):
    lost = case("9.png", split="test", sizes={"HC": Size(100.0)}, failure="nothing was found")
    finish(tmp_path / "runs", "a", {"test": [*heads(2.0), lost]})
    shown = cells_of(page_of(gathered(tmp_path, spec(["a"]))), "a")[4]
    assert shown == "HC ADF 51.00 (2.00 to 100.00) mm<br>failed 50.00 (0.00 to 100.00) %"


def test_the_true_plane_has_a_column_where_it_was_told(tmp_path):
    files = {"test": heads(4.0), "test-true": heads(1.0, routing="true")}
    finish(tmp_path / "runs", "a", files)
    page = page_of(gathered(tmp_path, spec(["a"])))
    assert "| ours, test | ours, test, told the true plane |" in page
    assert cells_of(page, "a")[4:6] == ["HC ADF 4.00 (4.00 to 4.00) mm",
                                        "HC ADF 1.00 (1.00 to 1.00) mm"]  # fmt: skip


def test_a_row_that_has_not_run_is_empty_on_the_page(tmp_path):
    finish(tmp_path / "runs", "a", {"test": heads(1.0)})
    page = page_of(gathered(tmp_path, spec([Cell("a"), Cell("b", paper={"HC ADF mm": "7"})])))
    assert cells_of(page, "b") == ["b", "", "HC ADF 7 mm", *[""] * 7]


def test_a_baseline_has_numbers_and_cost_nothing(tmp_path):
    cell = Cell("mean HC", baseline="mean-mm")
    finish(tmp_path / "runs", cell, {"test": heads(40.0)}, parameters=None, trainable=None)
    assert cells_of(page_of(gathered(tmp_path, spec([cell]))), "mean HC")[4:] == [
        "HC ADF 40.00 (40.00 to 40.00) mm", *[""] * 5
    ]  # fmt: skip


def test_the_mean_over_models_is_the_mean_of_their_means():
    one, other = heads(1.0, 2.0), heads(4.0, first=1)
    assert estimate([one, other], "HC ADF mm").value == pytest.approx((1.5 + 4.0) / 2)
