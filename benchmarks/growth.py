"""How long a million rows take on the charts and formulas, as ratios to the bare equation.

    python benchmarks/growth.py [--rows 1000000]

The limit is the z score of HC typed out in numpy, without a range, a unit check or a centile.
Times are the processor's, medians of several runs; compare only numbers of one run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fetometry.growth import catalogue, grow_table

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def timed(work: Callable[[], object], times: int = 5) -> float:
    """Return the median processor time of a piece of work, in ms."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken)


def bare(hc_mm: Floats, days: Floats) -> Floats:
    """Return the z score of HC by INTERGROWTH-21st, and look at nothing else."""
    w = days / 7
    ln = np.log(w)
    mean = -28.2849 + 1.69267 * w**2 - 0.397485 * w**2 * ln
    sd = 1.98735 + 0.0136772 * w**3 - 0.00726264 * w**3 * ln + 0.000976253 * w**3 * ln**2
    return (hc_mm - mean) / sd


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    known, random = catalogue(), np.random.default_rng(0)
    days = random.integers(154, 281, rows).astype(np.float64)
    z = random.normal(size=rows)
    charts = {name: known.chart(f"intergrowth21_{name.lower()}") for name in ("HC", "AC", "FL")}
    sizes = {name: chart.value_many(ga_days=days, z=z) for name, chart in charts.items()}
    weight = known.formula("hadlock1985_efw_hc_ac_fl")
    grams = weight.evaluate_many(sizes).value
    who, efw = known.chart("who2017_hc"), known.chart("intergrowth21_efw_2020")
    works = {
        "bare z score of HC": lambda: bare(sizes["HC"], days),
        "HC on INTERGROWTH-21st": lambda: charts["HC"].place_many(sizes["HC"], days),
        "HC on WHO": lambda: who.place_many(sizes["HC"], days),
        "weight by Hadlock III": lambda: weight.evaluate_many(sizes),
        "weight on INTERGROWTH-21st 2020": lambda: efw.place_many(grams, days),
    }
    taken = {name: timed(work) for name, work in works.items()}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.csv")
        table = np.column_stack([*sizes.values(), days])[: rows // 10]
        heading = "hc_mm,ac_mm,fl_mm,ga_days"
        np.savetxt(source, table, "%.1f", ",", header=heading, comments="")
        taken["a tenth of the rows as a CSV table"] = timed(
            lambda: grow_table(source, Path(folder, "out.csv")), 1
        )
    limit = taken["bare z score of HC"]
    print(f"{rows} rows\n\n| work | ms | ratio |\n|---|---|---|")
    for name, milliseconds in taken.items():
        print(f"| {name} | {milliseconds:.0f} | {milliseconds / limit:.1f} |")


if __name__ == "__main__":
    main()
