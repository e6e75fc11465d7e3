"""Somebody's answers in a folder, judged as a model is: masks, landmarks or ellipses.

What was drawn stands in the place of what a network puts out; from there on it is measured and
compared by the very code that measures and judges our models.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetometry.errors import DataError, MeasurementError, UsageError
from fetometry.image import read
from fetometry.predict.catalogue import ModelInfo
from fetometry.predict.engine import Engine, Maps
from fetometry.predict.predictor import Predictor
from fetometry.predict.seeing import Sight
from fetometry.training.cases import Case
from fetometry.training.data import Row
from fetometry.training.evaluate import PREDICTED, judge
from fetometry.training.exchange.masks import (
    LABELS,
    SURE,
    Drawing,
    are_labels,
    label_levels,
    label_plane,
    level_of,
    read_mask,
)
from fetometry.training.exchange.nnunet import case_name
from fetometry.training.exchange.places import POINTS_FILE, TABLES, Teller
from fetometry.training.recipe import Data
from fetometry.types import NO_PLANE, Image, ModelRef, Prediction

SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".webp"})

#: HC18 names its annotations so, after the image.
ANNOTATION = "_Annotation"

NOT_STATED = "not stated"

#: Which way is across an abdomen is told by points alone, not by a mask or an ellipse.
ACROSS = frozenset({"TAD", "APAD"})

#: What an answer can be of, in the order of the labels, and nothing.
_CLASSES = (*LABELS, NO_PLANE)


@dataclass(frozen=True)
class Placed(Predictor):
    """An answer that needs no network: a sight of one image, or why there is none."""

    sight: Sight | None = None
    why: str = ""

    def maps(self, images: Sequence[Image]) -> list[Maps]:
        """Return nothing for each image: no network ran."""
        return [{} for _ in images]

    def plane_probabilities(self, maps: Maps) -> dict[str, float]:
        """Return nothing: points and outlines do not weigh one plane against another."""
        return {}

    def decode(self, image: Image, maps: Maps, plane: str = "auto") -> Prediction:
        """Return what was told.

        Raises:
            MeasurementError: nothing was told of this image.
        """
        if self.sight is None:
            raise MeasurementError(self.why)
        return Prediction(
            plane=self.planes[0],
            plane_probability=None,
            outline_px=self.sight.outline.points,
            candidates=1,
            softness=0.0,
            model=self.info.ref,
            ends_px=self.sight.ends,
        )


@dataclass(frozen=True)
class Answers:
    """A folder of answers: mask files or what tables tell, by the names of images.

    `details` say which fold they are of, as a model's own file does (`evaluate.side`). `untold`
    are measurements that answers of this form never give.
    """

    ref: ModelRef
    details: Mapping[str, Any]
    masks: Mapping[str, Path]
    told: Mapping[str, Teller]
    labelled: bool = False
    untold: frozenset[str] = frozenset()

    def name_of(self, row: Row) -> str | None:
        """Return the name under which the folder has an image, or None.

        Raises:
            DataError: it has it under two.
        """
        found = [n for n in _names(row) if n in self.masks or n in self.told]
        if len(found) > 1:
            raise DataError(f"{row.image.name} has two answers, {' and '.join(found)}; leave one")
        return found[0] if found else None

    def of(self, row: Row) -> Predictor:
        """Return who answers for one image of a data set: a predictor that knows the answer.

        Raises:
            DataError: the mask is not of the image's size, or cannot be read.
        """
        name = self.name_of(row)
        if name is None:
            return self._without(row, f"there is no prediction of it in {self.ref.name}")
        if name in self.told:
            return self._placed(row, self.told[name])
        shape = next(iter(read(row.image))).shape
        drawing = Drawing.read(self.masks[name], shape, labelled=self.labelled)
        line = drawing.line
        if line is not None and row.ellipse is not None:
            return Placed(self._info(shape, _masks((row.plane,))), _IDLE, sight=Sight(line))
        return self._drawn(row, drawing)

    def _drawn(self, row: Row, drawing: Drawing) -> Predictor:
        """Return a network that puts out what was drawn, one picture of the size of its image."""
        shape = (drawing.values.shape[0], drawing.values.shape[1])
        if not drawing.labelled:
            maps, outputs = {row.plane: level_of(drawing.values, row.plane)}, _masks((row.plane,))
        else:
            maps, outputs = {**label_levels(drawing.values)}, _masks(tuple(LABELS))
            outputs["planes"] = {"kind": "planes", "classes": list(_CLASSES), "values": "logits"}
            found = label_plane(drawing.values) or NO_PLANE
            maps["planes"] = np.where(np.array(_CLASSES) == found, SURE, -SURE).astype(np.float32)
        batch = {name: level[None] for name, level in maps.items()}
        return Predictor(self._info(shape, outputs), Engine(self.ref.name, lambda _: batch))

    def _placed(self, row: Row, tell: Teller) -> Predictor:
        try:
            told = tell(row)
        except MeasurementError as error:
            return self._without(row, str(error))
        return Placed(self._info((1, 1), _masks((told.plane,))), _IDLE, sight=told.sight)

    def _without(self, row: Row, why: str) -> Predictor:
        return Placed(self._info((1, 1), _masks((row.plane,))), _IDLE, why=why)

    def _info(self, shape: tuple[int, int], outputs: dict[str, dict[str, Any]]) -> ModelInfo:
        return ModelInfo(self.ref, "answers in a folder", shape, 0.0, 1.0, outputs, self.details)


_IDLE = Engine("none", lambda _: {})


def _masks(planes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the meaning of one mask a plane."""
    return {plane: {"kind": "mask", "planes": [plane], "values": "logits"} for plane in planes}


