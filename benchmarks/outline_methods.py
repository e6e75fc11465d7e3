"""What each way of turning the same probability map into HC gives, paired on the same images.

    python benchmarks/outline_methods.py --data ../shared/data/hc18 [--model hc18-head]
        [--split test]

Every line but the first is the difference of its absolute errors from the first one's.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, apply, fit_ellipse, largest_component, letterbox
from fetometry.image import read
from fetometry.predict import Predictor, load
from fetometry.predict.decode import mask_outline, output_to_source
from fetometry.training import data as datasets
from fetometry.training.data import Row
from fetometry.training.metrics import bootstrap

Logits = NDArray[np.float32]
Method = Callable[[Logits, NDArray[np.float64], tuple[int, int]], Ellipse]


def iso_contour(logits: Logits, to_source: NDArray[np.float64], shape: tuple[int, int]) -> Ellipse:
    """Trace the logits sub-pixel and fit robustly: what the package does."""
    return fit_ellipse(mask_outline(logits, to_source, shape).points).ellipse


def on_probability(
    logits: Logits, to_source: NDArray[np.float64], shape: tuple[int, int]
) -> Ellipse:
    """Trace the probability instead of the logits."""
    soft = 1 / (1 + np.exp(-logits)) - 0.5
    return fit_ellipse(mask_outline(soft, to_source, shape).points).ellipse


def plain_fit(logits: Logits, to_source: NDArray[np.float64], shape: tuple[int, int]) -> Ellipse:
    """Fit by direct least squares alone, without re-weighting."""
    return fit_ellipse(mask_outline(logits, to_source, shape).points, rounds=0).ellipse


def pixel_grid(logits: Logits, to_source: NDArray[np.float64], shape: tuple[int, int]) -> Ellipse:
    """Take OpenCV's contour of the thresholded map, on the pixel grid."""
    part, _ = largest_component(logits > 0)
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=len)[:, 0, ::-1].astype(np.float64)
    return fit_ellipse(apply(to_source, points)).ellipse


def moments(logits: Logits, to_source: NDArray[np.float64], shape: tuple[int, int]) -> Ellipse:
    """Take the ellipse with the soft mask's area moments."""
    part, _ = largest_component(logits > 0)
    near = cv2.dilate(part.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    soft = np.where(near, 1 / (1 + np.exp(-logits.astype(np.float64))), 0)
    grid = np.stack(np.mgrid[: soft.shape[0], : soft.shape[1]], axis=-1).reshape(-1, 2)
    weight = soft.ravel() / soft.sum()
    center = weight @ grid
    around = grid - center
    return Ellipse.from_shape(center, 4 * (around.T * weight) @ around).transformed(to_source)


METHODS: dict[str, Method] = {
    "sub-pixel trace of logits, robust fit": iso_contour,
    "sub-pixel trace of probabilities": on_probability,
    "least squares without re-weighting": plain_fit,
    "area moments of the soft mask": moments,
    "contour on the pixel grid": pixel_grid,
}


def errors_mm(row: Row, predictor: Predictor, methods: dict[str, Method]) -> list[float]:
    """Return measured minus true HC by every method; a failure has the whole truth as error."""
    image = next(iter(read(row.image)))
    logits = predictor.maps([image])[0][str(predictor.info.output_of("mask", "head"))][0]
    size = predictor.info.size
    to_source = output_to_source(letterbox(image.shape, size), size[0] / logits.shape[0])
    truth = row.ellipse.scaled(*row.spacing_mm).circumference
    found = []
    for method in methods.values():
        try:
            ellipse = method(logits, to_source, image.shape)
            found.append(ellipse.scaled(*row.spacing_mm).circumference - truth)
        except MeasurementError:
            found.append(-truth)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="hc18-head")
    parser.add_argument("--split", default="test")
    asked = parser.parse_args()
    predictor = load(asked.model)
    rows = [row for row in datasets.load("hc18", asked.data) if row.split == asked.split]
    groups = [row.group for row in rows]
    columns = [np.array([errors_mm(row, predictor, METHODS) for row in rows])]
    averaged = dataclasses.replace(predictor, flip_average=True)
    only = {"the first, flip averaged": iso_contour}
    columns.append(np.array([errors_mm(row, averaged, only) for row in rows]))
    errors = np.hstack(columns)
    print(f"| {len(rows)} images, {asked.split} | ADF | bias | ADF minus the first's, paired |")
    print("|---|---|---|---|")
    for i, name in enumerate([*METHODS, *only]):
        bias = bootstrap(errors[:, i], groups)
        paired = bootstrap(np.abs(errors[:, i]) - np.abs(errors[:, 0]), groups)
        print(
            f"| {name} | {np.abs(errors[:, i]).mean():.2f} mm | {bias.value:+.2f} mm "
            f"| {paired.value:+.3f} mm ({paired.low:+.3f} to {paired.high:+.3f}) |"
        )


if __name__ == "__main__":
    main()
