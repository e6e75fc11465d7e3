"""Growth in words and rows: what a terminal or a report says. Nothing here is drawn or printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fetometry.growth.nouns import (
    Age,
    Growth,
    Interval,
    Placement,
    Weight,
    centile_text,
    ga_text,
)

#: Centiles that are pointed out, and what is said below or above one.
LOW, HIGH = 10.0, 90.0

RESEARCH_ONLY = "research use only; not for diagnosis"

CATALOGUE_HEADING = ("name", "what", "of", "valid for", "convention", "status", "code", "source")

PLACEMENT_HEADING = ("", "value", "centile", "z", "chart", "convention")


def catalogue_rows(described: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return one row for each chart, formula and ratio, under `CATALOGUE_HEADING`."""
    return [
        (
            item["name"],
            item["role"],
            _subject(item),
            _validity(item),
            item["convention"],
            item["status"],
            item["dicom"],
            f"{item['citation']}; doi {item['doi']}",
        )
        for item in described
    ]


def catalogue_json(described: Iterable[Mapping[str, Any]]) -> str:
    """Return every chart, formula and ratio with all that it says about itself, as JSON."""
    return json.dumps(list(described), indent=2, ensure_ascii=False)


def _subject(item: Mapping[str, Any]) -> str:
    if item["role"] == "chart":
        return f"{item['measurement']} in {item['unit']}"
    if item["role"] == "ratio":
        return f"{item['over']}/{item['under']} in %"
    return f"{', '.join(item['inputs'])} in {item['input_unit']}"


def _validity(item: Mapping[str, Any]) -> str:
    ages = item.get("ga_days")
    parts = [f"{ga_text(ages[0])} to {ga_text(ages[1])}"] if ages else []
    parts += [f"{name} {low:g} to {high:g} mm" for name, (low, high) in _inputs(item)]
    if "range_percent" in item:
        parts.append("{:g} to {:g} %".format(*item["range_percent"]))
    if "from_days" in item:
        parts.append(f"judged from {ga_text(item['from_days'])}")
    return ", ".join(parts) or "no range published"


def _inputs(item: Mapping[str, Any]) -> list[tuple[str, tuple[float, float]]]:
    return list(item.get("input_mm", {}).items())


def age_text(age: Age | None) -> str:
    """Return the age, its interval and what it rests on, in one line."""
    if age is None:
        return "gestational age not known"
    around = ""
    if age.interval_days is not None:
        around = f" ({ga_text(age.interval_days[0])} to {ga_text(age.interval_days[1])})"
    kinds = {
        "ga": "as given",
        "edd": "by the agreed due date",
        "lmp": "by the last menstrual period",
        "crl": f"by CRL, {age.formula}",
        "biometry": f"estimated from {', '.join(age.from_sizes)}, {age.formula}",
    }
    return f"{age.text}{around}, {kinds[age.source]}"


def weight_text(weight: Weight) -> str:
    """Return the weight, its interval and its formula, in one line."""
    around = ""
    if weight.interval_g is not None:
        around = f" ({weight.interval_g[0]:.0f} to {weight.interval_g[1]:.0f})"
    return f"{weight.value_g:.0f} g{around}, {weight.formula} ({', '.join(weight.from_sizes)})"


def placement_rows(growth: Growth) -> list[tuple[str, ...]]:
    """Return one row for each size or weight on a chart, under `PLACEMENT_HEADING`.

    A centile comes with its range and its chart; where its range is not known, that is said.
    """
    return [
        (
            placed.name,
            _value_text(placed),
            _centile_with_range(placed),
            _z_text(placed),
            placed.chart,
            placed.convention,
        )
        for placed in growth.placements
    ]


def _value_text(placed: Placement) -> str:
    decimals = 0 if placed.unit == "g" else 1
    around = ""
    if placed.interval is not None:
        low, high = placed.interval
        around = f" ({low:.{decimals}f} to {high:.{decimals}f})"
    return f"{placed.value:.{decimals}f} {placed.unit}{around}"


def _centile_with_range(placed: Placement) -> str:
    if placed.centile is None:
        return f"median {placed.median:.0f} {placed.unit}"
    mark = " circular" if placed.circular else ""
    return f"{placed.centile_text} ({_range_text(placed.centile_interval, placed)}){mark}"


def _range_text(interval: Interval | None, placed: Placement) -> str:
    if interval is None:
        return "range not known"
    low, high = (_end_text(end, placed.outermost or (-1.0, 101.0)) for end in interval)
    return f"{low} to {high}"


def _end_text(centile: float, outermost: Interval) -> str:
    """Return an end of a range; at a chart's outermost curve it is only a bound."""
    lowest, highest = outermost
    # a centile that went through its z score and back is off by a rounding error
    if centile < lowest + 1e-6:
        return f"<{lowest:g}"
    return f">{highest:g}" if centile > highest - 1e-6 else centile_text(centile)


def _z_text(placed: Placement) -> str:
    if placed.z is None:
        return ""
    return f"{placed.beyond}{placed.z:+.2f}"


def sentences(growth: Growth) -> list[str]:
    """Return what is to be pointed out, in plain words: never a diagnosis."""
    said = [text for placed in growth.placements if (text := _pointed_out(placed))]
    said += [
        f"{ratio.title} is {ratio.percent:.1f} %, outside {ratio.range_percent[0]:.0f} to "
        f"{ratio.range_percent[1]:.0f} % ({ratio.citation})"
        for ratio in growth.ratios
        if ratio.inside is False and ratio.range_percent is not None
    ]
    circular = [placed.name for placed in growth.placements if placed.circular]
    if circular:
        said.append(
            f"the age was estimated from the measurements themselves: the centiles of "
            f"{', '.join(dict.fromkeys(circular))} are circular"
        )
    return said


def _pointed_out(placed: Placement) -> str:
    if placed.centile is None or LOW <= placed.centile <= HIGH:
        return ""
    side, mark = ("below", LOW) if placed.centile < LOW else ("above", HIGH)
    sure = ""
    if placed.centile_interval is not None:
        low, high = placed.centile_interval
        if low < mark < high:
            sure = ", though its range reaches across"
    return (
        f"{placed.name} is {side} the {mark:.0f}th centile of {placed.chart}{sure}; clinical "
        "correlation needed"
    )
