"""What a sweep found as Markdown: the paper's numbers beside ours, and how ours were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fetometry.training.evaluate import PREDICTED, TRUE
from fetometry.training.metrics import Estimate
from fetometry.training.results import cell, table
from fetometry.training.sweep.records import Results, RunRecord, SheetRow
from fetometry.training.sweep.spec import OWN
from fetometry.training.sweep.table import BUDGETS, METRICS, Line, all_rows
from fetometry.training.volume_scores import PHANTOMS_ONLY

#: Beside the paper's own metrics; a number in mm can be compared across papers.
ALWAYS = "HC ADF mm"
PLANE, FAILED = "plane accuracy %", "failed %"

OUR_SPLIT = (
    "by group (HC18: exam; Fetal Planes: patient), never by image: bucket 0 of 10 is the test "
    "side; validation is bucket 1, or in turn each fold of the buckets that are not test"
)


OUR_SPLIT_OF_VOLUMES = (
    "by group (each phantom is one), never by volume: bucket 0 of 10 is the test side; validation "
    "is bucket 1, or in turn each fold of the buckets that are not test"
)

#: What the numbers of volumes are, beside ADF.
VOLUME_NUMBERS = (
    "DSC and Jaccard are overlaps of the masks, Adb and Hdb the average and the largest distance "
    "of their boundaries, p1 and p2 the distances of the two ends after they are matched, FL the "
    "length from end to end; volume is that of the mask. What a network does not tell, as the ends "
    "of one that draws masks alone, has no number."
)


def _noun(results: Results) -> str:
    return "volume" if results.of_volumes else "image"


def _short(metric: str, value: str) -> str:
    """Return a value with its metric: "HC ADF 1.08 mm"."""
    name, _, unit = metric.rpartition(" ")
    return f"{name} {value} {unit}" if metric in METRICS else f"{metric} {value}"


def chosen_metrics(results: Results) -> list[str]:
    """Return the metrics of the table: those that the paper prints, and HC in mm."""
    named = {metric for row in results.sheet.rows for metric in row.paper}
    return [metric for metric in METRICS if metric in named or metric == ALWAYS]


def _interval(line: Line) -> str:
    if line.value is None or line.low is None or line.high is None:
        return ""
    return cell(Estimate(line.value, line.low, line.high))


def numbers(lines: Iterable[Line], metrics: Sequence[str], side: str, routing: str) -> str:
    """Return what a row of the table measured on one side, on the test side with intervals."""
    here = {m.metric: m for m in lines if (m.split, m.routing) == (side, routing)}
    # which plane is found does not depend on the routing
    told = [metric for metric in metrics if routing == PREDICTED or metric != PLANE]
    found = [here[metric] for metric in told if metric in here]
    if FAILED in here and here[FAILED].value and FAILED not in told:
        found.append(here[FAILED])  # numbers of what was not found say another thing
    if side == "validation":
        return "<br>".join(_short(m.metric, f"{m.value:z.2f}") for m in found)
    return "<br>".join(_short(m.metric, _interval(m)) for m in found)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _parameters(line: Line) -> str:
    if line.parameters is None:
        return ""
    if line.trainable == line.parameters:
        return _count(line.parameters)
    return f"{_count(line.parameters)} ({_count(line.trainable)})"


def whose(results: Results) -> str:
    """Return what our numbers are of, where a table must say so: behind its heads."""
    return " (phantoms, not patients)" if results.on_phantoms else ""


def _ways(lines: Sequence[Line], of: str) -> dict[str, tuple[str, str]]:
    """Return the columns of ours, by the side and the routing that they show."""
    found = {
        f"ours, validation{of}": ("validation", PREDICTED),
        f"ours, test{of}": ("test", PREDICTED),
    }
    if any(line.routing == TRUE for line in lines):
        found["ours, test, told the true plane"] = ("test", TRUE)
    return found


def budget_name(budget: str) -> str:
    """Return what a budget is called in a table: every one but the paper's own is reduced."""
    said = BUDGETS.get(budget)
    return said if said and budget == "full" else f"{said or 'as asked for'} ({budget})"


def printed(row: SheetRow, metrics: Sequence[str]) -> str:
    """Return what the paper prints for a row, in the order of the metrics."""
    ordered = sorted(row.paper.items(), key=lambda pair: (*metrics, pair[0]).index(pair[0]))
    return "<br>".join(_short(metric, value) for metric, value in ordered)


def _row(
    row: SheetRow, lines: Sequence[Line], metrics: Sequence[str], ways: Iterable[tuple[str, str]]
) -> list[str]:
    """Return one line of the table; `lines` are the row's of one budget, none if it has not run."""
    paper = printed(row, metrics)
    ours = [numbers(lines, metrics, *way) for way in ways]
    if not lines:
        return [row.name, "", paper, *ours, "", "", "", "", ""]
    a = lines[0]
    minutes = "" if a.minutes is None else f"{a.minutes:.1f}"
    cost = [_parameters(a), a.size, a.epochs, a.device, minutes]
    if row.baseline:  # nothing was trained, and no picture looked at
        cost = ["", "", "", "", ""]
    return [row.name, budget_name(a.budget), paper, *ours, *cost]


