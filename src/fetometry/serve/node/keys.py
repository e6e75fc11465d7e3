"""Names that say nothing: keyed hashes of a study and a patient, with each store's own salt."""

from __future__ import annotations

import hashlib
import hmac
import re

_DIGITS = 16
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MAX_UID = 64


def is_uid(text: str) -> bool:
    """Tell whether it can be a UID: numbers and dots, so that it is safe as a file's name."""
    return len(text) <= _MAX_UID and _UID.fullmatch(text) is not None


class Keys:
    """HMAC-SHA256, 16 hexadecimal digits: from it nobody finds a UID or an id by trying all."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def study(self, study_uid: str) -> str:
        """Return what stands for a study in names, rows and logs."""
        return self._key("study", study_uid)

    def patient(self, patient: str, study_uid: str) -> str:
        """Return what stands for a patient, given as id + NUL + issuer.

        Nobody is taken for somebody else who has no id either: without one it is the study's own.
        """
        said = patient.partition("\0")[0].strip()
        return self._key("patient", patient) if said else self._key("nobody", study_uid)

    def _key(self, what: str, text: str) -> str:
        said = f"{what}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._salt, said, hashlib.sha256).hexdigest()[:_DIGITS]
