"""What an exam's values mean, as the page draws it: age, weight, charts, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fetometry.growth.nouns import CentileCurves, Growth, Placement, ga_text
from fetometry.growth.words import age_text, placement_rows, sentences, weight_text
from fetometry.report.growth_chart import FULL_NAMES, charted
from fetometry.report.history import History
from fetometry.serve.web.words import page_words
from fetometry.types import MAIN, Exam

Json = dict[str, Any]

DAYS = 7.0

#: Points of a curve that are sent: a screen shows no more.
MOST_POINTS = 60


def growth_document(exam: Exam, past: Mapping[str, History]) -> dict[str, Json]:
    """Return by fetus what its values mean; `past` has the earlier exams."""
    fetuses = sorted({*(entry.fetus for entry in exam.selected), *exam.growth}) or [""]
    return {
        fetus: _fetus(exam, fetus, exam.growth.get(fetus), past.get(fetus, History()))
        for fetus in fetuses
    }


def _fetus(exam: Exam, fetus: str, growth: Growth | None, history: History) -> Json:
    if growth is None:
        return {
            "age": None, "weight": None, "missing": _missing(exam, fetus, None),
            "placements": [], "charts": [], "sentences": [],
        }  # fmt: skip
    age = growth.age
    return {
        "age": {"text": age.text, "days": age.days, "how": age_text(age)} if age else None,
        "weight": _weight(growth),
        "missing": _missing(exam, fetus, growth),
        "placements": [_placed(placed) for placed in growth.placements],
        "charts": [_chart(placed, curves, history) for placed, curves in charted(growth)],
        "sentences": [_sentence(text) for text in sentences(growth)],
    }


def _sentence(text: str) -> str:
    words = page_words(text)
    return words[:1].upper() + words[1:]


def _weight(growth: Growth) -> Json | None:
    if not growth.weights:
        return None
    weight = growth.weights[0]
    rows = zip(growth.placements, placement_rows(growth), strict=True)
    on = [(p, row) for p, row in rows if p.name == "EFW" and p.formula == weight.formula]
    placed = next(((p, row) for p, row in on if p.centile is not None), None)
    low, high = weight.interval_g or (None, None)
    return {
        "grams": weight.value_g,
        "low": low,
        "high": high,
        "text": weight_text(weight),
        "formula": weight.formula,
        "centile": placed[0].centile_text if placed else None,
        "centile_range": placed[1][2] if placed else None,
        "chart": placed[0].title if placed else None,
        "circular": placed[0].circular if placed else False,
    }


def _missing(exam: Exam, fetus: str, growth: Growth | None) -> list[str]:
    """Say in plain words why there is no weight."""
    if growth is not None and growth.weights:
        return []
    known = {s.name: s.unit for s in exam.selected if s.fetus == fetus}
    said = []
    for plane, name in MAIN.items():
        if name not in known:
            said.append(f"No {plane} was measured: {name} is missing.")
        elif known[name] != "mm":
            said.append(f"{name} is in pixels: the size of a pixel is missing.")
    reasons = [item.reason for item in growth.refused if item.what == "weight"] if growth else []
    told = dict.fromkeys(map(page_words, reasons))
    return [*said, *(reason[:1].upper() + reason[1:] for reason in told)]


def _placed(placed: Placement) -> Json:
    return {
        "name": placed.name,
        "value": placed.value,
        "unit": placed.unit,
        "centile": placed.centile_text or None,
        "z": placed.z,
        "beyond": placed.beyond,
        "chart": placed.chart,
        "title": placed.title,
        "circular": placed.circular,
        "text": _place_text(placed),
    }


def _place_text(placed: Placement) -> str:
    if placed.centile is None:
        return f"median {placed.median:.0f} {placed.unit}"
    return f"centile {placed.centile_text}" + (" (circular)" if placed.circular else "")


def _chart(placed: Placement, curves: CentileCurves, history: History) -> Json:
    step = max(1, -(-len(curves.ga_days) // MOST_POINTS))
    kept = sorted({*range(0, len(curves.ga_days), step), len(curves.ga_days) - 1})
    before = [
        place
        for growth in history.growths
        for place in growth.placements
        if (place.name, place.chart) == (placed.name, placed.chart)
    ]
    return {
        "name": placed.name,
        "chart": placed.chart,
        "title": f"{FULL_NAMES.get(placed.name, placed.name)}, {placed.title}",
        "unit": curves.unit,
        "x": "weeks",
        "curves": [
            {"centile": centile, "points": _points(curves.ga_days, row, kept)}
            for centile, row in zip(curves.centiles, curves.values, strict=True)
        ],
        "points": [*(_point(place, now=False) for place in before), _point(placed, now=True)],
    }


def _points(
    days: Sequence[float], values: Sequence[float], kept: Sequence[int]
) -> list[list[float]]:
    return [[round(days[k] / DAYS, 3), round(values[k], 2)] for k in kept]


def _point(placed: Placement, *, now: bool) -> Json:
    unit = f"{placed.value:.0f} g" if placed.unit == "g" else f"{placed.value:.1f} {placed.unit}"
    return {
        "x": placed.ga_days / DAYS,
        "y": placed.value,
        "label": f"{ga_text(placed.ga_days)}: {unit}",
        "now": now,
        "circular": placed.circular,
    }
