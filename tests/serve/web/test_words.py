"""What the page says has no words of a command line."""

import re

import pytest

from fetometry.serve.web.words import SCALE, page_words
from fetometry.types import FOUR_WAYS
from tests.conftest import SPACING, dataset, painted, save, save_dicom

OPTION = re.compile(r"--[a-z]")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"no millimetres: stale; {FOUR_WAYS}", f"no millimetres: stale; {SCALE}"),
        (
            "it has a Pixel Spacing of 0.2 mm: pass --mm-per-px 0.2,0.25 if you trust it",
            "it has a Pixel Spacing of 0.2 mm: give 0.2,0.25 below the picture if you trust it",
        ),
        (
            "shows none of the planes; --plane head|abdomen|femur measures it all the same",
            "shows none of the planes; say beside the picture which plane it shows, and it is "
            "measured all the same",
        ),
        (
            "a CRL and its date go together: --crl MM --crl-date DATE",
            "a CRL and its date go together",
        ),
        ("it needs its convention; give --bpd-convention, or a file", "it needs its convention"),
        ("--select x: unknown", "unknown"),
        ("--model", "it cannot be used as it is"),
        ("a reviewer rejected it: 3 -- 4", "a reviewer rejected it: 3 -- 4"),
    ],
)
def test_a_reason_is_said_without_options(said, words):
    assert page_words(said) == words


def test_no_problem_of_an_exam_names_an_option(page, tmp_path):
    none = save(tmp_path / "none.png", painted(plane="none"))
    bare = dataset(PixelSpacing=list(SPACING), SequenceOfUltrasoundRegions=None)
    exam = page.measured(
        [("none.png", none), ("bare.dcm", save_dicom(tmp_path / "bare.dcm", bare))]
    )
    reasons = [problem["reason"] for problem in exam["problems"]]
    reasons += [one["reason"] for image in exam["images"] for one in image["problems"]]
    assert any("which plane it shows" in reason for reason in reasons)
    assert any("below the picture if you trust it" in reason for reason in reasons)
    assert not [reason for reason in reasons if OPTION.search(reason)]
