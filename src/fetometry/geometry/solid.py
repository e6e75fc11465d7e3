"""Solids in volumes: parts, boundaries, distances, peaks, boxes, and windows that cover a volume.

Index order is (slice, row, col); the centre of the first voxel is (0, 0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError, UsageError
from fetometry.geometry.affine import Points

Mask = NDArray[np.bool_]
Shape3d = tuple[int, int, int]
Slices = tuple[slice, slice, slice]

#: Lines whose distances are found together: bounds the memory, and keeps it in the cache.
_LINES = 4096


def labels_3d(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Return the parts (D, H, W) of a mask, numbered from 1, and how many there are.

    Voxels that share a corner belong together (26 neighbours).
    """
    labels = np.zeros(mask.shape, np.int32)
    count = 0
    for number in np.flatnonzero(mask.any(axis=(1, 2))):
        found, flat = cv2.connectedComponents(mask[number].astype(np.uint8), connectivity=8)
        labels[number] = np.where(flat > 0, flat + count, 0)
        count += found - 1
    below, above = labels[:-1], labels[1:]
    rows, cols = mask.shape[1:]
    pairs = []
    for row, col in product((-1, 0, 1), repeat=2):
        here, there = _overlap(row, rows), _overlap(col, cols)
        one = below[:, here[0], there[0]]
        other = above[:, here[1], there[1]]
        both = (one > 0) & (other > 0)
        key = one[both].astype(np.int64) * (count + 1) + other[both]
        changes = np.diff(key, prepend=-1) != 0  # along a row most keys are that before
        pairs.append(np.unique(key[changes]))
    keys = np.unique(np.concatenate(pairs))
    roots = _united(count + 1, keys // (count + 1), keys % (count + 1))
    _, numbers = np.unique(roots, return_inverse=True)  # the background stays the smallest
    return numbers.astype(np.int32)[labels], int(numbers.max())


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Return where x and x + shift both lie within a length, for x and for x + shift."""
    low, high = max(0, -shift), min(length, length - shift)
    return slice(low, high), slice(low + shift, high + shift)


def _united(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of `count` labels the smallest that pairs of labels connect it with."""
    roots = np.arange(count)
    while True:
        first, second = roots[one], roots[other]
        apart = first != second
        if not apart.any():
            return roots
        low, high = np.minimum(first, second)[apart], np.maximum(first, second)[apart]
        np.minimum.at(roots, high, low)
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]


def largest_component_3d(mask: Mask) -> tuple[Mask, int]:
    """Return the largest connected part of a mask (D, H, W), and how many parts count.

    A part counts as a structure when it has at least a tenth of the largest one's voxels.

    Raises:
        MeasurementError: the mask is empty.
    """
    labels, sizes = _sized(mask)
    return labels == 1 + int(np.argmax(sizes)), int(np.count_nonzero(_counting(sizes)))


def counting_components_3d(mask: Mask) -> Mask:
    """Return all parts of a mask (D, H, W) that count as structures, as `largest_component_3d`.

    Raises:
        MeasurementError: the mask is empty.
    """
    labels, sizes = _sized(mask)
    return np.concatenate([[False], _counting(sizes)])[labels]


