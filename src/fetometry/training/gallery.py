"""The worst images of a model as pictures: the expert's truth beside what the model saw.

The images of most data sets may not be passed on freely: look at their licence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import OutputError
from fetometry.geometry import Points
from fetometry.predict import Predictor
from fetometry.training.cases import Case, measured
from fetometry.training.data import Row
from fetometry.training.evaluate import Seen, see
from fetometry.training.volume_scores import of_volumes, on_phantoms

Picture = NDArray[np.uint8]  # (H, W, 3), blue green red as OpenCV has it

#: One image, the lines of text below it, the title above all.
HEIGHT, WIDTH, STRIP, TITLE = 324, 480, 44, 30
COLUMNS = 2

#: Blue green red.
EXPERT, MODEL = (90, 220, 255), (255, 190, 80)
TEXT, FONT, FONT_SIZE = (235, 235, 235), cv2.FONT_HERSHEY_SIMPLEX, 0.42

#: Room round what is shown, as a share of its size.
MARGIN = 0.3

#: Radius of the rings round the ends of a diameter, in pixels.
RING = 4

#: OpenCV takes coordinates as integers with this many fractional bits.
FRACTION_BITS = 4

#: The gallery of images whose plane was not recognised.
PLANE = "plane"

#: By what volumes are ranked whose model tells no length.
OVERLAP = "DSC"


def _truth(row: Row, name: str) -> list[Points]:
    """Return the expert's outline, and the diameter that is asked for, where it is known."""
    lines = []
    if row.ellipse is not None:
        ends = row.ellipse.axis_points
        lines += [row.ellipse.points(240), *{"OFD": [ends[:2]], "BPD": [ends[2:]]}.get(name, [])]
    if row.ends is not None and name in ("TAD", "FL"):
        lines.append(np.array(row.ends))
    return lines


def _found(seen: Seen, name: str) -> list[Points]:
    """Return what the model measured: its ellipse, and the diameter that is asked for."""
    if seen.finding is None:
        return []
    points = seen.finding.points_px
    lines = [seen.finding.ellipse.points(240)] if seen.finding.ellipse else []
    if f"{name}_1" in points:
        lines.append(np.array([points[f"{name}_1"], points[f"{name}_2"]]))
    return lines


def _window(shape: tuple[int, int], lines: Sequence[Points]) -> tuple[slice, slice]:
    """Return the rows and columns round some lines, in the panel's proportions."""
    if not lines:
        return slice(0, shape[0]), slice(0, shape[1])
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    size = (high - low) * (1 + 2 * MARGIN)
    scale = max(size[0] / HEIGHT, size[1] / WIDTH)
    half = scale * np.array([HEIGHT, WIDTH]) / 2
    start = np.clip(np.floor((low + high) / 2 - half), 0, None).astype(int)
    stop = np.minimum(np.ceil((low + high) / 2 + half), shape).astype(int)
    return slice(int(start[0]), int(stop[0])), slice(int(start[1]), int(stop[1]))


def draw_line(panel: Picture, line: Points, *, dashed: bool) -> None:
    """Draw an outline, or a diameter with rings round its two ends; the truth's dashed."""
    closed, color = len(line) > 2, EXPERT if dashed else MODEL
    if not closed:
        for row, col in np.round((1 << FRACTION_BITS) * line).astype(int).tolist():
            ring = RING << FRACTION_BITS
            cv2.circle(panel, (col, row), ring, color, 1, cv2.LINE_AA, FRACTION_BITS)
        line = line[0] + np.linspace(0, 1, 45)[:, None] * (line[1] - line[0])
    points = np.round((1 << FRACTION_BITS) * line[:, ::-1]).astype(np.int32)
    for i in range(len(points) if closed else len(points) - 1):
        if not dashed or i % 8 < 4:
            one, other = points[i].tolist(), points[(i + 1) % len(points)].tolist()
            cv2.line(panel, one, other, color, 1, cv2.LINE_AA, FRACTION_BITS)


def write_line(panel: Picture, text: str, row: int) -> None:
    """Write a line of text, cut where the panel ends."""
    shown = text.encode("ascii", "replace").decode()
    room = panel.shape[1] - 16
    while cv2.getTextSize(shown, FONT, FONT_SIZE, 1)[0][0] > room:
        shown = shown[:-4] + "..."
    cv2.putText(panel, shown, (8, row), FONT, FONT_SIZE, TEXT, 1, cv2.LINE_AA)


