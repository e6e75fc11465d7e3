"""TOML tables as frozen dataclasses; what does not fit is refused with the allowed keys."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fetometry.growth.refusals import ChartError

T = typing.TypeVar("T")

#: A file of the package or of a hospital.
Source = Traversable | Path


def read_toml(source: Source) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ChartError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChartError(f"{source}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChartError(f"{source}: not a TOML file in UTF-8 ({error})") from None


def strict(cls: type[T], table: Any, where: str) -> T:
    """Build a flat dataclass from a TOML table.

    Raises:
        ChartError: an unknown, missing or mistyped key; the message names the allowed ones.
    """
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    allowed = ", ".join(fields)
    if not isinstance(table, Mapping):
        raise ChartError(f"{where} must be a table, got {table!r}; allowed: {allowed}")
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise ChartError(f"{where}: unknown key {key!r}; allowed: {allowed}")
        try:
            values[key] = _fits(value, hints[key])
        except TypeError:
            kind = _words(hints[key])
            raise ChartError(f"{where}: {key} must be {kind}, got {value!r}") from None
    for name, spec in fields.items():
        required = (
            spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise ChartError(f"{where}: {name} is missing; allowed: {allowed}")
    try:
        return cls(**values)
    except ChartError as error:
        raise ChartError(f"{where}: {error}") from None


def _fits(value: Any, expected: Any) -> Any:
    """Return the value as the expected type, or raise TypeError."""
    if typing.get_origin(expected) is not None:
        return _fits_each(value, expected)
    if isinstance(value, bool) != (expected is bool):
        raise TypeError
    if expected is float and isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    if expected is not float and isinstance(value, expected):
        return value
    raise TypeError


def _fits_each(value: Any, expected: Any) -> Any:
    arguments = typing.get_args(expected)
    if typing.get_origin(expected) is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_fits(k, arguments[0]): _fits(v, arguments[1]) for k, v in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError
    if arguments[-1] is Ellipsis:
        return tuple(_fits(item, arguments[0]) for item in value)
    if len(value) != len(arguments):
        raise TypeError
    return tuple(_fits(item, kind) for item, kind in zip(value, arguments, strict=True))


def _words(expected: Any) -> str:
    names = {str: "text", float: "a number", int: "a whole number", bool: "true or false"}
    if typing.get_origin(expected) is Mapping:
        return "a table"
    if typing.get_origin(expected) is tuple:
        return "a list"
    return names.get(expected, str(expected))
