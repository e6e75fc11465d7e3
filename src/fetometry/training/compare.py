"""Two results on the same images: which model errs less, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fetometry.errors import DataError
from fetometry.training.cases import Case, Size, measured
from fetometry.training.metrics import Estimate, mean
from fetometry.training.results import cell, table
from fetometry.training.volume_scores import (
    PHANTOMS_ONLY,
    VOLUME_SCORES,
    Score,
    of_volumes,
    on_phantoms,
)

#: Truths of one image that differ by more are not the same truth.
SAME_TRUTH_MM = 0.05


@dataclass(frozen=True)
class Difference:
    """The paired difference of the absolute errors of one measurement: other minus one.

    What has no size in mm, such as an overlap, has its difference in % alone; what has no share
    of anything, such as a distance of boundaries, in mm alone.
    """

    name: str
    images: int
    mm: Estimate | None
    percent: Estimate | None


def _paired(one: Sequence[Case], other: Sequence[Case]) -> list[tuple[Case, Case]]:
    second = {case.key: case for case in other}
    if not one or {case.key for case in one} != set(second):
        raise DataError("the two results are not of the same images")
    return [(case, second[case.key]) for case in one]


def _sizes(pair: tuple[Case, Case], name: str) -> tuple[Size, Size] | None:
    """Return both sizes of an image; None where neither has a truth, or a volume's one has none."""
    mine, theirs = (case.sizes.get(name) for case in pair)
    if mine is None and theirs is None:
        return None
    if pair[0].of_volume and not (mine and theirs):  # a model of masks alone has no length
        return None
    if not mine or not theirs or abs(mine.truth_mm - theirs.truth_mm) > SAME_TRUTH_MM:
        raise DataError(f"{pair[0].image}: the two results have another truth of {name}")
    return mine, theirs


def compare(one: Sequence[Case], other: Sequence[Case]) -> list[Difference]:
    """Return the paired differences of the absolute errors of two results: other minus one.

    Raises:
        DataError: the two results are not of the same images, or not of the same truth.
    """
    pairs = _paired(one, other)
    found = []
    for name in measured([*one, *other]):
        known = [(p[0].cluster, sizes) for p in pairs if (sizes := _sizes(p, name))]
        if not known:
            continue
        groups = [cluster for cluster, _ in known]
        mm = [abs(b.difference_mm) - abs(a.difference_mm) for _, (a, b) in known]
        percent = [abs(b.difference_percent) - abs(a.difference_percent) for _, (a, b) in known]
        found.append(Difference(name, len(known), mean(mm, groups), mean(percent, groups)))
    return found


#: What else a volume is judged by, each the less the better, and whether that is in % or in mm.
_OF_VOLUMES: Mapping[str, tuple[Score, bool]] = {
    "DSC, missing to 100 %": (lambda c: None if c.dice is None else 100 * (1 - c.dice), True),
    "volume, absolute difference": (VOLUME_SCORES["volume ADF %"], True),
    "boundaries, average distance (Adb)": (VOLUME_SCORES["Adb mm"], False),
    "boundaries, Hausdorff distance (Hdb)": (VOLUME_SCORES["Hdb mm"], False),
    "end 1, distance (p1)": (VOLUME_SCORES["p1 mm"], False),
    "end 2, distance (p2)": (VOLUME_SCORES["p2 mm"], False),
}


def compare_volumes(one: Sequence[Case], other: Sequence[Case]) -> list[Difference]:
    """Return the paired differences of what volumes are judged by beside length: other minus one.

    Only what both models tell is compared; of pictures there is nothing.

    Raises:
        DataError: the two results are not of the same images.
    """
    pairs = [pair for pair in _paired(one, other) if all(case.of_volume for case in pair)]
    found = []
    for name, (of, is_percent) in _OF_VOLUMES.items():
        told = [(a.cluster, of(a), of(b)) for a, b in pairs]
        known = [(c, y - x) for c, x, y in told if x is not None and y is not None]
        if known:
            groups, values = zip(*known, strict=True)
            e = mean(values, groups)
            mm, percent = (None, e) if is_percent else (e, None)
            found.append(Difference(name, len(known), mm, percent))
    return found


def compare_planes(one: Sequence[Case], other: Sequence[Case]) -> Estimate | None:
    """Return the paired difference of the share of planes told wrongly, in %: other minus one.

    None where one of the models tells no planes apart.

    Raises:
        DataError: the two results are not of the same images.
    """
    pairs = _paired(one, other)
    if not all(case.planes for pair in pairs for case in pair):
        return None
    wrong = [[100.0 * (case.found_plane != case.plane) for case in pair] for pair in pairs]
    return mean([b - a for a, b in wrong], [a.cluster for a, _ in pairs])


def _verdict(found: Estimate) -> str:
    if found.low <= 0 <= found.high:
        return "a tie"
    return "the other errs less" if found.value < 0 else "the other errs more"


def _row(d: Difference, name: str) -> tuple[str, str, str, str, str]:
    decisive = d.percent or d.mm
    verdict = _verdict(decisive) if decisive else ""
    return name, str(d.images), cell(d.mm), cell(d.percent), verdict


def comparison_markdown(one: Sequence[Case], other: Sequence[Case]) -> str:
    """Return the paired differences of two results as Markdown: other minus one.

    The verdict is on the column in % where it has a number; an interval that holds zero is a tie.

    Raises:
        DataError: the two results are not of the same images, or not of the same truth.
    """
    rows = [_row(d, f"{d.name}, absolute difference") for d in compare(one, other)]
    rows += [_row(d, d.name) for d in compare_volumes(one, other)]
    planes = compare_planes(one, other)
    if planes is not None:
        rows.append(("plane wrong", str(len(one)), "", cell(planes), _verdict(planes)))
    noun = "volumes" if of_volumes(one) else "images"
    lines = table(("other minus one, paired", noun, "mm", "%", "verdict"), rows)
    return f"{PHANTOMS_ONLY}\n\n{lines}" if on_phantoms(one) else lines


__all__ = ["Difference", "compare", "compare_planes", "compare_volumes", "comparison_markdown"]
