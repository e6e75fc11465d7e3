"""Edits by hand, and an exam of three planes to make them in."""

from pathlib import Path

from fetometry import image as reading
from fetometry.growth import Dates
from fetometry.pipeline import Settings, measure
from fetometry.review import Edit
from fetometry.types import Image, Spacing
from tests.conftest import SPACING, save_exam


def edit(action, value, *, source="", frame=1, number=1, **more):
    at = "2026-05-21T10:00:00Z"
    said = {"before": {}, "reviewer": "Dr A", "at": at, "model": "three-planes", **more}
    return Edit(number, action, source, None if not source else frame, value, **said)


def numbered(*edits):
    return [Edit(**{**vars(one), "number": k}) for k, one in enumerate(edits, start=1)]


def outline(ellipse):
    """An ellipse as the value of an edit."""
    return {
        "center_px": list(ellipse.center),
        "semi_axes_px": list(ellipse.semi_axes),
        "angle_deg": ellipse.angle_deg,
    }


class Pictures:
    """Frames that are read once, and counted."""

    def __init__(self):
        self.known: dict[tuple[str, int], Image] = {}
        self.read = 0

    def __call__(self, source: str, frame: int) -> Image:
        if (source, frame) not in self.known:
            self.read += 1
            for image in reading.read(Path(source)):
                self.known[source, image.frame] = image
        return self.known[source, frame]


def three(folder, *, spacing=SPACING, **more):
    """The proposal for three planes and one of none, its settings, its pictures, its paths."""
    paths = {plane: str(path) for plane, path in save_exam(folder).items()}
    given = Spacing(spacing, "given") if spacing else None
    settings = Settings(spacing=given, dates=Dates(ga_days=140), **more)
    return measure(folder, settings), settings, Pictures(), paths
