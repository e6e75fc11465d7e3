"""What the quality flags mean, in words."""

from __future__ import annotations

from collections.abc import Sequence

from fetometry.types import Measurement, Selected

#: A sentence for each flag that a measurement can carry.
FLAG_TEXT = {
    "cut-by-edge": "The edge of the image cuts the structure; only the visible part was used.",
    "poor-fit": "The outline deviates from an ellipse; check it against the picture.",
    "several-candidates": "More than one structure was seen; the largest was measured.",
    "unusual-shape": "It is longer or rounder than most: see its diameters (for information).",
    "small-in-image": "The structure is small in the image; zoom in for a finer measurement.",
    "low-probability": "The model is unsure along the outline; check it against the picture.",
    "cut-by-sector": "The edge of the sector cuts the structure; only the visible part counts.",
    "bent": "The shaft is not straight; a line between its ends may be too short.",
    "ends-off-shaft": "The ends of the line are not those of the shaft that was seen; check them.",
    "tilted": "The femur lies too steeply in the image; it should lie across the beam.",
    "implausible-size": "The size is not one of 12 to 42 weeks; check the spacing and the picture.",
    "trans-cerebellar": "The cerebellum is in view; HC is taken in the trans-thalamic plane.",
    "low-plane-probability": "The model is unsure which plane this is; check that it is right.",
    "no-outline": "The model told a number alone: nothing shows where it was measured.",
    "end-outside-mask": "An end lies off the shaft that was seen; check it against the picture.",
    "ends-too-close": "The two ends lie nearer than 15 mm: one end may have been seen twice.",
    "touches-border": "The shaft reaches the rim of the volume; only the part inside was measured.",
    "roi-not-found": "Where the femur lies was not found first: the whole volume was searched.",
    "phantom-trained": "The model knows computer-made volumes alone: on real ones it is untested.",
    "edited": "A person placed it; the interval of the model does not hold for it.",
    "plane-chosen": "A person said which plane it is; the model drew it.",
    "sizes-disagree": "HC, AC and FL do not fit one fetus; check the images and their spacing.",
}

#: What is said of measurements in pixels.
NO_SPACING_TEXT = "The spacing is unknown: these are pixels of the image."


def warning_sentences(measurements: Sequence[Measurement | Selected]) -> list[str]:
    """Return what to beware of: that there are no millimetres, and one sentence per flag.

    Flags come in the order of first appearance. What holds for some of the measurements only
    starts with their names. A flag without a sentence of its own is shown by its name.
    """
    carriers: dict[str, list[str]] = {}
    in_pixels = [measurement.name for measurement in measurements if measurement.unit == "px"]
    if in_pixels:
        carriers[NO_SPACING_TEXT] = in_pixels
    for measurement in measurements:
        for flag in measurement.flags:
            carriers.setdefault(FLAG_TEXT.get(flag, flag), []).append(measurement.name)
    return [
        text if len(names) == len(measurements) else f"{', '.join(names)}: {text}"
        for text, names in carriers.items()
    ]
