"""Files that survive a power cut: written through to the disk, renamed whole, locked by one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fetometry.errors import OutputError, UsageError

#: The name of the file that the running node holds.
LOCK = "node.lock"

_PRIVATE = 0o700
#: Of the system, where the disk or a quota is full; and of SQLite.
_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


class NoRoom(OutputError):
    """The disk is full, or nearly so."""


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what the system and SQLite raise into one line; a full disk into `NoRoom`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        # SQLite names the code; the name of a file, which `str(error)` has, is left out
        reason = error.strerror if isinstance(error, OSError) else str(error)
        kind = NoRoom if is_full(error) else OutputError
        raise kind(f"{what}: {reason or type(error).__name__}") from error


def is_full(error: OSError | sqlite3.Error) -> bool:
    """Tell whether a full disk is the reason."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may open, and close one that is there to others."""
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    folder.chmod(_PRIVATE)


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, through to the disk."""
    if path.is_dir() and sys.platform == "win32":
        return  # NTFS keeps names by itself, and has no call for it
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_tree(folder: Path) -> None:
    """Write everything in a folder through to the disk, and the folder's own name."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
    sync(folder.parent)


def make_folder(folder: Path) -> None:
    """Make a folder in one that exists, so that it is there after a power cut."""
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def place(file: Path, target: Path) -> None:
    """Rename a file that is synced; the new name is there after a power cut."""
    make_folder(target.parent)
    file.replace(target)
    sync(target.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that nothing is in."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def children(folder: Path) -> list[Path]:
    """List a folder in order; nothing where it is missing."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


class Lock:
    """One running node for one folder: the system gives it back when the process ends."""

    def __init__(self, path: Path) -> None:
        """Take it.

        Raises:
            UsageError: another process has it.
        """
        self._file: IO[bytes] = path.open("ab")
        try:
            _lock(self._file)
        except OSError:
            self._file.close()
            raise UsageError(
                f"--store: another node is running on {path.parent}; stop it, or give another "
                "folder"
            ) from None

    def release(self) -> None:
        """Give it back."""
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
