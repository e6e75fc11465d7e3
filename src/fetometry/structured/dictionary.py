"""The context groups and codes of DICOM, from pydicom's own dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fetometry.structured.concepts import Concept, Key, dcm, ln

#: Codes that DICOM has and pydicom's dictionary has not.
_MORE: Mapping[Key, str] = {
    ln("11951-1"): "Fetus ID",
    ln("55281-0"): "Number of Fetuses",
    ln("8302-2"): "Patient Height",
    ln("29463-7"): "Patient Weight",
    ln("11996-6"): "Gravida",
    ln("11977-6"): "Para",
    ln("11612-9"): "Aborta",
    ln("33065-4"): "Ectopic Pregnancies",
    ln("11631-9"): "Gross Body Movement",
    ln("11632-7"): "Fetal Breathing",
    ln("11635-0"): "Fetal Tone",
    ln("11633-5"): "Fetal Heart Reactivity",
    ln("11630-1"): "Amniotic Fluid Volume",
    ln("11634-3"): "Biophysical Profile Sum Score",
    dcm("131370"): "Fetal Anatomy Survey",
}

#: The schemes of which pydicom has all that a report of biometry needs.
_WHOLE = ("DCM", "LN")


@cache
def group(number: int) -> Mapping[Key, str]:
    """Return a context group: key → meaning."""
    # loading the dictionary takes as long as reading a hundred reports
    from pydicom.sr.codedict import Collection

    codes = Collection(f"CID{number}").concepts.values()
    return {(code.value, code.scheme_designator): code.meaning for code in codes}


def groups(*numbers: int) -> Mapping[Key, str]:
    """Return several context groups as one."""
    return {key: meaning for number in numbers for key, meaning in group(number).items()}


@cache
def _scheme(name: str) -> Mapping[str, frozenset[str]]:
    """Return every code of a scheme with its meanings."""
    from pydicom.sr.codedict import Collection

    found: dict[str, set[str]] = {}
    for code in Collection(name).concepts.values():
        found.setdefault(code.value, set()).add(code.meaning)
    for (value, scheme), meaning in _MORE.items():
        if scheme == name:
            found.setdefault(value, set()).add(meaning)
    return {value: frozenset(meanings) for value, meanings in found.items()}


def unknown(concept: Concept) -> bool:
    """Tell whether a code claims a scheme that we know and is not in it."""
    return concept.scheme in _WHOLE and concept.code not in _scheme(concept.scheme)


def meant_instead(concept: Concept) -> str:
    """Return the other code that this one's meaning belongs to; empty where they agree.

    Small differences of wording are no contradiction: only a meaning that is word for word that of
    another code of the same scheme is.
    """
    if concept.scheme not in _WHOLE or unknown(concept):
        return ""
    meaning = concept.meaning.casefold()
    if meaning in {m.casefold() for m in _scheme(concept.scheme)[concept.code]}:
        return ""
    return _by_meaning(concept.scheme).get(meaning, "")


@cache
def _by_meaning(name: str) -> Mapping[str, str]:
    codes = _scheme(name)
    return {meaning.casefold(): code for code, meanings in codes.items() for meaning in meanings}
