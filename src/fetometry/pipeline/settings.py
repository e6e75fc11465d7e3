"""What is asked for: which planes, which model, which value counts, where millimetres come from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fetometry import predict
from fetometry.errors import UsageError
from fetometry.pipeline.selecting import SELECT
from fetometry.types import FETUSES, PLANES, Image, Spacing, source_stem

AUTO = "auto"

#: Planes that can be asked for; `AUTO` lets the model say which one an image shows.
ASKED_PLANES = (AUTO, *PLANES)

#: Instead of a spacing: read it off the depth ruler in the picture.
RULER = "ruler"


@dataclass(frozen=True)
class Settings:
    """What to measure, with which model, and where millimetres come from.

    `spacing` is one for all images, a table by the stem of the file name, or `RULER`. `select`
    says which of several images of a plane counts, `fetus` which twin is shown: A or B for all
    images, or a table by the stem.
    """

    plane: str = AUTO
    spacing: Spacing | Mapping[str, Spacing] | str | None = None
    model: str | None = None
    device: str = "auto"
    flip_average: bool = False
    select: str = "best"
    fetus: str | Mapping[str, str] = ""

    def __post_init__(self) -> None:
        if self.plane not in ASKED_PLANES:
            raise UsageError(f"unknown plane {self.plane!r}; allowed: {', '.join(ASKED_PLANES)}")
        if self.select not in SELECT:
            raise UsageError(f"--select {self.select}: unknown; allowed: {', '.join(SELECT)}")
        if isinstance(self.spacing, str) and self.spacing != RULER:
            raise UsageError(f"a spacing is a number, a table or {RULER!r}, got {self.spacing!r}")
        if isinstance(self.fetus, str) and self.fetus not in ("", *FETUSES):
            raise UsageError(f"--fetus {self.fetus}: unknown; allowed: {', '.join(FETUSES)}")

    @functools.cached_property
    def predictor(self) -> predict.Predictor:
        """The model, loaded once.

        Raises:
            ModelError: it cannot be used.
            UsageError: it does not know the plane that was asked for.
        """
        name = self.model or predict.default_model(self.plane)
        predictor = predict.load(name, device=self.device, flip_average=self.flip_average)
        if self.plane not in (AUTO, *predictor.planes):
            raise UsageError(
                f"--plane {self.plane}: the model {predictor.info.ref.name} measures "
                f"{', '.join(predictor.planes)} only"
            )
        return predictor

    def told_of(self, image: Image) -> Image:
        """Return an image with what is said of it here: its spacing, and which twin it shows."""
        stem = source_stem(image.source)
        fetus = self.fetus if isinstance(self.fetus, str) else self.fetus.get(stem, "")
        image = replace(image, fetus=fetus)
        if isinstance(self.spacing, Spacing):
            return replace(image, spacing=self.spacing)
        if self.spacing is None or isinstance(self.spacing, str):
            return image
        if stem in self.spacing:
            return replace(image, spacing=self.spacing[stem])
        return replace(image, spacing_problem=f"the spacing table has no row for {stem!r}")
