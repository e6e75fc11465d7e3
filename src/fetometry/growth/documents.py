"""Growth, read back from JSON."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fetometry.growth.nouns import SCHEMA, Growth
from fetometry.growth.refusals import GrowthError

T = TypeVar("T")


def read_growth(document: Any) -> Growth:
    """Return what `Growth.as_json` wrote, now or before a key with a default was added.

    Keys that are not known are passed over.

    Raises:
        GrowthError: it is of another version, lacks a key, or a value is not of its kind.
    """
    schema = document.get("schema") if isinstance(document, Mapping) else None
    if schema != SCHEMA:
        raise GrowthError(f"the schema of growth must be {SCHEMA}, got {schema!r}")
    return _built(Growth, document, "growth")


def _built(cls: type[T], item: Any, where: str) -> T:
    """Return a dataclass from an object of JSON, with those inside it."""
    if not isinstance(item, Mapping):
        raise GrowthError(f"{where} must be an object, got {item!r}")
    hints, values = typing.get_type_hints(cls), {}
    for field in dataclasses.fields(typing.cast(Any, cls)):
        if field.name in item:
            values[field.name] = _fits(item[field.name], hints[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING:
            raise GrowthError(f"{where} lacks {field.name!r}")
    return cls(**values)


def _fits(value: Any, kind: Any, where: str) -> Any:
    """Return a value as its kind: a dataclass, a tuple, a plain one, or None where that may be."""
    if typing.get_origin(kind) is types.UnionType:
        first, _ = typing.get_args(kind)
        return None if value is None else _fits(value, first, where)
    if typing.get_origin(kind) is tuple:
        return _fits_each(value, typing.get_args(kind), where)
    if dataclasses.is_dataclass(kind):
        return _built(typing.cast(type[Any], kind), value, where)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number and math.isfinite(value):
        return float(value)
    if kind is not float and isinstance(value, kind):
        return value
    raise GrowthError(f"{where}: {kind.__name__} is needed, got {value!r}")


def _fits_each(value: Any, kinds: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise GrowthError(f"{where} must be a list, got {value!r}")
    whole = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
    if len(whole) != len(value):
        raise GrowthError(f"{where} must have {len(whole)} items, got {len(value)}")
    return tuple(
        _fits(item, kind, f"{where}[{k}]")
        for k, (item, kind) in enumerate(zip(value, whole, strict=True))
    )
