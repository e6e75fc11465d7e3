"""From judged images to what a model says of its own doubt: probabilities and intervals.

Everything here is fitted on images that the model was not trained on, and never on test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError
from fetometry.training.cases import Case, having, measured
from fetometry.training.metrics import Values
from fetometry.types import PLANE_CLASSES, TRANS_CEREBELLAR, SizeInterval

#: The view of the brain that is to be flagged, as data sets call it.
VIEW = TRANS_CEREBELLAR.partition(":")[2]

#: The side of the split that a model may be calibrated on.
SIDE = "validation"

#: Between these the temperature is looked for.
TEMPERATURES = (0.1, 10.0)

#: At most this share of the other heads may be flagged as seen through the cerebellum.
MOST_FALSE = 0.05

COVERAGE = 0.95

Indices = NDArray[np.int64]


def _checked(probabilities: Values, truth: Indices) -> tuple[Values, Indices]:
    p, right = np.asarray(probabilities, np.float64), np.asarray(truth, np.int64)
    if p.ndim != 2 or right.shape != p.shape[:1] or not len(p):
        raise DataError(f"probabilities {p.shape} and truth {right.shape} are not (N, C) and (N,)")
    return p, right


def fit_temperature(probabilities: Values, truth: Indices) -> float:
    """Return the temperature T for which softmax(log p / T) has the least negative log-likelihood.

    `probabilities` are (N, C), `truth` (N,) positions among the C. The likelihood is convex in
    1 / T, so that a search in one dimension finds its minimum within `TEMPERATURES`. Where every
    image is classified rightly, ever smaller T would do ever better: that says nothing, and 1 is
    returned.

    Raises:
        DataError: the shapes do not belong together.

    References:
        Guo C et al. On calibration of modern neural networks. ICML 2017.
    """
    p, right = _checked(probabilities, truth)
    if np.array_equal(p.argmax(axis=1), right):
        return 1.0
    logits = np.log(np.clip(p, 1e-12, None))

    def loss(inverse: float) -> float:
        scaled = logits * inverse
        scaled -= scaled.max(axis=1, keepdims=True)
        of_truth = scaled[np.arange(len(right)), right]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - of_truth))

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(100):  # each step leaves two thirds
        one, other = low + (high - low) / 3, high - (high - low) / 3
        if loss(one) < loss(other):
            high = other
        else:
            low = one
    return 2 / (low + high)


def expected_calibration_error(probabilities: Values, truth: Indices, *, bins: int = 15) -> float:
    """Return by how much the largest probabilities (N, C) differ from how often they are right.

    The mean of |accuracy - probability| over bins of equal width, by the images in them.

    Raises:
        DataError: the shapes do not belong together.

    References:
        Naeini MP et al. Obtaining well calibrated probabilities using Bayesian binning.
        AAAI 2015, 2901-2907.
    """
    p, right = _checked(probabilities, truth)
    sure = p.max(axis=1)
    gap = (p.argmax(axis=1) == right) - sure
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(place, gap, bins)).sum() / len(p))


def trans_cerebellar_threshold(
    shares: Values, is_view: NDArray[np.bool_], *, most_false: float = MOST_FALSE
) -> float:
    """Return from which share (N,) of the head's probability on a head is flagged.

    The largest sensitivity with at most `most_false` of the other heads flagged; of several such
    thresholds the one with the fewest false, in the middle of its gap.

    Raises:
        DataError: there are no heads of the view, or no others.
    """
    share, positive = np.asarray(shares, np.float64), np.asarray(is_view, bool)
    if not positive.any() or positive.all():
        raise DataError("a threshold needs heads seen through the cerebellum, and others")
    levels = np.unique(np.concatenate([share, [0.0, 1.0 + 1e-9]]))  # above 1: nothing is flagged
    candidates = (levels[1:] + levels[:-1]) / 2
    flagged = share >= candidates[:, None]  # (K, N)
    sensitivity = flagged[:, positive].mean(axis=1)
    false = flagged[:, ~positive].mean(axis=1)
    rank = np.where(false <= most_false, sensitivity - 1e-6 * false, -1.0)
    return float(candidates[np.argmax(rank)])


def _least_groups(coverage: float) -> int:
    """Return how many groups a finite width needs: so many that (n + 1) coverage <= n."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def _width(residuals: Values, groups: Sequence[str], coverage: float) -> float:
    """Return the quantile of residuals, each group weighing the same, a new group among them."""
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    weight = 1 / np.bincount(place)[place] / (len(names) + 1)
    order = np.argsort(residuals)
    reached = np.cumsum(weight[order]) >= coverage - 1e-9
    if not reached.any():
        raise DataError(
            f"an interval of {coverage:.0%} needs {_least_groups(coverage)} groups, "
            f"got {len(names)}"
        )
    return float(residuals[order][np.argmax(reached)])


