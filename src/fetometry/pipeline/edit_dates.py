"""What is known of the age in an exam that a person looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fetometry.errors import FetometryError, UsageError
from fetometry.pipeline.edit_values import dates_of
from fetometry.pipeline.growing import Dated, dated, told
from fetometry.pipeline.settings import Settings
from fetometry.review import Edit
from fetometry.types import Exam


def sources_of(exam: Exam) -> list[str]:
    """Return the sources of an exam, each once."""
    found = [f.source for f in exam.findings] + [p.source for p in exam.problems]
    return list(dict.fromkeys([*found, *(volume.source for volume in exam.volumes)]))


def dates_known(exam: Exam, edits: Sequence[Edit], settings: Settings) -> Dated:
    """Return what a reviewer said last of the age, or what was said before, and what files say.

    Raises:
        UsageError: no age can be counted from it.
    """
    files = [Path(source) for source in sources_of(exam)]
    said = [edit.value for edit in edits if edit.action == "dates"]
    try:
        dates = told(dates_of(said[-1]))["dates"] if said else settings.dates
        return dated([f for f in files if f.is_file()], settings.saying(dates))
    except FetometryError as error:
        # without the words for the command line
        raise UsageError(str(error).partition(": --")[0]) from None
