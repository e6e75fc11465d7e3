"""Options about a pregnancy and the house that it is seen in, for several commands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli.console import remark
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.growth import Dates, Profile

#: Names the profile that holds unless --profile does.
PROFILE_VARIABLE = "FETOMETRY_PROFILE"

Ga = Annotated[str | None, typer.Option(help="age at the exam: 23w4d")]
Lmp = Annotated[str | None, typer.Option(help="last menstrual period, YYYY-MM-DD")]
Edd = Annotated[str | None, typer.Option(help="due date that was agreed on, YYYY-MM-DD")]
Crl = Annotated[float | None, typer.Option(help="crown-rump length in mm, with --crl-date")]
CrlDate = Annotated[str | None, typer.Option(help="when the CRL was measured, YYYY-MM-DD")]
ExamDate = Annotated[
    str | None, typer.Option(help="date of the exam where no DICOM file says it, YYYY-MM-DD")
]
Charts = Annotated[
    list[str] | None, typer.Option("--chart", help="a chart or a family of them; repeatable")
]
ProfileFile = Annotated[
    Path | None,
    typer.Option(help=f"the house's fetometry.toml; else ${PROFILE_VARIABLE}, else that here"),
]


def read_dates(
    ga: str | None,
    lmp: str | None,
    edd: str | None,
    crl: float | None,
    crl_date: str | None,
    exam_date: str | None,
) -> Dates:
    """Return what the options say about a pregnancy.

    Raises:
        UsageError: a date is not one.
        GrowthError: the age is not one, or a CRL and its date are not both there.
    """
    from fetometry.growth import Dates, parse_ga

    return Dates(
        ga_days=None if ga is None else parse_ga(ga),
        edd=_day(edd, "--edd"),
        lmp=_day(lmp, "--lmp"),
        crl_mm=crl,
        crl_date=_day(crl_date, "--crl-date"),
        exam=_day(exam_date, "--exam-date"),
    )


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: a date is YYYY-MM-DD, got {text!r}") from None


def house(profile: Path | None, chart: Sequence[str] | None = None) -> Profile:
    """Return the house's profile, with the charts that were asked for, and say which file it is.

    Raises:
        GrowthError: the profile cannot be used, or a chart is not known.
    """
    from fetometry.growth import read_profile

    found = _found(profile)
    chosen = read_profile(found)
    return chosen.with_charts(*chart) if chart else chosen


def _found(profile: Path | None) -> Path | None:
    """Return the profile that was named, else that of the environment, else that of the folder."""
    from fetometry.growth.profile import PROFILE_NAME

    named, here = os.environ.get(PROFILE_VARIABLE), Path(PROFILE_NAME)
    if profile is not None:
        path, why = profile, "--profile"
    elif named:
        path, why = Path(named), PROFILE_VARIABLE
    elif here.is_file():
        path, why = here, "in this folder"
    else:
        return None
    remark(f"profile: {path} ({why})")
    return path
