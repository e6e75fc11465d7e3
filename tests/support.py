"""Where the real images are, and the mark for tests that need them."""

import os
from pathlib import Path

import pytest


def _find_data() -> Path | None:
    named = os.environ.get("FETOMETRY_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


DATA = _find_data()
REASON = "needs the real images: set FETOMETRY_DATA, or put them in ../shared/data"


def needs_data(test):
    """Mark a test that reads the real images; without them it is skipped, with the reason."""
    return pytest.mark.data(pytest.mark.skipif(DATA is None, reason=REASON)(test))


def data_dir() -> Path:
    if DATA is None:
        pytest.skip(REASON)
    return DATA
