"""How often each quality flag is raised, with the values it is raised on.

    python benchmarks/flags.py --data ../shared/data [--model exam] [--split development]

Without a model, on the experts' own landmarks: how often a flag is raised on images that an expert
did measure. Landmarks fit themselves and have no doubts, so flags that are about those come with
a model only, on what it predicts. `--data` holds the folders hc18 and fetal_planes. The split is
one of development (all but the test bucket; the default for landmarks), validation (the default
for a model, which was not trained on it) and test; no limit is chosen on test.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Points
from fetometry.image import read
from fetometry.measure import Check, disagreeing, examine
from fetometry.predict import load
from fetometry.training import data as datasets
from fetometry.training.data import Row
from fetometry.training.metrics import bootstrap
from fetometry.types import Image, ModelRef, Prediction, Spacing

SPLITS: dict[str, tuple[str, ...]] = {
    "development": ("train", "validation"),
    "validation": ("validation",),
    "test": ("test",),
}

EXPERT = ModelRef("expert", "0" * 64, "CC-BY-NC-SA-4.0")

#: What a model itself remarks.
SAID = ("trans-cerebellar", "low-plane-probability")

#: What landmarks never raise, as they are made.
OF_MODELS = frozenset(
    {"poor-fit", "low-probability", "several-candidates", "bent", "ends-off-shaft", *SAID}
)

#: Width of the bar that stands for a shaft, as of the one that the model is taught.
BAR = 0.09

Seen = Callable[[Row, Image], Prediction]


def bar(ends: Points) -> Points:
    """Return points (400, 2) on the outline of a bar between two ends (2, 2)."""
    axis = ends[1] - ends[0]
    half = BAR / 2 * np.array([-axis[1], axis[0]])
    corners = np.array([ends[0] + half, ends[1] + half, ends[1] - half, ends[0] - half])
    t = np.linspace(0, 1, 100, endpoint=False)[:, None]
    sides = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate([one + t * (other - one) for one, other in sides])


def expert(row: Row, image: Image) -> Prediction:
    """Return the landmarks of a row as if a model without doubts had seen them."""
    ends = None if row.ends is None else np.array(row.ends)
    if row.ellipse is None:
        outline = bar(np.array(row.ends))
    else:
        points = row.ellipse.points()
        inside = np.all((points >= -0.5) & (points <= np.array(image.shape) - 0.5), axis=1)
        outline = points[inside]
    return Prediction(row.plane, 1.0, outline, 1, 0.0, EXPERT, ends)


@dataclass
class Column:
    """One flag on one kind of images: its values, and the group of each."""

    check: Check
    values: list[float] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def add(self, check: Check, group: str) -> None:
        """Add one image."""
        self.values.append(check.value)
        self.groups.append(group)

    def line(self, kind: str) -> str:
        """Return the column as a line of the table."""
        check = self.check
        values = np.array(self.values)
        raised = ~((check.low <= values) & (values <= check.high))
        # values may be infinite, and nothing lies between two of those
        levels = np.quantile(values, (0.01, 0.025, 0.5, 0.95, 0.975, 0.99), method="nearest")
        shown = (f"{level:.3g}" for level in levels)
        rate = _rate(check.flag, kind, raised, self.groups)
        return f"{rate} {_limits(check)} | {' | '.join(shown)} |"


def _limits(check: Check) -> str:
    if np.isinf(check.low):
        return f"at most {check.high:.3g}"
    if np.isinf(check.high):
        return f"at least {check.low:.3g}"
    return f"{check.low:.3g} to {check.high:.3g}"


def _rate(flag: str, kind: str, raised: Iterable[bool], groups: list[str]) -> str:
    shares = np.array(list(raised), float)
    rate = bootstrap(100 * shares, groups)
    # none in n groups: 95 % sure of less than 3 in n (Hanley JA, Lippman-Hand A. JAMA 1983)
    high = rate.high if shares.any() else 300 / len(set(groups))
    return (
        f"| {flag} | {kind} | {len(shares)} | {len(set(groups))} | {int(shares.sum())} "
        f"| {rate.value:.1f} % | {rate.low:.1f} to {high:.1f} % |"
    )


def _with_truth(folder: Path, split: str) -> Iterator[Row]:
    for row in datasets.load("hc18+fetal_planes", folder):
        if row.split in SPLITS[split] and row.truth_mm:
            yield row


def examined(rows: Iterable[Row], seen: Seen) -> tuple[dict[tuple[str, str], Column], list[str]]:
    """Return the columns of the table by kind and flag, and what was refused."""
    columns: dict[tuple[str, str], Column] = {}
    refused = []
    for row in rows:
        kind = f"{row.plane}, {row.dataset}"
        image = next(iter(read(row.image)))
        spacing = Spacing(row.spacing_mm, "manifest") if row.spacing_mm else None
        try:
            prediction = seen(row, image)
            checks = examine(image, prediction, spacing)
        except MeasurementError as error:
            refused.append(f"{row.image.name}: {error}")
            continue
        said = [Check(flag, float(flag in prediction.flags), high=0.0) for flag in SAID]
        for check in (*checks, *said):
            columns.setdefault((kind, check.flag), Column(check)).add(check, row.group)
    return columns, refused


def sizes(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of the flag that compares the measurements of one patient, by machine.

    Patients with two or more of HC, AC and FL; not all of a patient's images are of one visit.
    """
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in row.truth_mm.items():
            found[row.machine, row.group][name].append(value)
    raised: dict[str, dict[str, bool]] = defaultdict(dict)
    for (machine, group), by_name in found.items():
        if len({"HC", "AC", "FL"} & set(by_name)) >= 2:
            means = {name: float(np.mean(values)) for name, values in by_name.items()}
            raised[machine][group] = bool(disagreeing(means))
    for machine, by_group in sorted(raised.items()):
        kind = f"patients, {machine}"
        yield _rate("sizes-disagree", kind, by_group.values(), list(by_group)) + " |" * 7


def _by_model(name: str, rows: list[Row]) -> tuple[list[Row], Seen]:
    """Return the rows of the planes that a model measures, and what it sees in one."""
    predictor = load(name)

    def seen(row: Row, image: Image) -> Prediction:
        return predictor.predict(image, row.plane)

    return [row for row in rows if row.plane in predictor.planes], seen


def main() -> None:
    """Measure every image, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--split", choices=SPLITS)
    asked = parser.parse_args()
    split = asked.split or ("validation" if asked.model else "development")
    rows = list(_with_truth(asked.data, split))
    seen: Seen = expert
    if asked.model:
        rows, seen = _by_model(asked.model, rows)
    columns, refused = examined(rows, seen)
    print("| flag | plane, data | images | groups | raised | rate | 95 % interval ", end="")
    print("| limits | 1 % | 2.5 % | median | 95 % | 97.5 % | 99 % |")
    print("|" + "---|" * 14)
    for (kind, flag), column in sorted(columns.items()):
        if asked.model or flag not in OF_MODELS:
            print(column.line(kind))
    if not asked.model:
        print("\n".join(sizes(rows)))
    print(f"\n{len(refused)} refused")
    for reason in refused:
        print(f"- {reason}")


if __name__ == "__main__":
    main()
