"""Published and independent tables that the charts and formulas must give back."""

import csv
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

#: The names of the R package gigs for the INTERGROWTH-21st charts.
GIGS = {
    "hcfga": "intergrowth21_hc",
    "bpdfga": "intergrowth21_bpd",
    "ofdfga": "intergrowth21_ofd",
    "acfga": "intergrowth21_ac",
    "flfga": "intergrowth21_fl",
    "efwfga": "intergrowth21_efw_2017",
    "hefwfga": "intergrowth21_efw_2020",
}


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a table by the names of its columns."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))


def column(name: str, wanted: str, **where: str) -> list[float]:
    """A column of the rows that have these values."""
    return [float(row[wanted]) for row in rows(name) if where.items() <= row.items()]
