"""How long does each system take for an image? All in one run, by turns, on the same images.

    python benchmarks/systems_speed.py --data ../shared/data/hc18 --runs runs

RUNS holds the runs of `fetometry reproduce`, by paper: RUNS/<paper>-small or RUNS/<paper>. The
systems are those of results/systems.toml; the times, from pixels to what was seen, on one image
after another, go into results/speed.csv, where `fetometry systems` finds them.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from contextlib import suppress
from pathlib import Path

from fetometry.errors import MeasurementError
from fetometry.image import read
from fetometry.predict import Predictor, load
from fetometry.training import data as datasets
from fetometry.training.sweep.spec import Cell
from fetometry.training.sweep.systems import SPEED_FILE, System, read_systems

#: How often the systems take turns.
ROUNDS = 2


def model_of(system: System, runs: Path) -> str | None:
    """Return a system's model: a shipped one's name, or the file of its first run."""
    if system.model or not system.runs:
        return system.model or None
    paper, _, cell = system.runs.partition("/")
    for folder in (runs / paper, runs / f"{paper}-small"):
        found = sorted((folder / Cell(cell).slug).glob("f*/model.onnx"))
        if found:
            return str(found[0])
    return None


def taken_ms(predictor: Predictor, image: object) -> float:
    """Return the time of one image, in ms."""
    start = time.perf_counter()
    with suppress(MeasurementError):
        predictor.predict(image)  # type: ignore[arg-type]
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Print the table, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--systems", type=Path, default=Path("results/systems.toml"))
    parser.add_argument("--images", type=int, default=15)
    asked = parser.parse_args()
    rows = [row for row in datasets.load("hc18", asked.data) if row.split == "validation"]
    images = [next(iter(read(row.image))) for row in rows[: asked.images]]
    models = {s.name: model_of(s, asked.runs) for s in read_systems(asked.systems)}
    times: dict[str, list[float]] = {name: [] for name, model in models.items() if model}
    for _ in range(ROUNDS):
        for name, of in times.items():
            # one at a time: the idle threads of another one would still be spinning
            predictor = load(str(models[name]), device="cpu")
            taken_ms(predictor, images[0])
            of += [taken_ms(predictor, image) for image in images]
            del predictor
    print("| system | ms an image (median) |\n|---|---|")
    with (asked.systems.parent / SPEED_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("system", "ms_per_image"))
        for name, of in times.items():
            writer.writerow((name, f"{statistics.median(of):.1f}"))
            print(f"| {name} | {statistics.median(of):.1f} |")


if __name__ == "__main__":
    main()
