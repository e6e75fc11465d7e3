"""What an object that came in says of itself, and why it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from fetometry.errors import ImageError
from fetometry.image import inflating, quiet
from fetometry.image.dicom import PYDICOM_RAISES
from fetometry.report.sr.identity import MAKER
from fetometry.serve.node.keys import is_uid
from fetometry.serve.node.whole import is_whole

UNREADABLE, TRUNCATED = "unreadable", "truncated"
UIDS_MISSING, UIDS_DIFFER = "uids-missing", "uids-differ"

_TAGS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID", "IssuerOfPatientID",
         "Manufacturer", "SpecificCharacterSet"]  # fmt: skip


class UnfitError(Exception):
    """The object is put into quarantine; `reason` is the word for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Said:
    """The identity of an object; `patient` is id + NUL + issuer."""

    sop_class: str
    sop_uid: str
    study_uid: str
    patient: str
    ours: bool


def inspect(path: Path, start: int, syntax: UID, requested: tuple[str, str]) -> Said:
    """Read the identity, and check that the object is whole and the one that was announced.

    `start` is where its data set begins, `requested` the SOP class and instance of the request.

    Raises:
        UnfitError: unreadable, truncated, without its UIDs, or with others than announced.
    """
    try:
        with path.open("rb") as file:
            if not is_whole(file, start, syntax):
                raise UnfitError(TRUNCATED)
        with quiet.pydicom:
            dataset = inflating.read(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            said = _said(dataset)
    except (ImageError, InvalidDicomError, *PYDICOM_RAISES):
        raise UnfitError(UNREADABLE) from None
    if not (is_uid(said.sop_uid) and is_uid(said.sop_class) and is_uid(said.study_uid)):
        raise UnfitError(UIDS_MISSING)
    if (said.sop_class, said.sop_uid) != requested:
        raise UnfitError(UIDS_DIFFER)
    return said


def _said(dataset: Dataset) -> Said:
    return Said(
        sop_class=_text(dataset, "SOPClassUID"),
        sop_uid=_text(dataset, "SOPInstanceUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        patient=_text(dataset, "PatientID") + "\0" + _text(dataset, "IssuerOfPatientID"),
        ours=_text(dataset, "Manufacturer") == MAKER,
    )


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
