"""Regular ticks along the edges of a picture: a ruler, before anyone says what its unit is.

Along an edge, a band of the picture is looked at as (along, across): `along` runs with the edge,
from the top or the left, `across` goes inwards from the border, so that one code reads all edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points

Grey = NDArray[np.uint8]
Values = NDArray[np.float64]
Map = NDArray[np.float32]

#: How far inwards a band reaches, as a share of the picture's width (left, right) or height.
BAND = {"left": 0.06, "right": 0.06, "bottom": 0.04}
MIN_BAND_PX = 20

#: A tick is thinner than one part in this many of the picture's shorter side.
THINNEST = 75

#: A mark covers at least this share of the way from what is behind it to white, or to black.
PAINTED = 0.3

#: Before a mark begins, less than this share of it.
BEGINS = 0.6

#: Between two ticks, at these parts of the way, there may be faint marks, painted by this share, no
#: more often than elsewhere: at log10 of their chance below this the comb is part of a finer one.
PARTS = (1 / 2, 1 / 3, 2 / 3)
FAINT, FAINT_CHANCE = PAINTED / 2, -2.0

#: Where less than this many grey levels are left to white, or to black, no tick can be seen.
ROOM = 24

#: A tick lies this near its place, in px, or in parts of the shorter side where that is more.
TOLERANCE_PX, TOLERANCE_SHARE = 1.2, 1 / 500

MIN_TICKS = 5
MIN_PITCH_PX = 8.0
#: The columns of a band in which a comb is sought, the most promising ones.
COLUMNS = 6
#: Marks of a column that are used, the clearest ones.
MARKS = 60
#: A pitch is the distance of a mark to one of its next few.
NEXT = 7
#: Starting points that are followed up, of each column.
FOLLOWED = 24


@dataclass(frozen=True)
class Comb:
    """Ticks at equal distances along one edge.

    `index` (N,) counts the found ticks along the edge from 0, `missing` (M,) are the places
    between them where a tick could be seen and none is. `length_px` (N,) is how far each reaches
    inwards, `points_px` (N, 2) the (row, col) where it begins. `span` is the share of the edge
    from the first tick to the last, `rms_px` how far the ticks are from equal distances.
    `log10_false_alarms` is the decimal logarithm of the number of combs as good as this that
    marks at random places would show in such a picture.
    """

    edge: str
    dark: bool
    pitch_px: float
    index: NDArray[np.int64]
    missing: NDArray[np.int64]
    length_px: Values
    points_px: Points
    span: float
    rms_px: float
    log10_false_alarms: float


@dataclass(frozen=True)
class _Band:
    """One edge looked at for bright, or for dark, ticks."""

    edge: str
    dark: bool
    painted: Map  # (along, across): share of the way to white or to black
    room: Map  # (along, across): grey levels left to white or to black
    tolerance_px: float
    thickest_px: int

    @property
    def length(self) -> int:
        return int(self.painted.shape[0])


def _cut(pixels: Grey, edge: str) -> Grey:
    height, width = pixels.shape
    side = height if edge == "bottom" else width
    depth = min(side, max(MIN_BAND_PX, round(BAND[edge] * side)))
    turned = {"left": pixels, "right": pixels[:, ::-1], "bottom": pixels[::-1].T}[edge]
    return np.ascontiguousarray(turned[:, :depth])


def _bands(pixels: Grey) -> Iterator[_Band]:
    side = min(pixels.shape)
    thickest = 2 * max(2, round(side / THINNEST / 2)) + 1
    kernel = np.ones((thickest, 1), np.uint8)
    for edge in BAND:
        band = _cut(pixels, edge)
        for dark in (False, True):
            shown = 255 - band if dark else band
            # the opening along the edge keeps what is behind a thin mark, and not the mark
            behind = cv2.morphologyEx(shown, cv2.MORPH_OPEN, kernel).astype(np.float32)
            room = 255 - behind
            painted = (shown - behind) / (room + 16)  # + 16: compression noise is no mark
            tolerance = max(TOLERANCE_PX, TOLERANCE_SHARE * side)
            yield _Band(edge, dark, painted, room, tolerance, thickest // 2 + 1)


def _beginnings(band: _Band) -> NDArray[np.bool_]:
    """Tell where a mark has its outer end: painted, and nothing two columns before."""
    before = np.zeros_like(band.painted)
    before[:, 1:] = band.painted[:, :-1]
    before[:, 2:] = np.maximum(before[:, 2:], band.painted[:, :-2])
    return np.asarray((band.painted >= PAINTED) & (before <= BEGINS * band.painted))


def _marks(band: _Band, column: int, begins: NDArray[np.bool_]) -> tuple[Values, Values]:
    """Return the centres and the strengths of the thin marks that begin in a column."""
    shares = band.painted[:, column]
    change = np.diff(np.concatenate([[0], shares >= PAINTED, [0]]).astype(np.int8))
    centers, strengths = [], []
    for first, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
        peak = first + int(shares[first:end].argmax())
        if end - first > band.thickest_px or not begins[peak, column]:
            continue
        low, high = max(0, int(first) - 1), min(len(shares), int(end) + 1)
        weights = shares[low:high]
        centers.append(float(weights @ np.arange(low, high) / weights.sum()))
        strengths.append(float(shares[peak]))
    place, strength = np.array(centers), np.array(strengths)
    clearest = np.sort(np.argsort(-strength)[:MARKS])
    return place[clearest], strength[clearest]


def _starts(place: Values, band: _Band) -> tuple[Values, Values, int]:
    """Return (origin, pitch) of the combs worth following up, and how many there were."""
    pairs = [(i, i + k) for k in range(1, NEXT + 1) for i in range(len(place) - k)]
    first, second = np.array(pairs).T
    origin, pitch = place[first], place[second] - place[first]
    fits = (pitch >= MIN_PITCH_PX) & (pitch <= band.length / (MIN_TICKS - 1))
    origin, pitch = origin[fits], pitch[fits]
    if not len(pitch):
        return origin, pitch, 0
    steps = (place - origin[:, None]) / pitch[:, None]  # (pairs, marks)
    whole = np.rint(steps)
    # a pitch from two marks is off by a little at every step
    slack = np.minimum((1 + 0.2 * abs(whole)) * band.tolerance_px / pitch[:, None], 0.15)
    near = abs(steps - whole) <= slack
    hits = near.sum(axis=1)
    span = np.where(near, whole, -np.inf).max(1) - np.where(near, whole, np.inf).min(1) + 1
    best = np.argsort(-(hits - 0.7 * (span - hits)), kind="stable")[:FOLLOWED]
    return origin[best], pitch[best], len(pitch)


def _settle(
    place: Values, origin: float, pitch: float, tolerance: float
) -> tuple[float, float, NDArray[np.bool_]] | None:
    """Fit origin and pitch to the marks that lie on the comb, until they stay the same ones."""
    on = np.zeros(len(place), bool)
    for _ in range(8):
        index = np.rint((place - origin) / pitch)
        now = abs(place - origin - index * pitch) <= tolerance
        if now.sum() < MIN_TICKS or np.ptp(index[now]) < MIN_TICKS - 1:
            return None
        if np.array_equal(now, on):
            return origin, pitch, on
        on = now
        steps = index[on] - index[on].mean()
        pitch = float(steps @ place[on] / (steps @ steps))
        origin = float(place[on].mean() - pitch * index[on].mean())
        if pitch < MIN_PITCH_PX:
            return None
    return None


def _log10_tail(trials: int, hits: int, chance: float) -> float:
    """Return log10 of the probability of so many hits or more, each with the same chance."""
    if hits <= trials * chance:
        return 0.0
    logs = [
        math.lgamma(trials + 1) - math.lgamma(n + 1) - math.lgamma(trials - n + 1)
        + n * math.log(chance) + (trials - n) * math.log1p(-chance)
        for n in range(hits, trials + 1)
    ]  # fmt: skip
    return (max(logs) + math.log(sum(math.exp(v - max(logs)) for v in logs))) / math.log(10)


def _is_part_of_finer(band: _Band, column: int, ticks: Values) -> bool:
    """Tell whether there are faint marks half way, or a third of the way, between the ticks.

    A shrunken picture may show every second tick clearly and the others hardly at all.
    """
    pitch = ticks[1] - ticks[0]
    marks = band.painted[:, column : column + 2].max(axis=1)
    faint = cv2.dilate(marks, np.ones((3, 1), np.uint8)).ravel() >= FAINT
    usual = min(0.99, float(np.mean(faint)))
    for part in PARTS:
        at = np.rint(ticks[:-1] + part * pitch).astype(int)
        hits = int(faint[np.clip(at, 0, band.length - 1)].sum())
        if _log10_tail(len(at), hits, usual) < FAINT_CHANCE:
            return True
    return False


def _lengths(band: _Band, along: Values, column: int) -> Values:
    """Return how far each tick reaches inwards, counting its last pixels by their share."""
    lengths = []
    for center in along:
        row = round(center)
        line = band.painted[max(0, row - 1) : row + 2, column:].max(axis=0)
        full = line[:2].max()
        on = line >= 0.5 * full
        on[:2] = True  # the outer end of a resized tick may be soft
        end = len(on) if on.all() else int(np.argmin(on))
        lengths.append(float(line[: end + 1].sum() / full))
    return np.array(lengths)


def _points(band: _Band, along: Values, column: int, shape: tuple[int, int]) -> Points:
    """Turn places in a band back to (row, col) of the picture."""
    across = np.full(len(along), float(column))
    if band.edge == "bottom":
        return np.stack([shape[0] - 1 - across, along], axis=1)
    return np.stack([along, across if band.edge == "left" else shape[1] - 1 - across], axis=1)


def _comb(band: _Band, place: Values, column: int, shape: tuple[int, int]) -> Comb | None:
    """Return the comb of a column that chance explains least, or None.

    References:
        Desolneux A, Moisan L, Morel J-M. Meaningful alignments. Int J Comput Vis 2000;40:7-23:
        what is found is judged by the number of false alarms, tries x binomial tail.
    """
    best: Comb | None = None
    origins, pitches, tried = _starts(place, band)
    room = band.room[:, column : column + 3].mean(axis=1)
    chance = min(0.9, len(place) * 2 * band.tolerance_px / band.length)
    tries = math.log10(max(tried, 1) * band.painted.shape[1] * 2 * len(BAND))
    known: set[bytes] = set()
    for start in zip(origins.tolist(), pitches.tolist(), strict=True):
        settled = _settle(place, *start, band.tolerance_px)
        if settled is None or settled[2].tobytes() in known:
            continue
        origin, pitch, on = settled
        known.add(on.tobytes())
        index, first = np.unique(
            np.rint((place[on] - origin) / pitch).astype(np.int64), return_index=True
        )
        along = place[on][first]
        places = np.arange(index[0], index[-1] + 1)
        at = np.clip(np.rint(origin + places * pitch).astype(int), 0, band.length - 1)
        missing = places[(room[at] > ROOM) & ~np.isin(places, index)]
        alarms = tries + _log10_tail(len(index) + len(missing), len(index), chance)
        # a comb that chance alone would show is none
        if len(index) < MIN_TICKS or alarms >= (best.log10_false_alarms if best else 0):
            continue
        if _is_part_of_finer(band, column, origin + pitch * places):
            continue
        off = along - origin - index * pitch
        best = Comb(
            band.edge, band.dark, pitch, index - index[0], missing - index[0],
            _lengths(band, along, column), _points(band, along, column, shape),
            float(np.ptp(along)) / band.length, float(np.sqrt(np.mean(off**2))), alarms,
        )  # fmt: skip
    return best


def find_combs(pixels: Grey) -> list[Comb]:
    """Return the combs of ticks at the edges of a picture (H, W), the least accidental first."""
    combs = []
    for band in _bands(pixels):
        begins = _beginnings(band)
        starts = begins[:, :-2].copy()
        starts[1:] &= band.painted[:-1, :-2] < PAINTED  # a mark of several rows counts once
        columns = np.argsort(-starts.sum(axis=0), kind="stable")[: 2 * COLUMNS]
        marks = [(int(column), *_marks(band, int(column), begins)) for column in columns]
        marks = [entry for entry in marks if len(entry[1]) >= MIN_TICKS]
        marks.sort(key=lambda entry: -float((entry[2] - PAINTED / 2).sum()))
        for column, place, _ in marks[:COLUMNS]:
            comb = _comb(band, place, column, (pixels.shape[0], pixels.shape[1]))
            if comb is not None:
                combs.append(comb)
    return sorted(combs, key=lambda comb: comb.log10_false_alarms)
