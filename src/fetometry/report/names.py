"""What the outputs of a source are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fetometry.errors import OutputError
from fetometry.types import source_stem

OVERLAYS = "overlays"


def overlay_names(sources: Iterable[str], root: Path) -> dict[str, Path]:
    """Return for each source its place among the overlays, without frame and suffix.

    Folders below `root` are kept. Files of one folder that differ only in their suffix keep it,
    so that no overlay replaces another.

    Raises:
        OutputError: a source does not lie below `root`.
    """
    full = {source: _below(source, root) for source in sources}
    short = {source: path.with_name(source_stem(source)) for source, path in full.items()}
    # some file systems do not tell upper from lower case
    taken = Counter(str(path).casefold() for path in short.values())
    return {
        source: path if taken[str(path).casefold()] == 1 else full[source]
        for source, path in short.items()
    }


def overlay_path(folder: Path, name: Path, frame: int) -> Path:
    """Return the file of one overlay in the output folder; `name` is from `overlay_names`."""
    return folder / OVERLAYS / name.parent / f"{name.name}_f{frame}.png"


def _below(source: str, root: Path) -> Path:
    path, top = _plain(source), _plain(root)
    if not path.is_relative_to(top) or path == top:
        raise OutputError(f"no place for the overlay of {source}: it does not lie below {root}")
    return path.relative_to(top)


def _plain(path: str | Path) -> Path:
    # not `resolve`: a link keeps the name that the person gave
    return Path(os.path.normpath(Path(path).absolute()))
