"""How well `--spacing ruler` reads the pixel size, against the published one of Fetal Planes.

    python benchmarks/ruler.py --data ../shared/data/fetal_planes [--split test] [--out FILE.csv]

On the images with a published mm per pixel, rows marked as suspect left out. An answer is right
within 2 % of it, wrong beyond 5 %. Intervals are 95 % bootstrap intervals over patients. Phantoms,
whose pixel size is exact, come with every run.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetometry import phantom
from fetometry.errors import SpacingError
from fetometry.image import read
from fetometry.image.ruler import RulerReading, read_ruler
from fetometry.training.data.manifest import SPLITS, TEST_BUCKET, VALIDATION_BUCKET, bucket
from fetometry.training.metrics import bootstrap

RIGHT, WRONG = 0.02, 0.05
PHANTOM_MM = (0.18, 0.22, 0.26, 0.3, 0.35, 0.4)


@dataclass(frozen=True)
class Case:
    """One image: what was published, and what the ruler said or why it said nothing."""

    image: str
    group: str
    machine: str
    mm_per_px: float
    reading: RulerReading | None
    reason: str
    ms: float

    @property
    def error(self) -> float:
        """Relative difference from the published pixel size, NaN where refused."""
        if self.reading is None:
            return float("nan")
        return self.reading.spacing.mm[0] / self.mm_per_px - 1


def _split(patient: str) -> str:
    number = bucket("fetal_planes", patient)
    return {TEST_BUCKET: "test", VALIDATION_BUCKET: "validation"}.get(number, "train")


def _reason(error: SpacingError) -> str:
    """Return what an error says without its file, numbers and advice."""
    told = str(error).split("cannot be read: ")[-1].split("; give")[0]
    # the numbers of ticks and pixels differ in every image, the unit that is open does not
    return re.sub(r"^\d+ ticks [\d.]+ px", "ticks", re.sub(r"only [\d.]+", "low", told))


def score(image: Path, row: dict[str, str]) -> Case:
    """Read one image's ruler."""
    pixels = next(iter(read(image))).pixels
    reading, reason, start = None, "", time.perf_counter()
    try:
        reading = read_ruler(pixels, image.name)
    except SpacingError as error:
        reason = _reason(error)
    ms = 1000 * (time.perf_counter() - start)
    mm = float(row["mm_per_px"])
    return Case(row["image"], row["patient"], row["us_machine"], mm, reading, reason, ms)


def cases(data: Path, split: str) -> list[Case]:
    """Score every image of a split that has a published pixel size."""
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["mm_per_px"]]
    wanted = [row for row in rows if row["suspect"] != "1" and _split(row["patient"]) == split]
    return [score(data / row["image"], row) for row in wanted]


def _share(chosen: Sequence[Case], all_of: Sequence[Case], is_so: Callable[[Case], bool]) -> str:
    if not chosen:
        return f"0 of {len(all_of)}"
    e = bootstrap([100.0 * is_so(case) for case in chosen], [case.group for case in chosen])
    return f"{e.value:.1f} ({e.low:.1f} to {e.high:.1f})"


def _row(name: str, some: Sequence[Case]) -> str:
    answered = [case for case in some if case.reading is not None]
    return (
        f"| {name} | {len(some)} | {_share(some, some, lambda c: c.reading is not None)} "
        f"| {_share(answered, some, lambda c: abs(c.error) <= RIGHT)} "
        f"| {_share(answered, some, lambda c: abs(c.error) > WRONG)} |"
    )


def _phantoms() -> str:
    off = []
    for seed, mm in enumerate(PHANTOM_MM):
        made = phantom.head(phantom.HeadSpec(mm_per_px=(mm, mm), seed=seed))
        off.append(abs(read_ruler(made.pixels, "phantom").spacing.mm[0] / mm - 1))
    return f"Phantoms: {len(off)} of {len(PHANTOM_MM)} read, largest error {100 * max(off):.2f} %."


def show(found: Sequence[Case]) -> None:
    """Print the table, the refusals by reason and the time."""
    print("| machine | images | answered, % | of these right within 2 %, % | wrong by > 5 %, % |")
    print("|---|---|---|---|---|")
    for machine in sorted({case.machine for case in found}):
        print(_row(machine, [case for case in found if case.machine == machine]))
    print(_row("all", found))
    print("\n| refused because | images |\n|---|---|")
    for reason, count in Counter(case.reason for case in found if case.reason).most_common():
        print(f"| {reason} | {count} |")
    far = [case for case in found if abs(case.error) > RIGHT]
    print(f"\n| further off than {RIGHT:.0%} | machine | error | ruler |\n|---|---|---|---|")
    for case in sorted(far, key=lambda case: -abs(case.error)):
        said = case.reading.spacing.source if case.reading else ""
        print(f"| {Path(case.image).name} | {case.machine} | {100 * case.error:+.1f} % | {said} |")
    median, most = np.quantile([case.ms for case in found], [0.5, 0.95])
    print(f"\n{median:.0f} ms an image (median), {most:.0f} ms (95th percentile).")
    print(_phantoms())


def write(found: Sequence[Case], path: Path) -> None:
    """Write one line for each image."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["image", "patient", "machine", "mm_per_px", "ruler_mm_per_px", "confidence", "said"]
        )
        for case in found:
            seen = case.reading
            told = (seen.spacing.mm[0], seen.confidence, seen.evidence) if seen else ("", "", "")
            said = case.reason or told[2]
            writer.writerow(
                [case.image, case.group, case.machine, case.mm_per_px, told[0], told[1], said]
            )


def main() -> None:
    """Read the rulers of one split and print how far off they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = cases(asked.data, asked.split)
    show(found)
    if asked.out:
        write(found, asked.out)


if __name__ == "__main__":
    main()
