"""TOML files of charts, formulas and houses; what does not fit is a ChartError."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fetometry.growth.refusals import ChartError
from fetometry.strict import Reader

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


def _words(expected: Any) -> str:
    names = {str: "text", float: "a number", int: "a whole number", bool: "true or false"}
    if typing.get_origin(expected) is Mapping:
        return "a table"
    if typing.get_origin(expected) is tuple:
        return "a list"
    return names.get(expected, str(expected))


_READER = Reader(ChartError, _words)


def strict(cls: type[T], table: Any, where: str) -> T:
    """Build a flat dataclass from a TOML table.

    Raises:
        ChartError: an unknown, missing or mistyped key; the message names the allowed ones.
    """
    return _READER.build(cls, table, where)
