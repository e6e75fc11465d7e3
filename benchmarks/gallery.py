"""The worst measurements of a model as one picture: the expert's ellipse beside the model's.

    python benchmarks/gallery.py RESULTS.csv --data ../shared/data/hc18 --out worst.jpg [--count 8]

RESULTS.csv is what `fetometry evaluate --out` wrote. Expert: dashed; model: whole line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse
from fetometry.image import read
from fetometry.measure import measure_head
from fetometry.predict import Predictor, load
from fetometry.training import data as datasets
from fetometry.training.data import Row
from fetometry.training.evaluate import Case, read_cases
from fetometry.types import Spacing

WIDTH, HEIGHT, STRIP = 480, 324, 44
EXPERT, MODEL = (90, 220, 255), (255, 190, 80)  # BGR


def outline(panel: NDArray[np.uint8], ellipse: Ellipse, scale: float, *, dashed: bool) -> None:
    """Draw an ellipse of source pixels on a panel scaled from the source."""
    points = np.round(16 * scale * ellipse.points(240)[:, ::-1]).astype(np.int32)
    color = EXPERT if dashed else MODEL
    for i in range(0, len(points), 1):
        if dashed and i % 8 >= 4:
            continue
        ends = points[i], points[(i + 1) % len(points)]
        cv2.line(panel, *(tuple(map(int, e)) for e in ends), color, 1, cv2.LINE_AA, 4)


def draw(row: Row, case: Case, predictor: Predictor) -> NDArray[np.uint8]:
    """Draw one image with both ellipses, and its numbers below."""
    image = next(iter(read(row.image)))
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    panel = np.zeros((HEIGHT + STRIP, WIDTH, 3), np.uint8)
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    panel[: size[1], : size[0]] = small[..., None]
    outline(panel, row.ellipse, scale, dashed=True)
    try:
        prediction = predictor.predict(image)
        finding = measure_head(image, prediction, Spacing(row.spacing_mm, "manifest"))
        outline(panel, finding.ellipse, scale, dashed=False)
    except MeasurementError:
        pass  # a failure has no ellipse; its reason is in the strip
    lines = (
        f"{Path(case.image).stem}: expert {case.truth_mm:.1f}, model {case.measured_mm:.1f} mm "
        f"({case.difference_mm:+.1f})",
        case.failure or case.flags.replace(";", ", ") or "no flag",
    )
    for i, text in enumerate(lines):
        at = (8, HEIGHT + 18 + 18 * i)
        cv2.putText(
            panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA
        )
    return panel


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="hc18-head")
    parser.add_argument("--count", type=int, default=8)
    asked = parser.parse_args()
    cases = sorted(read_cases(asked.results), key=lambda c: -abs(c.difference_mm))[: asked.count]
    rows = {row.image.name: row for row in datasets.load("hc18", asked.data)}
    predictor = load(asked.model)
    panels = [draw(rows[case.image], case, predictor) for case in cases]
    if len(panels) % 2:
        panels.append(np.zeros_like(panels[0]))
    pairs = zip(panels[::2], panels[1::2], strict=True)
    picture = np.vstack([np.hstack(pair) for pair in pairs])
    if not cv2.imwrite(str(asked.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        raise SystemExit(f"cannot write {asked.out}")


if __name__ == "__main__":
    main()
