"""What a report says, before it is HTML or PDF: one content, written twice.

A page is a row of blocks. Words are plain text; pictures are PNG files in memory.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A heading; of level 1 (a fetus, the exam) or 2."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Fact:
    """One of the few things that are read first."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """Facts side by side."""

    items: tuple[Fact, ...]


@dataclass(frozen=True)
class Remarks:
    """Sentences below each other; those to be heeded stand out."""

    items: tuple[str, ...]
    heeded: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture with its caption, and what it shows in words.

    `size` is (rows, cols) in pixels.
    """

    png: bytes
    size: tuple[int, int]
    words: str
    title: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, `columns` to a row."""

    items: tuple[Picture, ...]
    columns: int = 3


@dataclass(frozen=True)
class Table:
    """A table; `shares` are the widths of its columns, relative to each other.

    The first column holds names. `bold` counts the columns, from the first, that are read first.
    """

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    bold: int = 1


Block = Heading | Facts | Remarks | Pictures | Table


@dataclass(frozen=True)
class Page:
    """A whole report.

    `notice` is said at its head and at the foot of every sheet of paper.
    """

    title: str
    subtitle: str
    notice: str
    blocks: tuple[Block, ...]
