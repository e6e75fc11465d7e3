"""Two results on the same images: which model errs less, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fetometry.errors import DataError
from fetometry.training.cases import Case, Size, measured
from fetometry.training.metrics import Estimate, mean
from fetometry.training.results import cell, table

#: Truths of one image that differ by more are not the same truth.
SAME_TRUTH_MM = 0.05


@dataclass(frozen=True)
class Difference:
    """The paired difference of the absolute errors of one measurement: other minus one."""

    name: str
    images: int
    mm: Estimate
    percent: Estimate


def _paired(one: Sequence[Case], other: Sequence[Case]) -> list[tuple[Case, Case]]:
    second = {case.key: case for case in other}
    if not one or {case.key for case in one} != set(second):
        raise DataError("the two results are not of the same images")
    return [(case, second[case.key]) for case in one]


def _sizes(pair: tuple[Case, Case], name: str) -> tuple[Size, Size] | None:
    """Return both sizes of an image; None where neither has a truth."""
    mine, theirs = (case.sizes.get(name) for case in pair)
    if mine is None and theirs is None:
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
        groups = [cluster for cluster, _ in known]
        mm = [abs(b.difference_mm) - abs(a.difference_mm) for _, (a, b) in known]
        percent = [abs(b.difference_percent) - abs(a.difference_percent) for _, (a, b) in known]
        found.append(Difference(name, len(known), mean(mm, groups), mean(percent, groups)))
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


def comparison_markdown(one: Sequence[Case], other: Sequence[Case]) -> str:
    """Return the paired differences of two results as Markdown: other minus one.

    The verdict is on the column in %; an interval that holds zero is a tie.

    Raises:
        DataError: the two results are not of the same images, or not of the same truth.
    """
    rows = [
        (f"{d.name}, absolute difference", str(d.images), cell(d.mm), cell(d.percent),
         _verdict(d.percent))
        for d in compare(one, other)
    ]  # fmt: skip
    planes = compare_planes(one, other)
    if planes is not None:
        rows.append(("plane wrong", str(len(one)), "", cell(planes), _verdict(planes)))
    return table(("other minus one, paired", "images", "mm", "%", "verdict"), rows)


__all__ = ["Difference", "compare", "compare_planes", "comparison_markdown"]
