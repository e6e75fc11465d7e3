"""Does the model tell planes apart by how large a picture was published? It must not.

    python benchmarks/plane_by_size.py --data ../shared/data/fetal_planes [--model exam]

Images of Fetal Planes with landmarks were published at full size, the others reduced to at most
384 pixels and compressed again. Here the large ones of the test patients are reduced likewise,
and the planes that are found are counted before and after.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fetometry.image import read
from fetometry.predict import Predictor, load
from fetometry.predict.decode import plane_totals
from fetometry.training import data as datasets
from fetometry.types import Image

LONG_SIDE_PX, JPEG_QUALITY = 384, 85


def reduced(image: Image) -> Image:
    """Return the image at the size at which images without landmarks were published."""
    height, width = image.shape
    scale = LONG_SIDE_PX / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    _, code = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return replace(image, pixels=pixels, spacing=None, regions=())


def found(image: Image, predictor: Predictor) -> str:
    """Return the likeliest plane."""
    totals = plane_totals(predictor.plane_probabilities(predictor.maps([image])[0]))
    return max(totals, key=lambda plane: totals[plane])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="exam")
    asked = parser.parse_args()
    predictor = load(asked.model, device="cpu")
    rows = [row for row in datasets.load("fetal_planes", asked.data) if row.split == "test"]
    print("| plane | images | right at full size | right when reduced |")
    print("|---|---|---|---|")
    for plane in predictor.planes:
        images = [
            next(iter(read(row.image))) for row in rows if row.plane == plane and row.truth_mm
        ]
        before = sum(found(image, predictor) == plane for image in images)
        after = sum(found(reduced(image), predictor) == plane for image in images)
        print(f"| {plane} | {len(images)} | {before} | {after} |")


if __name__ == "__main__":
    main()
