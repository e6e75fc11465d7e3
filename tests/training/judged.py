"""Judged images made by hand, and a predictor that sees what it is told to see."""

from types import SimpleNamespace

import numpy as np

from fetometry.errors import MeasurementError, PlaneError
from fetometry.training.cases import Case, Size
from fetometry.training.evaluate import likeliest
from fetometry.types import PLANE_CLASSES, PLANES, ModelRef, Prediction


def sure_of(name, probability=0.96):
    """Probabilities of all classes; the rest is shared evenly."""
    rest = (1 - probability) / (len(PLANE_CLASSES) - 1)
    return {n: probability if n == name else rest for n in PLANE_CLASSES}


class Fake:
    """A predictor that sees one outline (N, 2) and two ends in every image, or nothing.

    `planes` are the probabilities that it gives; without them it knows one plane alone.
    """

    def __init__(self, outline=None, ends=None, *, planes=None, plane="head", **seen):
        self.outline, self.ends, self.odds, self.plane = outline, ends, planes or {}, plane
        self.seen = {"candidates": 1, "softness": 0.0, **seen}
        self.planes = PLANES if planes else (plane,)
        self.info = SimpleNamespace(
            ref=ModelRef("fake", "ab" * 32, "CC0-1.0"),
            details={},
            outputs={"plane": {"kind": "planes", "classes": list(PLANE_CLASSES)}},
            output_of=lambda kind, plane="": "plane" if kind == "planes" and self.odds else None,
        )

    def maps(self, images):
        return [{} for _ in images]

    def plane_probabilities(self, maps):
        return self.odds

    def decode(self, image, maps, plane="auto"):
        found = likeliest(self.odds) if self.odds else self.plane
        if plane == "auto" and found not in self.planes:
            raise PlaneError("shows none of the planes that are measured")
        if self.outline is None and self.ends is None:
            raise MeasurementError("nothing was found")
        return Prediction(
            plane=found if plane == "auto" else plane,
            plane_probability=None,
            outline_px=np.zeros((0, 2)) if self.outline is None else self.outline,
            model=self.info.ref,
            ends_px=self.ends,
            planes=self.odds,
            **self.seen,
        )


def case(image="1.png", **changes):
    """An image judged: a head whose group is the first part of its name, unless told otherwise."""
    given = {
        "dataset": "hc18",
        "image": image,
        "group": image.partition(".")[0],
        "machine": "",
        "plane": "head",
        "view": "",
        "bucket": 4,
        "split": "validation",
        "routing": "predicted",
        "model": "fake abababababab",
        "found_plane": "head",
    }
    return Case(**{**given, **changes})


def head(difference, image="1.png", truth=100.0, **changes):
    """A head whose HC is so many mm too large; its BPD a quarter, its OFD half as much."""
    sizes = {
        name: Size(
            round(part * truth, 5), 0.0 if "failure" in changes else round(part * truth + error, 9)
        )
        for name, part, error in (
            ("HC", 1.0, difference),
            ("BPD", 0.28, difference / 4),
            ("OFD", 0.36, difference / 2),
        )
    }
    return case(image, **{"sizes": sizes, "dice": 0.98, "hausdorff_mm": 1.0, **changes})


def sized(name, values, *, plane="head", low=None, high=None, **changes):
    """One case a pair (truth, measured) of a measurement."""
    return [
        case(
            f"{i}.png",
            plane=plane,
            found_plane=plane,
            sizes={
                name: Size(
                    truth,
                    value,
                    None if low is None else low * value,
                    None if high is None else high * value,
                )
            },
            **changes,
        )
        for i, (truth, value) in enumerate(values)
    ]


def told(shown, found, view="", flags=(), count=1, probability=0.96, start=0):
    """So many images of which only the plane is known, each of its own group."""
    plane = found.partition(":")[0]
    return [
        case(
            f"{shown}-{found}-{view}-{start + i}.png",
            dataset="fetal_planes",
            plane=shown,
            view=view,
            found_plane=plane,
            planes=sure_of(found, probability),
            flags=flags,
        )
        for i in range(count)
    ]