def conformal(
    values_mm: Values,
    truths_mm: Values,
    groups: Sequence[str],
    *,
    coverage: float = COVERAGE,
    thirds: bool = True,
) -> SizeInterval:
    """Return the split-conformal interval of measurements (N,) with known truth (N,), in mm.

    The residual is |value - truth| / truth. Images of one patient are not independent: each
    group weighs the same however many images it has, and one group more, with an infinite
    residual, stands for the patient to come. The interval then holds the truth of an image of a
    new patient with at least this probability, if patients are exchangeable; nothing is drawn by
    chance, as it would be with one image a patient. With `thirds` each third of the measured
    sizes has its own width, where every third has groups enough (19 for 95 %); else all share
    one.

    Raises:
        DataError: there are too few groups.

    References:
        Lee Y, Barber RF, Willett R. Distribution-free inference with hierarchical data.
        arXiv:2306.06342 (the weights). Dunn R, Wasserman L, Ramdas A. Distribution-free
        prediction sets for two-layer hierarchical models. J Am Stat Assoc 2023;118:2491-2502.
    """
    values, truths = np.asarray(values_mm, np.float64), np.asarray(truths_mm, np.float64)
    if not len(values) == len(truths) == len(groups):
        raise DataError(f"{len(values)} values, {len(truths)} truths, {len(groups)} groups")
    residuals, names = np.abs(values - truths) / truths, np.asarray(groups)
    if thirds and len(values):
        edges = np.quantile(values, [1 / 3, 2 / 3])
        third = np.searchsorted(edges, values)  # as SizeInterval.around does
        parts = [third == i for i in range(3)]
        if all(len(set(names[p])) >= _least_groups(coverage) for p in parts):
            widths = [_width(residuals[p], names[p].tolist(), coverage) for p in parts]
            return SizeInterval(tuple(edges.tolist()), tuple(widths))
    return SizeInterval((), (_width(residuals, groups, coverage),))


def class_of(case: Case) -> int:
    """Return the position of an image's truth in `PLANE_CLASSES`."""
    return PLANE_CLASSES.index(TRANS_CEREBELLAR if case.view == VIEW else case.plane)


def class_probabilities(cases: Sequence[Case]) -> Values:
    """Return the probabilities (N, C) in the order of `PLANE_CLASSES`."""
    return np.array([[case.planes.get(name, 0.0) for name in PLANE_CLASSES] for case in cases])


def _cooled(probabilities: Values, temperature: float) -> Values:
    logits = np.log(np.clip(probabilities, 1e-12, None)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def _counts(cases: Sequence[Case]) -> dict[str, int]:
    return {"images": len(cases), "groups": len({case.cluster for case in cases})}


def _of_planes(cases: Sequence[Case]) -> dict[str, Any]:
    """Return temperature and threshold, as far as the images tell."""
    truth = np.array([class_of(case) for case in cases])
    temperature = fit_temperature(class_probabilities(cases), truth)
    found: dict[str, Any] = {"temperature": round(temperature, 4)}
    heads = [case for case in cases if case.plane == "head" and case.view]
    is_view = np.array([case.view == VIEW for case in heads], bool)
    if is_view.any() and not is_view.all():
        p = _cooled(class_probabilities(heads), temperature)
        head, view = PLANE_CLASSES.index("head"), PLANE_CLASSES.index(TRANS_CEREBELLAR)
        shares = p[:, view] / np.maximum(p[:, head] + p[:, view], 1e-12)
        # only what is taken for a head is ever flagged
        shares[[case.found_plane != "head" for case in heads]] = 0.0
        threshold = trans_cerebellar_threshold(shares, is_view)
        found["trans_cerebellar_threshold"] = round(threshold, 4)
    return found


def calibration(cases: Sequence[Case]) -> dict[str, Any]:
    """Return what goes into a model's metadata: temperature, threshold, intervals, and from what.

    The temperature is for the probabilities as they are in the results: judge a model that has
    none yet. A failure has no residual, because nothing was measured that an interval could
    stand around; it is counted in "from". A measurement of too few groups has no interval.

    Raises:
        DataError: there is no image, or one that the model was trained on or is tested on.
    """
    if not cases or any(case.split != SIDE for case in cases):
        raise DataError(
            f"a model is calibrated on {SIDE} images alone; got "
            f"{', '.join(sorted({case.split for case in cases})) or 'none'}"
        )
    told = [case for case in cases if case.planes]
    found = _of_planes(told) if told else {}
    origin: dict[str, Any] = {"planes": _counts(told)} if told else {}
    intervals: dict[str, Mapping[str, list[float]]] = {}
    for name in measured(cases):
        known = having(cases, name)
        good = [case for case in known if not case.sizes[name].failed]
        origin[name] = {**_counts(good), "failures": len(known) - len(good)}
        if origin[name]["groups"] >= _least_groups(COVERAGE):
            interval = conformal(
                np.array([case.sizes[name].measured_mm for case in good]),
                np.array([case.sizes[name].truth_mm for case in good]),
                [case.cluster for case in good],
            )
            intervals[name] = {
                "edges_mm": [round(edge, 2) for edge in interval.edges_mm],
                "half_widths": [round(width, 5) for width in interval.half_widths],
            }
    return {**found, "intervals": intervals, "from": origin}
