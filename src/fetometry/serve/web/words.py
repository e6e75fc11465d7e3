"""Reasons in the page's own words: the page has no command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fetometry.types import FOUR_WAYS

#: What a person does on the page about a scale that is not known.
SCALE = "give the millimetres per pixel below the picture, or upload the calibrated DICOM file"

#: What is said to whom sits at a command line → what is said here.
SAID: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (re.escape(FOUR_WAYS), SCALE),
        (
            r"pass --mm-per-px ([\d.,e-]+) if you trust it",
            r"give \1 below the picture if you trust it",
        ),
        (r"give the pixel size with --mm-per-px X or --spacing FILE\.csv", SCALE),
        (
            r"--plane [a-z|]+ measures it all the same",
            "say beside the picture which plane it shows, and it is measured all the same",
        ),
        (
            r"--exam-date DATE, or measure DICOM files, which say it",
            "give it with the dates, or upload DICOM files, which say it",
        ),
    )
)

#: What is left of a command line, and where one part of a reason ends and the next begins.
OPTION = re.compile(r"(?<![\w-])--[a-z]")
PARTS = re.compile(r"(; |: )")


def page_words(text: str) -> str:
    """Return a reason in words that make sense on the page.

    A part of it that speaks of options of a command line, and has no words of its own here, is
    left out.
    """
    for pattern, words in SAID:
        text = pattern.sub(words, text)
    if not OPTION.search(text):
        return text
    pieces = PARTS.split(text)  # parts, and what parts them, in turn
    kept = pieces[0] if not OPTION.search(pieces[0]) else ""
    for mark, part in zip(pieces[1::2], pieces[2::2], strict=True):
        if not OPTION.search(part):
            kept += mark + part if kept else part
    return kept or "it cannot be used as it is"
