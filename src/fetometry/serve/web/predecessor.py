"""The node's last report of a study, put where a new one finds what it replaces."""

from __future__ import annotations

import shutil
from pathlib import Path

from fetometry import image as reading
from fetometry.errors import OutputError, UsageError
from fetometry.report.dicom_out import SR, STEM
from fetometry.serve.node.store import Store as NodeStore
from fetometry.serve.web.problems import Refusal
from fetometry.types import Exam


def put_predecessor(store: Path | None, exam: Exam, folder: Path) -> None:
    """Copy the report that a node committed last for the study of an exam into a folder.

    A report that is written there names it as its predecessor; where the content is the same, it
    is the same instance.

    Raises:
        Refusal: what the node has cannot be read.
    """
    if store is None:
        return
    try:
        with NodeStore.look(store) as node:
            found = (node.last_result(node.study_key(study)) for study in _studies(exam))
            last = next((path for path in found if path is not None), None)
            if last is not None:
                shutil.copyfile(last, folder / f"{STEM}.{SR}.dcm")
    except (UsageError, FileNotFoundError):
        return  # no node has begun there, or it has forgotten the study
    except (OutputError, OSError):
        raise Refusal(
            409, "the node's store cannot be read: which report this one replaces is not known"
        ) from None


def _studies(exam: Exam) -> list[str]:
    """Return the studies of what was measured, as the files name them."""
    headers = (reading.read_header(Path(source)) for source in _sources(exam))
    said = (str(header.get("StudyInstanceUID") or "").strip() for header in headers if header)
    return sorted({study for study in said if study})


def _sources(exam: Exam) -> list[str]:
    return list(dict.fromkeys(finding.source for finding in exam.findings))