def _sized(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    labels, count = labels_3d(mask)
    if not count:
        raise MeasurementError("nothing was found in the volume")
    return labels, np.bincount(labels.ravel())[1:]


def _counting(sizes: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.asarray(sizes >= 0.1 * sizes.max())


def boundary(mask: Mask) -> Mask:
    """Return the voxels of a mask (D, H, W) that have one of their six faces to the outside.

    These are the voxels of ITK's binary contour filter with its default, face connectivity. What
    lies beyond the volume is not known to be outside: a structure that runs out of the volume
    has no boundary there.
    """
    inner = mask.copy()
    for axis in range(3):
        first, second = _neighbours(axis)
        inner[second] &= mask[first]
        inner[first] &= mask[second]
    return mask & ~inner


def _neighbours(axis: int) -> tuple[Slices, Slices]:
    whole = [slice(None)] * 3
    first, second = whole.copy(), whole.copy()
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def distances_mm(mask: Mask, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the distance in mm of every voxel (D, H, W) to the nearest voxel of a mask.

    Exact, from centre to centre, one axis after another.

    Raises:
        MeasurementError: the mask is empty.

    References:
        Felzenszwalb PF, Huttenlocher DP. Distance transforms of sampled functions. Theory of
        Computing 2012;8:415-428.
    """
    if not mask.any():
        raise MeasurementError("an empty mask is at no distance from anything")
    squared = np.where(mask, 0.0, np.inf)
    for axis in (2, 1, 0):
        lines = np.moveaxis(squared, axis, -1).reshape(-1, mask.shape[axis])
        done = np.empty_like(lines)
        for start in range(0, len(lines), _LINES):
            part = slice(start, start + _LINES)
            done[part] = _lowest_parabolas(lines[part], spacing_mm[axis])
        rest = np.moveaxis(squared, axis, -1).shape
        squared = np.moveaxis(done.reshape(rest), -1, axis)
    return np.asarray(np.sqrt(squared))


def _lowest_parabolas(heights: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return min over p of heights[:, p] + (step (q - p))^2 for every q of lines (L, N).

    The parabolas of each line that are the lowest somewhere are kept on a stack, in order; `top`
    is how high that stack is.
    """
    result = np.full_like(heights, np.inf)
    some = np.flatnonzero(np.isfinite(heights).any(axis=1))
    values = heights[some]
    count, length = values.shape
    lines = np.arange(count)
    which = np.zeros((count, length), np.int64)  # where each parabola has its lowest point
    since = np.full((count, length + 1), np.inf)  # from where on it is the lowest of all
    top = np.full(count, -1)
    for here in range(length):
        active = lines[np.isfinite(values[:, here])]
        new = active
        while len(active):
            above = top[active] >= 0
            last = which[active, np.maximum(top[active], 0)]
            rise = (values[active, here] - values[active, last]) / step**2
            meet = (rise + here**2 - last**2) / (2.0 * np.maximum(here - last, 1))
            hidden = above & (meet <= since[active, np.maximum(top[active], 0)])
            kept = active[~hidden]
            since[kept, top[kept] + 1] = np.where(above, meet, -np.inf)[~hidden]
            active = active[hidden]
            top[active] -= 1
        top[new] += 1
        which[new, top[new]] = here
    at = np.zeros(count, np.int64)
    for here in range(length):
        while np.any(moving := (at < top) & (since[lines, np.minimum(at + 1, length)] <= here)):
            at[moving] += 1
        nearest = which[lines, at]
        result[some, here] = values[lines, nearest] + (step * (here - nearest)) ** 2
    return result


def _top_of_parabolas(heatmap: NDArray[np.floating[Any]], top: Shape3d) -> Points:
    found = np.array(top, np.float64)
    for axis, index in enumerate(top):
        if 0 < index < heatmap.shape[axis] - 1:
            line = np.take(heatmap[_line(top, axis)], (index - 1, index, index + 1))
            before, middle, after = line.astype(np.float64)
            bend = 2 * middle - before - after
            found[axis] += (after - before) / (2 * bend) if bend > 0 else 0.0
    return found


def peaks(
    heatmap: NDArray[np.floating[Any]], *, most: int, least: float, apart: float
) -> tuple[Points, NDArray[np.float64]]:
    """Return the highest local maxima (N, 3) of a map (D, H, W) and their heights (N,).

    The `most` highest of `least` or more, the highest first. A local maximum is as high as its 26
    neighbours; of those at most `apart` voxels from each other, as on a flat top, the first
    counts. A parabola through it and its two neighbours along each axis places it to a fraction of
    a voxel: exact for a parabola, within a few hundredths for a Gaussian of two voxels. On the rim
    of the map there is no neighbour beyond, and the voxel itself counts along that axis.
    """
    top = (heatmap >= least) & (heatmap == _highest_nearby(heatmap))
    places = np.argwhere(top)
    heights = heatmap[top].astype(np.float64)
    order = np.argsort(-heights, kind="stable")
    points: list[Points] = []
    found: list[float] = []
    while len(order) and len(points) < most:
        first = order[0]
        a, b, c = places[first].tolist()
        points.append(_top_of_parabolas(heatmap, (a, b, c)))
        found.append(float(heights[first]))
        far = np.linalg.norm(places[order] - places[first], axis=1) > apart
        order = order[far]
    return np.array(points).reshape(-1, 3), np.array(found)


def _highest_nearby(heatmap: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the highest value (D, H, W) of each voxel and its 26 neighbours."""
    highest = heatmap
    for axis in range(3):
        first, second = _neighbours(axis)
        before, highest = highest, highest.copy()
        np.maximum(highest[second], before[first], out=highest[second])
        np.maximum(highest[first], before[second], out=highest[first])
    return highest


def _line(top: Shape3d, axis: int) -> tuple[int | slice, ...]:
    return tuple(slice(None) if i == axis else index for i, index in enumerate(top))


@dataclass(frozen=True)
class Box:
    """Voxels from `start` to before `stop`, each (slice, row, col)."""

    start: Shape3d
    stop: Shape3d

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.start, self.stop, strict=True)):
            raise MeasurementError(f"a box from {self.start} to {self.stop} has no voxels")

    @property
    def slices(self) -> Slices:
        """What cuts the box out of a volume."""
        (a, b, c), (d, e, f) = self.start, self.stop
        return slice(a, d), slice(b, e), slice(c, f)

    @property
    def shape(self) -> Shape3d:
        """Slices, rows and columns."""
        (a, b, c), (d, e, f) = self.start, self.stop
        return d - a, e - b, f - c

    def grown(self, margin: int, shape: Shape3d) -> Box:
        """Return the box with a margin in voxels on every side, as far as a volume reaches."""
        low = [max(0, a - margin) for a in self.start]
        high = [min(n, b + margin) for n, b in zip(shape, self.stop, strict=True)]
        return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def bounding_box(mask: Mask) -> Box:
    """Return the smallest box that holds a mask (D, H, W).

    Raises:
        MeasurementError: the mask is empty.
    """
    if not mask.any():
        raise MeasurementError("nothing was found in the volume: there is no box around it")
    ends = []
    for axes in ((1, 2), (0, 2), (0, 1)):
        found = np.flatnonzero(mask.any(axis=axes))
        ends.append((int(found[0]), int(found[-1]) + 1))
    (a, d), (b, e), (c, f) = ends
    return Box((a, b, c), (d, e, f))


def starts(length: int, window: int, overlap: int) -> list[int]:
    """Return where windows start so that they cover a length, evenly, `overlap` or more shared.

    A window as long as the length, or longer, starts once, at 0.

    Raises:
        UsageError: the windows are not longer than their overlap.
    """
    if not 0 <= overlap < window:
        raise UsageError(f"windows of {window} voxels must overlap by 0 to {window - 1}: {overlap}")
    if window >= length:
        return [0]
    count = 1 + -(-(length - window) // (window - overlap))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


@dataclass(frozen=True)
class Window:
    """A box of a volume, and how much what is found in it counts there: (d, h, w), in 0 to 1."""

    box: Box
    weights: NDArray[np.float32]


def windows(shape: Shape3d, window: Shape3d, overlap: Shape3d) -> Iterator[Window]:
    """Yield overlapping windows that cover a volume; the weights of every voxel add up to 1.

    Results are blended by adding weights * result into one array: since weights are products of
    those along each axis, they can be normalised beforehand, and no second array is needed. They
    rise from the rim of a window to its middle. Where the volume is the smaller, so is the box.

    Raises:
        UsageError: the windows are not longer than their overlap.
    """
    axes = [
        _along(length, size, shared)
        for length, size, shared in zip(shape, window, overlap, strict=True)
    ]
    for (a, one), (b, two), (c, three) in product(*axes):
        weights = np.einsum("d,h,w->dhw", one, two, three)
        box = Box((a, b, c), (a + len(one), b + len(two), c + len(three)))
        yield Window(box, weights.astype(np.float32))


def _along(length: int, window: int, overlap: int) -> list[tuple[int, NDArray[np.float64]]]:
    """Return starts of windows along one axis and their weights, which add up to 1."""
    size = min(window, length)
    rising = np.minimum(np.arange(size), np.arange(size)[::-1]) + 1.0
    first = starts(length, window, overlap)
    total = np.zeros(length)
    for start in first:
        total[start : start + size] += rising
    return [(start, rising / total[start : start + size]) for start in first]
