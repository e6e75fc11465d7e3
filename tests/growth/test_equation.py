"""Equations as text: what they compute, and that they can do nothing else."""

import numpy as np
import pytest

from fetometry.growth import ChartError
from fetometry.growth.equation import Equation
from fetometry.growth.normal import centile_of, z_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*w", 7.0),
        ("-w**2 + 4", -5.0),
        ("w**3 - w**-1", 27 - 1 / 3),
        ("w**0.5", 3**0.5),
        ("ln(w)/log10(w)", np.log(10)),
        ("exp(2) - sqrt(w)", np.exp(2) - 3**0.5),
        ("10**(w - 1)", 100.0),
        ("+w - (2 - 1)", 2.0),
        ("1e-4*w", 3e-4),
    ],
)
def test_an_equation_is_worked_out(text, expected):
    found = Equation(text, ("w",))({"w": np.array([3.0, 3.0])})
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "w.real",
        "__import__('os')",
        "w if w else 1",
        "[w]",
        "lambda: 1",
        "abs(w)",
        "exp(w, 2)",
        "w // 2",
        "w % 2",
        "True",
        "'3'",
        "d",
        "w +",
        "",
        "w = 2",
        "1j",
        "w < 2",
        "exp(x=w)",
        "w" + " + w" * 200,
    ],
)
def test_anything_but_arithmetic_is_refused(text):
    with pytest.raises(ChartError):
        Equation(text, ("w",))


def test_a_refusal_names_what_is_wrong_and_what_is_allowed():
    with pytest.raises(ChartError, match=r"unknown name 'age'; allowed are numbers, w, d, .*log10"):
        Equation("2*age", ("w", "d"))


def test_what_has_no_value_is_not_a_number_and_warns_of_nothing():
    found = Equation("ln(w)", ("w",))({"w": np.array([-1.0, 0.0])})
    assert np.isnan(found[0])
    assert np.isneginf(found[1])


@pytest.mark.parametrize(
    ("z", "centile"),
    [(-1.880794, 3), (-1.281552, 10), (0, 50), (1.959964, 97.5), (-3, 0.134990)],
)
def test_centile_and_z_are_those_of_a_table_of_the_normal(z, centile):
    assert centile_of(np.array(z)) == pytest.approx(centile, abs=1e-4)
    assert z_of(np.array(centile)) == pytest.approx(z, abs=1e-5)


def test_a_centile_of_0_or_100_has_no_z():
    assert np.all(np.isnan(z_of(np.array([0.0, 100.0, -1.0, np.nan]))))
