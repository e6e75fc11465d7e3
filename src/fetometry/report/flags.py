"""What the quality flags mean, in words."""

from __future__ import annotations

from collections.abc import Sequence

from fetometry.types import Measurement

#: A sentence for each flag that a measurement can carry.
FLAG_TEXT = {
    "cut-by-edge": "Part of the outline lies outside the image; fitted on the visible part.",
    "poor-fit": "The outline deviates from an ellipse; check it against the picture.",
    "several-candidates": "More than one structure was seen; the largest was measured.",
    "unusual-shape": "The cephalic index is outside 0.70 to 0.86 (for information).",
    "small-in-image": "The structure is small in the image; zoom in for a finer measurement.",
    "low-probability": "The model is unsure along the outline; check it against the picture.",
}


def flag_sentences(measurements: Sequence[Measurement]) -> list[str]:
    """Return one sentence per flag, in the order of first appearance.

    A flag that only some of the measurements carry starts with their names. A flag without a
    sentence of its own is shown by its name.
    """
    carriers: dict[str, list[str]] = {}
    for measurement in measurements:
        for flag in measurement.flags:
            carriers.setdefault(flag, []).append(measurement.name)
    return [
        FLAG_TEXT.get(flag, flag)
        if len(names) == len(measurements)
        else f"{', '.join(names)}: {FLAG_TEXT.get(flag, flag)}"
        for flag, names in carriers.items()
    ]
