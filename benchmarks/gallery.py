"""Pictures of a model's results: plots of every measurement, and its worst images.

    python benchmarks/gallery.py RESULTS.csv --data ../shared/data/hc18 --out DIR [--count 8]
        [--dataset hc18] [--model hc18-head]

RESULTS.csv is what `fetometry evaluate --out` wrote. In DIR: bland-altman-HC.png,
error-by-size-HC.png, worst-HC.jpg (expert dashed, model whole line), and so on;
worst-plane.jpg are images whose plane was not recognised.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fetometry.predict import load
from fetometry.training import data as datasets
from fetometry.training.cases import read_cases
from fetometry.training.gallery import Judges, write_gallery
from fetometry.training.plots import write_plots


def main() -> None:
    """Draw the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dataset", default="hc18")
    parser.add_argument("--model", default="hc18-head")
    parser.add_argument("--count", type=int, default=8)
    asked = parser.parse_args()
    cases = read_cases(asked.results)
    judges = Judges(datasets.load(asked.dataset, asked.data), load(asked.model))
    written = write_plots(cases, asked.out)
    written += write_gallery(cases, judges, asked.out, count=asked.count)
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
