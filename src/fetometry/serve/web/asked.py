"""What was said with an upload → how it is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from fetometry.errors import SpacingError
from fetometry.growth import Dates, GrowthError, parse_ga
from fetometry.image import parse_mm_per_px
from fetometry.pipeline import Settings
from fetometry.pipeline.settings import AUTO
from fetometry.serve.web.problems import Refusal
from fetometry.types import FETUSES, Spacing

#: What may be said about the pregnancy → the attribute of `Dates`.
DATES = {"ga": "ga_days", "lmp": "lmp", "edd": "edd", "exam_date": "exam"}


def settings_of(said: Mapping[str, str], house: Settings) -> Settings:
    """Return the settings of one exam: the house's, with what was said about it.

    Raises:
        Refusal: something that was said cannot be.
    """
    plane, fetus = said.get("plane", AUTO), said.get("fetus", "")
    if plane not in (planes := (AUTO, *house.predictor.planes)):
        raise Refusal(422, f"the plane is one of {', '.join(planes)}", "plane")
    if fetus not in ("", *FETUSES):
        raise Refusal(422, f"the fetus is {' or '.join(FETUSES)}", "fetus")
    dates = _dates(said)
    settings = replace(house, plane=plane, fetus=fetus, missing_spacing=_spacing(said), dates=dates)
    # the model is loaded once, for all exams
    vars(settings)["predictor"] = house.predictor
    return settings


def _spacing(said: Mapping[str, str]) -> Spacing | None:
    if "mm_per_px" not in said:
        return None
    try:
        return parse_mm_per_px(said["mm_per_px"])
    except SpacingError as error:
        raise Refusal(422, f"mm_per_px: {error}", "mm_per_px") from None


def _dates(said: Mapping[str, str]) -> Dates:
    dates = Dates()
    for name in DATES:
        if name in said:
            try:
                dates = replace(dates, **_date(name, said[name]))
            except (GrowthError, ValueError) as error:
                detail = str(error) if name == "ga" else f"{name}: a date is YYYY-MM-DD"
                raise Refusal(422, detail, name) from None
    return dates


def _date(name: str, text: str) -> dict[str, Any]:
    if name == "ga":
        return {"ga_days": parse_ga(text)}
    return {DATES[name]: date.fromisoformat(text)}
