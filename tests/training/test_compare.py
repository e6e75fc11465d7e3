import dataclasses

import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.training.compare import compare, compare_planes, comparison_markdown
from tests.training.judged import head, sized, told


def of(name, found):
    return next(d for d in found if d.name == name)


def test_the_paired_difference_is_the_other_minus_the_one():
    one = [head(1.0, "1.png"), head(-2.0, "2.png")]
    other = [head(-1.0, "2.png"), head(3.0, "1.png")]
    # |3| - |1| = 2 and |-1| - |-2| = -1
    found = compare(one, other)
    assert [d.name for d in found] == ["HC", "BPD", "OFD"]
    assert of("HC", found).images == 2
    assert of("HC", found).mm.value == pytest.approx(0.5)
    assert (of("HC", found).mm.low, of("HC", found).mm.high) == (-1.0, 2.0)
    assert of("BPD", found).mm.value == pytest.approx(0.125)
    assert of("BPD", found).percent.value == pytest.approx(0.125 / 0.28)


def test_a_result_compared_with_itself_differs_by_nothing():
    cases = [head(float(i), f"{i}.png") for i in range(4)]
    for found in compare(cases, cases[::-1]):
        assert (found.mm.low, found.mm.value, found.mm.high) == (0, 0, 0)


def test_a_constant_gain_is_certain_where_the_errors_themselves_are_not():
    errors = np.random.default_rng(0).uniform(1, 9, 30)
    one = [head(e, f"{i}.png") for i, e in enumerate(errors)]
    other = [head(e - 0.5, f"{i}.png") for i, e in enumerate(errors)]
    found = of("HC", compare(one, other)).mm
    assert (found.low, found.high) == (pytest.approx(-0.5), pytest.approx(-0.5))


def test_images_of_one_group_are_drawn_together():
    # exam a gains 1 and loses 1, exam b gains and loses 3: each exam alone is a tie of 0
    one = [head(5.0, f"{g}{i}.png", group=g) for g in "ab" for i in (0, 1)]
    gains = (1.0, -1.0, 3.0, -3.0)
    other = [head(5.0 + d, c.image, group=c.group) for c, d in zip(one, gains, strict=True)]
    found = of("HC", compare(one, other)).mm
    assert (found.low, found.high) == (pytest.approx(0), pytest.approx(0))


def test_measurements_of_other_planes_are_compared_among_themselves():
    femurs = sized("FL", [(50.0, 52.0), (60.0, 60.0)], plane="femur")
    better = sized("FL", [(50.0, 51.0), (60.0, 60.0)], plane="femur")
    heads = [head(1.0, "h.png")]
    found = compare([*heads, *femurs], [*heads, *better])
    assert [(d.name, d.images) for d in found] == [("HC", 1), ("BPD", 1), ("OFD", 1), ("FL", 2)]
    assert of("FL", found).mm.value == pytest.approx(-0.5)
    assert of("FL", found).percent.value == pytest.approx(-1)


def test_results_of_other_images_are_not_compared():
    with pytest.raises(DataError, match="the two results are not of the same images"):
        compare([head(1.0, "1.png")], [head(1.0, "2.png")])
    with pytest.raises(DataError, match="the two results are not of the same images"):
        compare([], [])


@pytest.mark.parametrize("other", [head(1.0, truth=101.0), head(1.0, sizes={})])
def test_results_of_another_truth_are_not_compared(other):
    with pytest.raises(DataError, match=r"1\.png: the two results have another truth of HC"):
        compare([head(1.0)], [other])


def test_the_planes_of_two_models_are_compared_where_both_tell_them_apart():
    one = [*told("head", "head", count=2), *told("head", "none", start=2)]
    other = [
        dataclasses.replace(c, found_plane="none" if i < 2 else "head") for i, c in enumerate(one)
    ]
    # one of three wrong, then two of three
    assert compare_planes(one, other).value == pytest.approx(100 / 3)
    assert compare_planes(one, [dataclasses.replace(c, planes={}) for c in one]) is None


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(-0.5, "the other errs less"), (0.5, "the other errs more"), (0.0, "a tie")],
)
def test_a_tie_is_called_a_tie(gain, verdict):
    one = [head(2.0 + i, f"{i}.png") for i in range(5)]
    other = [head(2.0 + i + gain, f"{i}.png") for i in range(5)]
    lines = comparison_markdown(one, other).splitlines()
    assert lines[0] == "| other minus one, paired | images | mm | % | verdict |"
    assert lines[2].startswith(f"| HC, absolute difference | 5 | {gain:.2f} (")
    assert lines[2].endswith(f"| {verdict} |")


def test_the_planes_stand_below_the_measurements():
    cases = told("head", "head", count=2)
    assert comparison_markdown(cases, cases).splitlines()[-1] == (
        "| plane wrong | 2 |  | 0.00 (0.00 to 0.00) | a tie |"
    )
