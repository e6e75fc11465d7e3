"""A site's profile, `fetometry.toml`: its charts, formulas, conventions and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fetometry.growth.conventions import BPD_CONVENTIONS
from fetometry.growth.reading import Catalogue, catalogue
from fetometry.growth.refusals import ChartError, GrowthError
from fetometry.growth.spec import SIZES, WEIGHT
from fetometry.growth.strict import read_toml, strict

#: Where a gestational age comes from. edd is one that was agreed on.
EDD, GA, CRL, LMP, BIOMETRY = "edd", "ga", "crl", "lmp", "biometry"
AGE_SOURCES = (EDD, GA, CRL, LMP, BIOMETRY)

SELECTIONS = ("best", "median", "mean", "last")
REDATINGS = ("none", "acog")

PROFILE_NAME = "fetometry.toml"


@dataclass(frozen=True)
class Charts:
    """Which chart places each measurement; several are shown side by side. [charts] in TOML."""

    HC: tuple[str, ...] = ("intergrowth21_hc",)
    BPD: tuple[str, ...] = ("intergrowth21_bpd",)
    OFD: tuple[str, ...] = ("intergrowth21_ofd",)
    AC: tuple[str, ...] = ("intergrowth21_ac",)
    FL: tuple[str, ...] = ("intergrowth21_fl",)
    EFW: tuple[str, ...] = ("intergrowth21_efw_2020",)
    #: the site's own TOML files, relative to the profile
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for measurement in (*SIZES, WEIGHT):
            names = self.of(measurement)
            if len(set(names)) != len(names):
                raise ChartError(f"{measurement} must name each chart once, got {list(names)}")

    def of(self, measurement: str) -> tuple[str, ...]:
        """Return the names of the charts of a measurement; of CRL and others none."""
        names = getattr(self, measurement, ()) if measurement in (*SIZES, WEIGHT) else ()
        return tuple(names)


@dataclass(frozen=True)
class WeightRule:
    """The weight formulas; the first whose measurements are there counts. [weight] in TOML."""

    formulas: tuple[str, ...] = ("hadlock1985_efw_hc_ac_fl", "hadlock1985_efw_ac_fl")

    def __post_init__(self) -> None:
        if not self.formulas:
            raise ChartError("formulas must name one formula or more")


@dataclass(frozen=True)
class BpdRule:
    """How the house's BPDs are measured where they do not say it. [bpd] in TOML."""

    convention: str = ""

    def __post_init__(self) -> None:
        if self.convention and self.convention not in BPD_CONVENTIONS:
            raise ChartError(
                f"convention must be {' or '.join(BPD_CONVENTIONS)}, got {self.convention!r}"
            )


@dataclass(frozen=True)
class Dating:
    """Which source of age counts first, and by which formulas. [dating] in TOML.

    An agreed due date (edd) is first and biometry last, whatever the house: no later scan
    overrules the one, and the other is an estimate from the very measurements that are placed.
    `redating` "acog" has the rule of ACOG choose between LMP and CRL; "none" the order.
    """

    sources: tuple[str, ...] = AGE_SOURCES
    crl: str = "intergrowth21_ga_crl"
    biometry: tuple[str, ...] = (
        "hadlock1984_ga_bpd_hc_ac_fl",
        "hadlock1984_ga_hc_ac_fl",
        "hadlock1984_ga_hc_fl",
        "hadlock1984_ga_hc_ac",
        "hadlock1984_ga_ac_fl",
        "hadlock1984_ga_hc",
        "hadlock1984_ga_fl",
        "hadlock1984_ga_ac",
    )
    redating: str = "none"

    def __post_init__(self) -> None:
        unknown = [source for source in self.sources if source not in AGE_SOURCES]
        if unknown or len(set(self.sources)) != len(self.sources):
            raise ChartError(
                f"sources must be some of {', '.join(AGE_SOURCES)}, each once, "
                f"got {list(self.sources)}"
            )
        if self.sources[:1] != (EDD,):
            raise ChartError("sources must begin with edd: a scan never overrules an agreed date")
        if BIOMETRY in self.sources[:-1]:
            raise ChartError("biometry must be the last of sources: it is only an estimate")
        if self.redating not in REDATINGS:
            raise ChartError(f"redating must be {' or '.join(REDATINGS)}, got {self.redating!r}")