def _panel(
    pixels: NDArray[np.uint8], truth: list[Points], found: list[Points], text: Sequence[str]
) -> Picture:
    """Draw one image (H, W) with the lines of expert and model, and its numbers below."""
    rows, cols = _window((pixels.shape[0], pixels.shape[1]), [*truth, *found])
    part = pixels[rows, cols]
    scale = min(HEIGHT / part.shape[0], WIDTH / part.shape[1])
    size = (max(1, round(part.shape[0] * scale)), max(1, round(part.shape[1] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (HEIGHT - size[0]) // 2, (WIDTH - size[1]) // 2
    panel = np.zeros((HEIGHT + STRIP, WIDTH, 3), np.uint8)
    shown = cv2.resize(part, size[::-1], interpolation=how)
    panel[top : top + size[0], left : left + size[1]] = shown[..., None]
    start = np.array([rows.start, cols.start])
    for lines, dashed in ((truth, True), (found, False)):
        for line in lines:
            draw_line(panel, (line - start + 0.5) * scale - 0.5 + (top, left), dashed=dashed)
    for i, line_of_text in enumerate(text):
        write_line(panel, line_of_text, HEIGHT + 18 + 18 * i)
    return panel


def together(title: str, panels: Sequence[Picture], columns: int = COLUMNS) -> Picture:
    """Put panels under each other, so many a row, below a title."""
    filled = [*panels, *[np.zeros_like(panels[0])] * (-len(panels) % columns)]
    rows = [np.hstack(filled[i : i + columns]) for i in range(0, len(filled), columns)]
    head = np.zeros((TITLE, rows[0].shape[1], 3), np.uint8)
    write_line(head, title, TITLE - 11)
    return np.vstack([head, *rows])


def _said(case: Case, name: str) -> tuple[str, str]:
    size = case.sizes[name]
    value = "nothing" if size.failed else f"{size.measured_mm:.1f} mm"
    return (
        f"{Path(case.image).stem}: expert {size.truth_mm:.1f}, model {value} "
        f"({size.difference_percent:+.1f} %)",
        case.failure or ", ".join(case.flags) or "no flag",
    )


def _said_of_plane(case: Case) -> tuple[str, str]:
    sure = ", ".join(f"{name} {p:.2f}" for name, p in case.planes.items() if p >= 0.005)
    return f"{Path(case.image).stem}: is {case.plane}, found {case.found_plane}", sure


def error_of(case: Case, name: str) -> float | None:
    """Return how far off a measurement is, in mm, or an overlap from 1; None if not told."""
    if name == OVERLAP:
        return None if case.dice is None else 1 - case.dice
    return abs(case.sizes[name].difference_mm) if name in case.sizes else None


def by_error(cases: Iterable[Case], name: str) -> list[Case]:
    """Return the cases in which something was judged, those with the least error first."""
    told = [(error, case) for case in cases if (error := error_of(case, name)) is not None]
    return [case for _, case in sorted(told, key=lambda pair: pair[0])]


def shown(cases: Sequence[Case]) -> list[str]:
    """Return what there are pictures of: what was measured; of volumes without, the overlap."""
    names = measured(cases)
    overlaps = any(case.of_volume and case.dice is not None for case in cases)
    return names or ([OVERLAP] if overlaps else [])


def worst(cases: Iterable[Case], name: str, count: int) -> list[Case]:
    """Return the cases with the largest errors of a measurement in mm, the largest first."""
    # reversed twice: of equal errors the first stays the first
    return by_error(reversed(list(cases)), name)[::-1][:count]


def misplaced(cases: Iterable[Case], count: int) -> list[Case]:
    """Return the cases whose plane was not recognised, the surest first."""
    wrong = [case for case in cases if case.planes and case.found_plane != case.plane]
    return sorted(wrong, key=lambda case: -max(case.planes.values()))[:count]


class Viewer(Protocol):
    """Who looks again at an image or a volume of a result, and draws what is seen there."""

    def panel(self, case: Case, name: str, text: Sequence[str] = ()) -> Picture:
        """Draw it with what truth and model say; `text` are two lines below it."""
        ...


@dataclass(frozen=True)
class Judges:
    """Who looks again at the images of a result: the data set's rows and the model."""

    rows: Sequence[Row]
    predictor: Predictor

    def again(self, case: Case) -> tuple[Row, Seen]:
        """Return the row of a case, and what the model sees there."""
        row = next(r for r in self.rows if (r.dataset, r.image.name) == case.key)
        return row, see(row, self.predictor, case.routing)

    def panel(self, case: Case, name: str, text: Sequence[str] = ()) -> Picture:
        """Draw one image with what expert and model say of a measurement, or of the plane.

        `text` are the two lines below it; without them they say the two numbers and the flags.
        """
        row, seen = self.again(case)
        truth = [] if name == PLANE else _truth(row, name)
        return _panel(seen.image.pixels, truth, _found(seen, name), text or _said(case, name))


def counted_as(cases: Sequence[Case]) -> tuple[str, str]:
    """Return what the cases are of, and whose lines are how, in words."""
    if not of_volumes(cases):
        return "images", "expert dashed, model whole line"
    noun = "phantoms" if on_phantoms(cases) else "volumes"
    return noun, "truth dashed, model whole line; a ring is an end off the slice"


def gallery(cases: Sequence[Case], name: str, judges: Viewer, *, count: int = 8) -> Picture | None:
    """Draw the worst images of a measurement, or of the plane; None where there are none."""
    text: Callable[[Case], Sequence[str]]
    if name == PLANE:
        chosen, text = misplaced(cases, count), _said_of_plane
        title = f"planes not recognised: the surest {len(chosen)} images"
    else:
        chosen, text = worst(cases, name, count), lambda case: ()
        total, (noun, lines) = len(by_error(cases, name)), counted_as(cases)
        title = f"{name}: the largest errors of {total} {noun}; {lines}"
    panels = [judges.panel(case, name, text(case)) for case in chosen]
    return together(title, panels) if panels else None


def write_gallery(
    cases: Sequence[Case], judges: Viewer, folder: Path, *, count: int = 8
) -> list[Path]:
    """Draw the worst images of each measurement, and of the plane, as worst-HC.jpg and so on.

    Raises:
        OutputError: a file cannot be written there.
    """
    written = []
    for name in (*shown(cases), PLANE):
        picture = gallery(cases, name, judges, count=count)
        if picture is None:
            continue
        path = folder / f"worst-{name}.jpg"
        code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(code.tobytes())
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
        written.append(path)
    return written


__all__ = [
    "Judges",
    "Picture",
    "Viewer",
    "by_error",
    "counted_as",
    "draw_line",
    "error_of",
    "gallery",
    "misplaced",
    "shown",
    "together",
    "worst",
    "write_gallery",
    "write_line",
]
