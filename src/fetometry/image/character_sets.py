"""Character sets of DICOM text: many files misspell the one that they use."""

from __future__ import annotations

import re
from collections.abc import Iterable

UTF8 = "ISO_IR 192"

#: Specific Character Set as it is defined: one that stands alone, and with code extensions.
SINGLE = frozenset({UTF8, "GB18030", "GBK"})
ISO_NUMBERS = (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 203)

#: What writers call a character set by its common name.
_COMMON = {
    "utf8": UTF8,
    "isoir192": UTF8,
    "latin1": "ISO_IR 100",
    "iso88591": "ISO_IR 100",
    "gb18030": "GB18030",
    "gbk": "GBK",
    "gb2312": "ISO 2022 IR 58",
    "ascii": "",
}

_ISO = re.compile(r"iso(2022)?ir(\d+)")


def character_sets(terms: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return Specific Character Set as the standard spells it; terms that are none are left out.

    `ISO-IR 100`, `ISO_IR_100` and `latin1` are ISO_IR 100; of several values each is one with
    code extensions, the first of which may be empty.

    References:
        DICOM PS3.3 C.12.1.1.2.
    """
    said = [terms] if isinstance(terms, str) else list(terms or ())
    spelled = [_spelled(str(term)) for term in said]
    several = len(spelled) > 1
    known = [_extended(term) if several and term else term or "" for term in spelled]
    if several and any(term in SINGLE for term in spelled):
        # these take no code extensions: the first of them says how the text is encoded
        return tuple(term for term in spelled if term in SINGLE)[:1]
    kept = known[:1] + [term for term in known[1:] if term]
    return () if kept in ([], [""]) else tuple(kept)


def _spelled(term: str) -> str | None:
    plain = re.sub(r"[^a-z0-9]", "", term.lower())
    if plain in _COMMON:
        return _COMMON[plain]
    found = _ISO.fullmatch(plain)
    if not found or int(found[2]) not in ISO_NUMBERS:
        return None
    return f"ISO 2022 IR {int(found[2])}" if found[1] else f"ISO_IR {int(found[2])}"


def _extended(term: str) -> str:
    return term.replace("ISO_IR", "ISO 2022 IR") if term not in SINGLE else term
