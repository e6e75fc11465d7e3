"""What is asked for: which planes, which model, which value counts, where millimetres come from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fetometry import predict
from fetometry.errors import ModelError, UsageError
from fetometry.growth import Dates, Profile
from fetometry.pipeline.selecting import SELECT
from fetometry.types import FETUSES, PLANES, Image, Spacing, source_stem

AUTO = "auto"

#: Planes that can be asked for; `AUTO` lets the model say which one an image shows.
ASKED_PLANES = (AUTO, *PLANES)

#: What of settings is opened or read once.
OPENED = ("house", "_named", "predictor", "volume_predictor")

#: Instead of a spacing: read it off the depth ruler in the picture.
RULER = "ruler"


@dataclass(frozen=True)
class Settings:
    """What to measure, with which model, and where millimetres come from.

    `spacing` is one for all images, a table by the stem of the file name, or `RULER`;
    `missing_spacing` is one for those that do not say theirs, and no contradiction of the others.
    `select`
    says which of several images of a plane counts (None: as the profile says), `fetus` which twin
    is shown: A or B for all images, or a table by the stem. `dates` is what was said about the
    pregnancy, `profile` the house's choices for growth (None: the plain ones).
    """

    plane: str = AUTO
    spacing: Spacing | Mapping[str, Spacing] | str | None = None
    model: str | None = None
    device: str = "auto"
    flip_average: bool = False
    select: str | None = None
    fetus: str | Mapping[str, str] = ""
    dates: Dates = field(default_factory=Dates)
    profile: Profile | None = None
    missing_spacing: Spacing | None = None

    def __post_init__(self) -> None:
        if self.plane not in ASKED_PLANES:
            raise UsageError(f"unknown plane {self.plane!r}; allowed: {', '.join(ASKED_PLANES)}")
        if self.select is not None and self.select not in SELECT:
            raise UsageError(f"--select {self.select}: unknown; allowed: {', '.join(SELECT)}")
        if isinstance(self.spacing, str) and self.spacing != RULER:
            raise UsageError(f"a spacing is a number, a table or {RULER!r}, got {self.spacing!r}")
        if isinstance(self.fetus, str) and self.fetus not in ("", *FETUSES):
            raise UsageError(f"--fetus {self.fetus}: unknown; allowed: {', '.join(FETUSES)}")

    @functools.cached_property
    def house(self) -> Profile:
        """The profile that holds, with the charts that it names."""
        return self.profile or Profile()

    @property
    def selection(self) -> str:
        """Which of several images of a plane counts: as was asked for, else as the house does."""
        return self.select or self.house.select.rule

    @functools.cached_property
    def _named(self) -> predict.Predictor | predict.VolumePredictor | None:
        """The model that was named, loaded once: of pictures or of volumes, as its file says."""
        if self.model is None:
            return None
        try:
            return predict.load(self.model, device=self.device, flip_average=self.flip_average)
        except ModelError:  # not for pictures; where the file is no model, this says so again
            return predict.load_volumes(self.model, device=self.device)

    @functools.cached_property
    def volume_predictor(self) -> predict.VolumePredictor:
        """The model of volumes, loaded once: the default one unless one of volumes was named.

        Raises:
            ModelError: it cannot be used.
        """
        if self._named is None or isinstance(self._named, predict.Predictor):
            return predict.load_volumes(predict.default_volume_model(), device=self.device)
        return self._named

    @property
    def engines(self) -> tuple[str, ...]:
        """What runs the models that were opened so far."""
        opened = [vars(self)[key] for key in ("predictor", "volume_predictor") if key in vars(self)]
        return tuple(dict.fromkeys(predictor.engine.name for predictor in opened))

    @functools.cached_property
    def predictor(self) -> predict.Predictor:
        """The model of pictures, loaded once: the default one unless one of pictures was named.

        Raises:
            ModelError: it cannot be used.
            UsageError: it does not know the plane that was asked for.
        """
        predictor = self._named
        if not isinstance(predictor, predict.Predictor):
            name = predict.default_model(self.plane)
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
        if self.spacing is None and self.missing_spacing is not None and not image.regions:
            return replace(image, spacing=self.missing_spacing)
        if self.spacing is None or isinstance(self.spacing, str):
            return image
        if stem in self.spacing:
            return replace(image, spacing=self.spacing[stem])
        return replace(image, spacing_problem=f"the spacing table has no row for {stem!r}")

    def saying(self, dates: Dates) -> Settings:
        """Return these settings with other dates; the models that are open stay open."""
        other = replace(self, dates=dates)
        vars(other).update({key: vars(self)[key] for key in OPENED if key in vars(self)})
        return other
