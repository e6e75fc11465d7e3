"""What a sweep found, put into a page that tells of it: short, and never typed by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fetometry.errors import DataError
from fetometry.training.evaluate import PREDICTED, TRUE
from fetometry.training.results import table
from fetometry.training.sweep.records import Results, SheetRow, write_text
from fetometry.training.sweep.table import Line, all_rows
from fetometry.training.sweep.words import budget_name, chosen_metrics, numbers, printed, whose

#: What our split is, in a few words.
SPLIT = "by exam or patient, bucket 0 of 10"
SPLIT_OF_VOLUMES = "by phantom, bucket 0 of 10"


def _cost(line: Line) -> str:
    parts = [
        budget_name(line.budget),
        line.size,
        f"{line.epochs} epochs" if line.epochs else "",
        line.device,
        "" if line.minutes is None else f"{line.minutes:.0f} min",
    ]
    return ", ".join(part for part in parts if part)


def _command(results: Results, row: SheetRow, budget: str) -> str:
    cells = "".join(f' --cell "{cell}"' for cell in row.cells)
    return f"`fetometry reproduce {results.sheet.paper} --budget {budget}{cells}`"


def short_table(results: Results, lines: Sequence[Line]) -> str:
    """Return the table of a page: the paper's numbers, ours on the test side, and how to repeat it.

    A row that has not run has no numbers of ours.
    """
    metrics = chosen_metrics(results)
    told = any(line.routing == TRUE for line in lines)
    split = SPLIT_OF_VOLUMES if results.of_volumes else SPLIT
    head = [
        "row",
        f"paper; its split: {results.sheet.split}",
        f"ours, test{whose(results)}; our split: {split}",
        *(["ours, told the true plane"] if told else []),
        "budget",
        "command",
    ]
    body = []
    for row in all_rows(results):
        here = [line for line in lines if line.row == row.name and line.value is not None]
        for budget in dict.fromkeys(line.budget for line in here) or ("",):
            of = [line for line in here if line.budget == budget]
            ours = [numbers(of, metrics, "test", PREDICTED)]
            ours += [numbers(of, metrics, "test", TRUE)] if told else []
            cost = _cost(of[0]) if of and not row.baseline else budget_name(budget) if of else ""
            command = _command(results, row, budget) if of else ""
            body.append((row.name, printed(row, metrics), *ours, cost, command))
    return table(head, body)


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a page.

    Raises:
        DataError: the page cannot be read, or has no such place.
        OutputError: it cannot be written.
    """
    try:
        whole = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{page}: cannot be read ({error})") from None
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.S)
    if len(place.findall(whole)) != 1:
        raise DataError(
            f"{page}: needs one place for {name}: a line <!-- {name} -->, and below it a line "
            f"<!-- /{name} -->"
        )
    write_text(place.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", whole), page)


__all__ = ["put", "short_table"]