@dataclass(frozen=True)
class Select:
    """Which of several images of a plane counts. [select] in TOML."""

    rule: str = "best"

    def __post_init__(self) -> None:
        if self.rule not in SELECTIONS:
            raise ChartError(f"rule must be one of {', '.join(SELECTIONS)}, got {self.rule!r}")


@dataclass(frozen=True)
class Uncertainty:
    """Errors beyond those that measurements and formulas carry. [uncertainty] in TOML.

    `calibration_percent` is the 95 % half-width of the pixel size's error, common to all sizes.
    """

    calibration_percent: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.calibration_percent < 20:
            raise ChartError(
                f"calibration_percent must be 0 to 20, got {self.calibration_percent:g}"
            )


SECTIONS: Mapping[str, type] = {
    "charts": Charts,
    "weight": WeightRule,
    "bpd": BpdRule,
    "dating": Dating,
    "select": Select,
    "uncertainty": Uncertainty,
}


@dataclass(frozen=True)
class Profile:
    """A site's choices, whole, with the charts that they name; valid once built.

    Raises:
        ChartError: a chart or formula is not known, or is not one of what it is named for.
    """

    charts: Charts = field(default_factory=Charts)
    weight: WeightRule = field(default_factory=WeightRule)
    bpd: BpdRule = field(default_factory=BpdRule)
    dating: Dating = field(default_factory=Dating)
    select: Select = field(default_factory=Select)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    known: Catalogue = field(default_factory=catalogue, repr=False)

    def __post_init__(self) -> None:
        try:
            for measurement in (*SIZES, WEIGHT):
                for name in self.charts.of(measurement):
                    _require(self.known.chart(name).spec.measurement, measurement, name)
            for name in self.weight.formulas:
                _require(self.known.formula(name).spec.role, "weight", name)
            for name in (self.dating.crl, *self.dating.biometry):
                _require(self.known.formula(name).spec.role, "dating", name)
            _require(" ".join(self.known.formula(self.dating.crl).inputs), CRL.upper(), "crl")
        except ChartError:
            raise
        except GrowthError as error:
            raise ChartError(str(error)) from None

    def with_charts(self, *names: str) -> Profile:
        """Return the profile with other charts: families, or charts by name.

        The charts of a family take the places of the house's; several of one measurement are
        shown side by side.

        Raises:
            GrowthError: there is no such family or chart.
        """
        chosen: dict[str, tuple[str, ...]] = {}
        for name in names:
            for chart in self.known.family(name):
                kind = chart.spec.measurement
                if kind in Charts.__dataclass_fields__ and chart.name not in chosen.get(kind, ()):
                    chosen[kind] = (*chosen.get(kind, ()), chart.name)
        return replace(self, charts=replace(self.charts, **chosen))

    def with_bpd(self, convention: str) -> Profile:
        """Return the profile with a convention for the BPDs that do not say theirs.

        Raises:
            ChartError: the convention is not known.
        """
        return replace(self, bpd=BpdRule(convention))


def _require(found: str, wanted: str, name: str) -> None:
    if found != wanted:
        raise ChartError(f"{name} is for {found}, not for {wanted}")


def read_profile(path: Path | None = None) -> Profile:
    """Read a site's profile; without a path, the plain one.

    Raises:
        ChartError: a table or key is unknown, missing or mistyped, or a chart is not known.
    """
    if path is None:
        return Profile()
    tree = read_toml(path)
    for name, table in tree.items():
        if name not in SECTIONS:
            raise ChartError(f"{path}: unknown table {name!r}; allowed: {', '.join(SECTIONS)}")
        if name == "charts" and isinstance(table, Mapping):
            # one chart may be written without brackets
            tree[name] = {k: [v] if isinstance(v, str) else v for k, v in table.items()}

    parts: dict[str, Any] = {
        name: strict(cls, tree.get(name, {}), f"{path}: [{name}]") for name, cls in SECTIONS.items()
    }
    known = catalogue(path.parent / name for name in parts["charts"].files)
    try:
        return Profile(**parts, known=known)
    except ChartError as error:
        raise ChartError(f"{path}: {error}") from None
