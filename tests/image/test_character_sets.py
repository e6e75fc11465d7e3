"""Character sets by whatever name."""

import pytest

from fetometry.image.character_sets import character_sets


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ISO-IR 100", ("ISO_IR 100",)),
        ("ISO_IR_100", ("ISO_IR 100",)),
        ("iso ir 100", ("ISO_IR 100",)),
        ("latin1", ("ISO_IR 100",)),
        ("UTF-8", ("ISO_IR 192",)),
        ("GB18030", ("GB18030",)),
        (["", "ISO 2022 IR 87"], ("", "ISO 2022 IR 87")),
        (["ISO_IR 100", "ISO-2022-IR-126"], ("ISO 2022 IR 100", "ISO 2022 IR 126")),
        (["ISO_IR 192", "ISO 2022 IR 87"], ("ISO_IR 192",)),
        ("nonsense", ()),
        ("ISO_IR 999", ()),
        (None, ()),
        ("", ()),
    ],
)
def test_a_character_set_is_spelt_as_the_standard_does(said, expected):
    assert character_sets(said) == expected
