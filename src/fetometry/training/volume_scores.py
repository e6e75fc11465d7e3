"""The numbers of one volume judged, by the names that tables have for them. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fetometry.training.cases import Case
from fetometry.training.data import phantoms3d

Score = Callable[[Case], float | None]

#: What tables of phantoms say, and no table of phantoms leaves out.
PHANTOMS_ONLY = (
    "Phantoms, not patients: every volume here is synthetic, because no such volumes are public. "
    "The numbers say nothing about how well real volumes are measured."
)


def volume_difference_ml(case: Case) -> float | None:
    """Return the found volume less the true one; one that was not found is 0 mL."""
    if case.found_ml is None or case.truth_ml is None:
        return None
    return case.found_ml - case.truth_ml


def volume_difference_percent(case: Case) -> float | None:
    """Return the found volume less the true one, in % of the truth."""
    difference = volume_difference_ml(case)
    if difference is None or not case.truth_ml:
        return None
    return 100 * difference / case.truth_ml


def _absolute(of: Score) -> Score:
    def score(case: Case) -> float | None:
        value = of(case)
        return None if value is None else abs(value)

    return score


#: By the names of Wang et al. 2019: Adb and Hdb are the average and the largest distance of
#: boundaries, p1 and p2 the distances of the ends; ADF is the mean absolute difference.
VOLUME_SCORES: Mapping[str, Score] = {
    "Jaccard %": lambda case: None if case.jaccard is None else 100 * case.jaccard,
    "Adb mm": lambda case: case.average_boundary_mm,
    "Hdb mm": lambda case: case.hausdorff_boundary_mm,
    "volume ADF mL": _absolute(volume_difference_ml),
    "volume bias mL": volume_difference_ml,
    "volume ADF %": _absolute(volume_difference_percent),
    "p1 mm": lambda case: case.end_1_mm,
    "p2 mm": lambda case: case.end_2_mm,
}


def of_volumes(cases: Iterable[Case]) -> list[Case]:
    """Return the cases that are of volumes."""
    return [case for case in cases if case.of_volume]


def on_phantoms(cases: Iterable[Case]) -> bool:
    """Tell whether one of the cases is of a volume that is a phantom."""
    return any(case.dataset == phantoms3d.NAME for case in cases)


__all__ = [
    "PHANTOMS_ONLY",
    "VOLUME_SCORES",
    "Score",
    "of_volumes",
    "on_phantoms",
    "volume_difference_ml",
    "volume_difference_percent",
]
