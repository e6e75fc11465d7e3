"""Judge a model file on one side of a data set, as a user would run it. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError, PlaneError
from fetometry.geometry import invert, letterbox
from fetometry.image import read
from fetometry.measure import measure
from fetometry.predict import Predictor
from fetometry.predict.catalogue import measured_by
from fetometry.predict.decode import plane_totals
from fetometry.predict.engine import Maps
from fetometry.predict.seeing import Place
from fetometry.training.cases import Case, Size
from fetometry.training.data import AnyRow, Row
from fetometry.training.metrics import (
    dice,
    ellipse_hausdorff_mm,
    end_error_mm,
    mean_iou,
    pixel_accuracy,
)
from fetometry.types import MAIN, NO_PLANE, Finding, Image, Prediction, Spacing

#: What says which plane is measured: the model, as in use, or the truth.
PREDICTED, TRUE = "predicted", "true"
ROUTINGS = (PREDICTED, TRUE)

#: The side of the images of the machine that a training left out.
LEFT_OUT = "left-out"

Mask = NDArray[np.bool_]
AnyRowT = TypeVar("AnyRowT", bound=AnyRow)


def side(row: AnyRow, details: Mapping[str, Any]) -> str:
    """Return on which side an image was for a model: train, validation, test or left-out.

    `details` are what the model's file says of itself (`ModelInfo.details`): its recipe tells
    which fold it was trained in, and whether one machine's images were kept from it.
    """
    data = details.get("recipe", {}).get("data", {})
    if data.get("without_machine") and row.machine == data["without_machine"]:
        return LEFT_OUT
    if data.get("fold", -1) >= 0:
        return row.split_in_fold(data["fold"], data["folds"])
    return row.split


def rows_for(rows: Iterable[AnyRowT], split: str, details: Mapping[str, Any]) -> list[AnyRowT]:
    """Return the images, or volumes, that are on one side for a model; `details` as in `side`."""
    return [row for row in rows if side(row, details) == split]


def likeliest(planes: Mapping[str, float]) -> str:
    """Return the plane with the largest probability, all views of a plane together."""
    totals = plane_totals(planes)
    return max(totals, key=lambda plane: totals[plane])


@dataclass(frozen=True)
class Seen:
    """What a model made of one image: its finding, or why there is none, and `planes`' odds.

    `maps` are its outputs, before anything was read from them.
    """

    image: Image
    planes: Mapping[str, float]
    maps: Maps = field(default_factory=dict)
    finding: Finding | None = None
    flags: tuple[str, ...] = ()
    failure: str = ""


def _reason(error: MeasurementError, row: Row) -> str:
    """Return why, without the folder that the image lies in on this machine."""
    return str(error).replace(str(row.image), row.image.name)


def see(row: Row, predictor: Predictor, routing: str = PREDICTED) -> Seen:
    """Let a model measure one image of a data set, at its full size.

    An image taken for another plane than its own is a failure. One of which only the plane is
    known is not measured.
    """
    image = next(iter(read(row.image)))
    maps = predictor.maps([image])[0]
    seen = Seen(image, predictor.plane_probabilities(maps), maps)
    insists = routing == TRUE and row.plane in predictor.planes
    try:
        prediction = predictor.decode(image, maps, row.plane if insists else "auto")
    except PlaneError as error:
        # of an image that shows none of the planes this is the right answer
        return replace(seen, failure="" if row.plane == NO_PLANE else _reason(error, row))
    except MeasurementError as error:
        return replace(seen, failure=_reason(error, row))
    return _measured(replace(seen, flags=prediction.flags), row, prediction)


def _measured(seen: Seen, row: Row, prediction: Prediction) -> Seen:
    """Measure what was predicted, where there is a truth to compare it with."""
    if prediction.plane != row.plane:
        return replace(seen, failure=f"taken for: {prediction.plane}")
    if row.spacing_mm is None or not row.truth_mm:
        return seen
    try:
        finding = measure(seen.image, prediction, Spacing(row.spacing_mm, "manifest"))
    except MeasurementError as error:
        return replace(seen, failure=_reason(error, row))
    flags = (*seen.flags, *(flag for m in finding.measurements for flag in m.flags))
    return replace(seen, finding=finding, flags=tuple(dict.fromkeys(flags)))


def _sizes(row: Row, finding: Finding | None) -> dict[str, Size]:
    """Return every measurement beside its truth; a failure has 0, its full error."""
    found = {m.name: m for m in finding.measurements} if finding else {}
    return {
        name: Size(truth, found[name].value, found[name].low, found[name].high)
        if name in found
        else Size(truth)
        for name, truth in row.truth_mm.items()
    }


def _fit(row: Row, finding: Finding | None, truth: Mask | None) -> dict[str, float]:
    """Return how well the ellipse or the ends lie; a failure is off by the whole structure.

    `truth` is the true ellipse, drawn.
    """
    if row.spacing_mm is None:
        return {}
    if row.ellipse is not None and truth is not None:
        if finding is None or finding.ellipse is None:
            longest = 2 * row.ellipse.scaled(*row.spacing_mm).semi_axes[0]
            return {"dice": 0.0, "hausdorff_mm": longest}
        return {
            "dice": dice(finding.ellipse.mask(truth.shape), truth),
            "hausdorff_mm": ellipse_hausdorff_mm(finding.ellipse, row.ellipse, row.spacing_mm),
        }
    if row.ends is None:
        return {}
    if finding is None:
        return {"end_error_mm": row.truth_mm["FL"]}
    ends = np.array([finding.points_px["FL_1"], finding.points_px["FL_2"]])
    return {"end_error_mm": end_error_mm(ends, np.array(row.ends), row.spacing_mm)}


def _found_mask(row: Row, predictor: Predictor, seen: Seen) -> Mask | None:
    """Return the mask (H, W) at the image's own pixels; None where the model has none.

    A failure has an empty one. The logits are interpolated, not the mask, which a coarse grid
    would give steps. An outline that came without a mask is drawn, as its ellipse.
    """
    name = predictor.info.output_of("mask", row.plane)
    if name is None:
        return None
    shape = seen.image.shape
    if seen.failure:
        return np.zeros(shape, bool)
    if name not in seen.maps:
        ellipse = seen.finding.ellipse if seen.finding else None
        return None if ellipse is None else ellipse.mask(shape)
    size = predictor.info.size
    logits = np.asarray(seen.maps[name][0], np.float32)
    to_logits = invert(Place(letterbox(shape, size), shape, size).to_source(logits))
    # OpenCV's maps are (x, y)
    level = cv2.warpAffine(
        logits,
        to_logits[::-1][:, [1, 0, 2]],
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(level > 0)


def _pixels(found: Mask | None, truth: Mask | None) -> dict[str, float]:
    """Return how well a mask agrees with the drawn truth, pixel by pixel."""
    if found is None or truth is None:
        return {}
    return {
        "pixel_accuracy": pixel_accuracy(found, truth),
        "mask_dice": dice(found, truth),
        "mean_iou": mean_iou(found, truth),
    }


def _tells_number_alone(predictor: Predictor, plane: str) -> bool:
    """Tell whether a plane is measured by a number without an outline: nothing else is judged."""
    return measured_by(predictor.info.outputs, plane) == "size"


def case_of(row: AnyRow, *, split: str, routing: str, model: str, found_plane: str) -> Case:
    """Return what is known of an image or volume before any of its sizes, whoever judges it."""
    in_plane = row.spacing_mm if isinstance(row, Row) else None
    return Case(
        dataset=row.dataset,
        image=row.image.name,
        group=row.group,
        machine=row.machine,
        plane=row.plane,
        view=row.view,
        bucket=row.bucket,
        split=split,
        routing=routing,
        model=model,
        found_plane=found_plane,
        mm_per_px=in_plane[0] if in_plane else None,
    )


def judge(row: Row, predictor: Predictor, routing: str = PREDICTED) -> Case:
    """Let a model measure one image of a data set, and compare it with its truth."""
    seen = see(row, predictor, routing)
    ref = predictor.info.ref
    truth = None if row.ellipse is None else row.ellipse.mask(seen.image.shape)
    sizes = _sizes(row, seen.finding)
    alone = _tells_number_alone(predictor, row.plane)
    scores: dict[str, Any] = {} if alone else {**_fit(row, seen.finding, truth)}
    scores |= _pixels(_found_mask(row, predictor, seen), truth)
    case = case_of(
        row,
        split=side(row, predictor.info.details),
        routing=routing,
        model=f"{ref.name} {ref.sha256[:12]}",
        found_plane=likeliest(seen.planes) if seen.planes else predictor.planes[0],
    )
    return replace(
        case,
        planes=seen.planes,
        sizes={name: s for name, s in sizes.items() if not alone or name == MAIN[row.plane]},
        **scores,
        flags=seen.flags,
        failure=seen.failure,
    )


def evaluate(rows: Iterable[Row], predictor: Predictor, routing: str = PREDICTED) -> Iterator[Case]:
    """Judge the images one after another.

    A model that cannot say that an image shows no plane is told which images are its own: those
    of planes that it does not measure are passed over.
    """
    name = predictor.info.output_of("planes")
    tells = name is not None and NO_PLANE in predictor.info.outputs[name]["classes"]
    return (
        judge(row, predictor, routing) for row in rows if tells or row.plane in predictor.planes
    )


__all__ = [
    "LEFT_OUT",
    "PREDICTED",
    "ROUTINGS",
    "TRUE",
    "Seen",
    "case_of",
    "evaluate",
    "judge",
    "likeliest",
    "rows_for",
    "see",
    "side",
]