def results_table(results: Results, lines: Sequence[Line]) -> str:
    """Return the table: a line a row of the paper, of each budget that it has run in."""
    metrics, ways = chosen_metrics(results), _ways(lines, whose(results))
    paper = "paper (patients)" if results.on_phantoms else "paper"
    head = ["row", "budget", paper, *ways, "parameters (trained)", "input", "epochs", "device"]
    body = []
    for row in all_rows(results):
        of_row = [line for line in lines if line.row == row.name and line.value is not None]
        for budget in dict.fromkeys(line.budget for line in of_row) or ("",):
            here = [line for line in of_row if line.budget == budget]
            body.append(_row(row, here, metrics, ways.values()))
    return table([*head, "minutes"], body)


def _each(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def _folds(records: Sequence[RunRecord]) -> str:
    found = []
    for folds in dict.fromkeys(o.folds for o in records):
        ran = len({o.fold for o in records if o.folds == folds})
        found.append(f"{ran} of {folds} folds" if folds else "the fixed split")
    return ", ".join(found)


def _budget_line(results: Results, budget: str) -> str:
    of = [o for o in results.records if o.budget == budget and o.done]
    if not of:
        return f"- {budget_name(budget)}: no run was finished"
    trained = [o for o in of if o.epochs] or of
    repeats = len({o.repeat for o in of})
    sheet = results.sheet
    command = f"fetometry reproduce {sheet.paper} --budget {budget}"
    if budget == OWN:
        command = f"fetometry sweep {sheet.recipe}"
    settings = "; ".join(sheet.budgets.get(budget, ()))
    parts = [
        f"input {_each(o.size for o in trained)}",
        f"{_each(o.epochs for o in trained)} epochs",
        _folds(of),
        f"{repeats} repeat{'s' if repeats > 1 else ''}",
        f"{_each(o.train_images for o in trained)} training {_noun(results)}s",
        f"on {_each(o.device for o in trained)}",
    ]
    said = f"- {budget_name(budget)}: {', '.join(parts)}; made by `{command}`"
    return said + (f"; settings `{settings}`" if settings else "")


def _counted(lines: Sequence[Line], noun: str) -> str:
    found = []
    for side in ("validation", "test"):
        of = [line for line in lines if line.split == side and line.images is not None]
        if of:
            most = max(of, key=lambda line: line.images or 0)
            found.append(f"{side}: {most.images} {noun}s of {most.groups} groups")
    return "; ".join(found)


def _failures(results: Results) -> list[str]:
    return [
        f"- {o.cell}, fold {o.fold}, repeat {o.repeat} ({budget_name(o.budget)}): {o.reason}"
        for o in results.records
        if not o.done
    ]


def markdown(results: Results, lines: Sequence[Line]) -> str:
    """Return the paper's table as a page of Markdown."""
    sheet = results.sheet
    budgets = dict.fromkeys(o.budget for o in results.records)
    noun = _noun(results)
    counted = _counted(lines, noun)
    ours = OUR_SPLIT_OF_VOLUMES if results.of_volumes else OUR_SPLIT
    text = [
        f"# {sheet.title or sheet.paper}",
        *([PHANTOMS_ONLY] if results.on_phantoms else []),
        "\n".join(
            [
                f"- The paper's split: {sheet.split or 'not said'}",
                f"- Our split: {ours}" + (f". {counted}" if counted else ""),
                *(_budget_line(results, budget) for budget in budgets),
            ]
        ),
        results_table(results, lines),
        "ADF is the mean absolute difference; in brackets is the 95 % interval over groups. With "
        "several folds the test number is the mean over the folds' models, and repeats are "
        f"averaged. A{'n' if noun == 'image' else ''} {noun} in which nothing was measured counts "
        "with its full error. A row without numbers has not run. The paper's numbers are of other "
        f"{noun}s than ours.",
        *([VOLUME_NUMBERS] if results.of_volumes else []),
    ]
    failures = _failures(results)
    if failures:
        text += ["Failed:", "\n".join(failures)]
    text.append(
        f"Every metric is in [{sheet.paper}.csv]({sheet.paper}.csv). This page, that file and the "
        f"figures are computed from the results of every {noun} in `{sheet.paper}/` by `fetometry "
        f"collect {results.folder.parent.name}/{sheet.paper}`."
    )
    return "\n\n".join(text) + "\n"


__all__ = [
    "budget_name",
    "chosen_metrics",
    "markdown",
    "numbers",
    "printed",
    "results_table",
    "whose",
]
