"""From where to where a BPD was measured, and from one convention to the other."""

from __future__ import annotations

from fetometry.growth.refusals import Floats, GrowthError

OUTER_OUTER, OUTER_INNER = "outer-outer", "outer-inner"
BPD_CONVENTIONS = (OUTER_OUTER, OUTER_INNER)

#: outer-outer = OFFSET_MM + SLOPE * outer-inner.
OFFSET_MM, SLOPE = 0.555934, 1.027318

CONVERSION = "outer-outer = 0.555934 + 1.027318 outer-inner (mm), Wong et al. 2018, PMC8409806"


def require_convention(convention: str, wanted_by: str) -> None:
    """Check that a BPD says from where to where it was measured.

    Raises:
        GrowthError: it does not, or names a convention that is not known.
    """
    if convention not in BPD_CONVENTIONS:
        raise GrowthError(
            f"{wanted_by}: a BPD needs its convention, {' or '.join(BPD_CONVENTIONS)}, got "
            f"{convention or 'none'}: from one edge of the skull to the other they differ by 2 to "
            "3 mm, at 28 weeks more than a week; give --bpd-convention, or [bpd] convention in "
            "fetometry.toml"
        )


def convert_bpd(bpd_mm: Floats, *, given: str, wanted: str) -> Floats:
    """Return a BPD in mm in another convention.

    Raises:
        GrowthError: a convention is not known.

    References:
        Wong HS et al. 2018, PMC8409806 (one study; no second source).
    """
    for convention in (given, wanted):
        require_convention(convention, "BPD")
    if given == wanted:
        return bpd_mm
    if wanted == OUTER_OUTER:
        return OFFSET_MM + SLOPE * bpd_mm
    return (bpd_mm - OFFSET_MM) / SLOPE


def conversion_note(*, given: str, wanted: str) -> str:
    """Return what is to be said where a BPD was converted; empty where it was not."""
    return "" if given == wanted else f"BPD converted from {given} to {wanted}: {CONVERSION}"
