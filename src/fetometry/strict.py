"""TOML tables as frozen dataclasses; what does not fit is refused with the allowed keys."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fetometry.errors import FetometryError

T = typing.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Reader:
    """Builds dataclasses from tables, with the error to raise and the words for a type."""

    error: type[FetometryError]
    words: Callable[[Any], str]

    def toml(self, path: Path) -> dict[str, Any]:
        """Read a TOML file.

        Raises:
            FetometryError: `error`: it cannot be read, or is not TOML.
        """
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self.error(f"{path}: cannot be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.error(f"{path}: not a TOML file ({error})") from None

    def build(self, cls: type[T], table: Any, where: str) -> T:
        """Build a flat dataclass from a TOML table.

        Raises:
            FetometryError: `error`, for an unknown, missing or mistyped key; the message names
                the allowed ones.
        """
        fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
        allowed = ", ".join(fields)
        if not isinstance(table, Mapping):
            raise self.error(f"{where} must be a table, got {table!r}; allowed: {allowed}")
        hints = typing.get_type_hints(cls)
        values = {}
        for key, value in table.items():
            if key not in fields:
                raise self.error(f"{where}: unknown key {key!r}; allowed: {allowed}")
            try:
                values[key] = _fits(value, hints[key])
            except TypeError:
                kind = self.words(hints[key])
                raise self.error(f"{where}: {key} must be {kind}, got {value!r}") from None
        for name, spec in fields.items():
            required = (
                spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
            )
            if required and name not in values:
                raise self.error(f"{where}: {name} is missing; allowed: {allowed}")
        try:
            return cls(**values)
        except self.error as error:
            raise self.error(f"{where}: {error}") from None


def _fits(value: Any, expected: Any) -> Any:
    """Return the value as the expected type, or raise TypeError."""
    if typing.get_origin(expected) is not None:
        return _fits_each(value, expected)
    if isinstance(value, bool) != (expected is bool):
        raise TypeError
    if expected is float and isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    if expected is not float and isinstance(expected, type) and isinstance(value, expected):
        return value
    raise TypeError


def _fits_each(value: Any, expected: Any) -> Any:
    """Return a list or a table with every item as the expected type, or raise TypeError."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_fits(k, arguments[0]): _fits(v, arguments[1]) for k, v in value.items()}
    if origin is not tuple or not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError
    if arguments[-1] is Ellipsis:
        return tuple(_fits(item, arguments[0]) for item in value)
    if len(value) != len(arguments):
        raise TypeError
    return tuple(_fits(item, kind) for item, kind in zip(value, arguments, strict=True))
