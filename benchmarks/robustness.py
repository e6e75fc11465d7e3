"""How far harmless changes of a picture move HC: the standard deviation of the relative change.

    python benchmarks/robustness.py --data ../shared/data/hc18 [--model hc18-head] [--out FILE.csv]

On the test exams of HC18. A measurement that fails after a change counts as a change of 100 %.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.image import read
from fetometry.measure import measure_head
from fetometry.predict import Predictor, load
from fetometry.training import data as datasets
from fetometry.training.metrics import bootstrap
from fetometry.types import Image, Spacing

Pixels = NDArray[np.uint8]


def rotated(pixels: Pixels, degrees: float) -> Pixels:
    """Turn a picture about its middle on a canvas that holds all of it; black around."""
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (round(width * cos + height * sin), round(width * sin + height * cos))
    matrix[:, 2] += (np.array(size) - (width, height)) / 2
    return np.asarray(cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC), np.uint8)


def gained(pixels: Pixels, factor: float) -> Pixels:
    """Multiply the grey values, clipped at white."""
    return np.clip(pixels * factor, 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels) -> Pixels:
    """Store as JPEG of quality 70 and read again."""
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def painted(pixels: Pixels) -> Pixels:
    """Paint calliper crosses in the picture, a dotted line, and the usual text at its edges."""
    shown = pixels.copy()
    height, width = pixels.shape
    places = ((0.35, 0.3), (0.65, 0.7), (0.3, 0.62), (0.7, 0.4))
    for row, col in places:
        at = (round(col * width), round(row * height))
        cv2.drawMarker(shown, at, 255, cv2.MARKER_CROSS, 14, 1)
    (r1, c1), (r2, c2) = places[0], places[1]
    for t in np.linspace(0, 1, 40):
        at = (round((c1 + t * (c2 - c1)) * width), round((r1 + t * (r2 - r1)) * height))
        cv2.circle(shown, at, 1, 255, -1)
    for text, row in (("HC 25.3 cm", 0.9), ("GA 27w3d", 0.95), ("MI 1.1  TIs 0.2", 0.05)):
        at = (round(0.02 * width), round(row * height))
        cv2.putText(shown, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    return shown


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "rotation +10 degrees": lambda p: rotated(p, 10),
    "rotation -10 degrees": lambda p: rotated(p, -10),
    "rotation +25 degrees": lambda p: rotated(p, 25),
    "flip left-right": lambda p: p[:, ::-1].copy(),
    "flip up-down": lambda p: p[::-1].copy(),
    "gain x 0.8": lambda p: gained(p, 0.8),
    "gain x 1.25": lambda p: gained(p, 1.25),
    "blur, sigma 1 px": lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 1.0), np.uint8),
    "JPEG, quality 70": jpeg,
    "callipers and text": painted,
}


def hc_mm(predictor: Predictor, pixels: Pixels, spacing: Spacing) -> float:
    """Measure HC; NaN where it fails."""
    image = Image(pixels, "changed", spacing=spacing)
    try:
        prediction = predictor.predict(image)
        return measure_head(image, prediction, spacing).measurements[0].value
    except MeasurementError:
        return float("nan")


def main() -> None:
    """Measure every test image as it is and after each change, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="hc18-head")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    predictor = load(asked.model, device=asked.device)
    rows = [row for row in datasets.load("hc18", asked.data) if row.split == "test"]
    changes: dict[str, list[float]] = {name: [] for name in CHANGES}
    groups = []
    for row in rows:
        pixels = next(iter(read(row.image))).pixels
        spacing = Spacing(row.spacing_mm, "manifest")
        plain = hc_mm(predictor, pixels, spacing)
        if np.isnan(plain):
            continue  # what fails as it is, is counted by `fetometry evaluate`
        groups.append(row.group)
        for name, change in CHANGES.items():
            moved = hc_mm(predictor, change(pixels), spacing)
            changes[name].append(-100.0 if np.isnan(moved) else 100 * (moved / plain - 1))
    print(f"| {len(groups)} test images | SD of the change of HC | 95 % interval | mean | failed |")
    print("|---|---|---|---|---|")
    for name, values in changes.items():
        e = bootstrap(values, groups, lambda v: float(v.std(ddof=1)))
        failed = sum(v == -100 for v in values)
        print(
            f"| {name} | {e.value:.2f} % | {e.low:.2f} to {e.high:.2f} % "
            f"| {np.mean(values):+.2f} % | {failed} |"
        )
    if asked.out:
        with asked.out.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["group", *changes])
            columns = [[f"{v:.4f}" for v in values] for values in changes.values()]
            writer.writerows(zip(groups, *columns, strict=True))


if __name__ == "__main__":
    main()