def _names(row: Row) -> tuple[str, ...]:
    """Return the names under which somebody may answer for an image."""
    return case_name(row), row.image.stem, f"{row.image.stem}{ANNOTATION}"


def fold_details(fold: int | None, folds: int | None = None) -> dict[str, Any]:
    """Return what a model trained in a fold says of itself (see `evaluate.side`).

    Raises:
        UsageError: there are folds without one of them.
        RecipeError: there is no such fold.
    """
    if fold is None:
        if folds is not None:
            raise UsageError("--folds needs --fold, the one that the predictions are of")
        return {}
    data = Data("", (1, 1), fold=fold, folds=Data.folds if folds is None else folds)
    return {"recipe": {"data": {"fold": data.fold, "folds": data.folds}}}


def _mask_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            other = found.setdefault(path.stem, path)
            if other is not path:
                raise DataError(f"{folder}: {other.name} and {path.name} answer for one image")
    return found


def open_answers(
    folder: Path, rows: Sequence[Row], details: Mapping[str, Any] | None = None
) -> Answers:
    """Open a folder of answers on images: one of the tables, or mask files by the images' names.

    Masks are labels (1 head, 2 abdomen, 3 femur) where 2 or 3 is in one of them and nothing above
    3 in any; else each is a binary or a soft mask of its image's own plane.

    Raises:
        DataError: there is no such folder, it has none of these or several, or nothing in it is of
            one of the images.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    if not rows:
        raise DataError("no image with a known measurement is on that side of the data set")
    tables = [name for name in TABLES if (folder / name).is_file()]
    if len(tables) > 1:
        raise DataError(f"{folder}: two answers, {' and '.join(tables)}; leave one of them")
    ref = ModelRef(folder.resolve().name, "0" * 64, NOT_STATED)
    masks = {} if tables else _mask_files(folder)
    told = TABLES[tables[0]](folder / tables[0]) if tables else {}
    untold = frozenset() if POINTS_FILE in tables else ACROSS
    answers = Answers(ref, details or {}, masks, told, untold=untold)
    names = [name for row in rows if (name := answers.name_of(row))]
    if not names:
        raise DataError(
            f"{folder}: holds no answer for any of the images; masks are named by the image, such "
            f"as 000_HC.png, or by the case of export-data; tables are {', '.join(TABLES)}"
        )
    used = [folder / tables[0]] if tables else [masks[name] for name in names]
    identity = hashlib.sha256(b"".join(path.read_bytes() for path in used)).hexdigest()
    labelled = not tables and _are_labelled(used)
    return dataclasses.replace(
        answers, ref=dataclasses.replace(ref, sha256=identity), labelled=labelled
    )


def _are_labelled(paths: Sequence[Path]) -> bool:
    found = False
    for path in paths:
        values = read_mask(path)
        if values.max(initial=0) > max(LABELS.values()):
            return False
        found = found or are_labels(values)
    return found


def judged(rows: Iterable[Row], answers: Answers, routing: str = PREDICTED) -> Iterator[Case]:
    """Judge the answers image by image; one that is missing is a failure with its full error.

    What answers of the form never give, such as TAD from a mask, is no failure: it is left out.

    Raises:
        DataError: a mask is not of its image's size, or cannot be read.
    """
    for row in rows:
        case = judge(row, answers.of(row), routing)
        sizes = {name: s for name, s in case.sizes.items() if name not in answers.untold}
        yield dataclasses.replace(case, sizes=sizes)


__all__ = ["Answers", "Placed", "fold_details", "judged", "open_answers"]
