import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError, MeasurementError, OutputError
from fetometry.geometry import Ellipse
from fetometry.training import evaluate as judging
from fetometry.training.data import Row
from fetometry.types import ModelRef, Prediction
from tests.training import toy

TRUTH = Ellipse((80.0, 120.0), (60.0, 45.0), 20.0)
MM = 0.5


class Fake:
    """A predictor that sees the ellipse it was told to see, or nothing."""

    def __init__(self, seen, *, candidates=1):
        self.seen, self.candidates = seen, candidates

    def predict(self, image):
        if self.seen is None:
            raise MeasurementError("nothing was found")
        outline = self.seen.points(400)
        return Prediction(
            "head", None, outline, self.candidates, 0.0, ModelRef("fake", "0" * 64, "CC0-1.0")
        )


@pytest.fixture
def row(tmp_path):
    path = tmp_path / "007_HC.png"
    assert cv2.imwrite(str(path), toy.picture(TRUTH, shape=(160, 240)))
    return Row("hc18", path, "007", "head", (MM, MM), TRUTH, 166.0)


def enlarged(factor):
    a, b = TRUTH.semi_axes
    return Ellipse(TRUTH.center, (a * factor, b * factor), TRUTH.angle_deg)


def test_a_perfect_outline_has_no_error(row):
    case = judging.judge(row, Fake(TRUTH))
    assert case.truth_mm == pytest.approx(TRUTH.circumference * MM)
    assert case.reference_mm == 166.0
    assert (case.image, case.group, case.mm_per_px) == ("007_HC.png", "007", MM)
    assert case.difference_mm == pytest.approx(0, abs=1e-6)
    assert case.bpd_difference_mm == pytest.approx(0, abs=1e-6)
    assert case.ofd_difference_mm == pytest.approx(0, abs=1e-6)
    assert case.dice == 1.0
    assert case.hausdorff_mm == pytest.approx(0, abs=1e-4)
    assert (case.flags, case.failure) == ("", "")


def test_an_outline_a_tenth_too_large_has_the_errors_of_a_tenth(row):
    case = judging.judge(row, Fake(enlarged(1.1)))
    assert case.difference_mm == pytest.approx(0.1 * case.truth_mm)
    assert case.bpd_difference_mm == pytest.approx(0.1 * 2 * 45 * MM)
    assert case.ofd_difference_mm == pytest.approx(0.1 * 2 * 60 * MM)
    assert case.hausdorff_mm == pytest.approx(0.1 * 60 * MM, rel=1e-3)
    # 2 A / (A + 1.21 A)
    assert case.dice == pytest.approx(2 / 2.21, abs=2e-3)


def test_the_error_of_an_outline_too_small_is_negative(row):
    case = judging.judge(row, Fake(enlarged(0.9)))
    assert case.difference_mm == pytest.approx(-0.1 * case.truth_mm)


def test_flags_are_kept(row):
    assert judging.judge(row, Fake(TRUTH, candidates=2)).flags == "several-candidates"


def test_a_failure_counts_with_its_full_error(row):
    case = judging.judge(row, Fake(None))
    assert case.failure == "nothing was found"
    assert case.measured_mm == 0
    assert case.difference_mm == -case.truth_mm
    assert case.bpd_difference_mm == pytest.approx(-2 * 45 * MM)
    assert case.ofd_difference_mm == pytest.approx(-2 * 60 * MM)
    assert case.dice == 0
    assert case.hausdorff_mm == pytest.approx(2 * 60 * MM)


def test_an_implausible_size_is_a_failure_too(row):
    case = judging.judge(row, Fake(enlarged(0.2)))
    assert case.failure.startswith("HC must be 40 to 420 mm")
    assert case.difference_mm == -case.truth_mm


def test_every_image_is_judged_in_its_order(row):
    rows = [dataclasses.replace(row, group=name) for name in ("b", "a", "c")]
    assert [case.group for case in judging.evaluate(rows, Fake(TRUTH))] == ["b", "a", "c"]


def case(difference, image="1.png", **changes):
    base = judging.Case(
        image=image,
        group=image.partition(".")[0],
        mm_per_px=0.1,
        reference_mm=100.0,
        truth_mm=100.0,
        measured_mm=100.0 + difference,
        bpd_difference_mm=difference / 4,
        ofd_difference_mm=difference / 2,
        dice=0.98,
        hausdorff_mm=1.0,
        flags="",
        failure="",
    )
    return dataclasses.replace(base, **changes)


FOUR = [
    case(1.0, "1.png", dice=0.99, hausdorff_mm=0.5),
    case(-2.0, "2.png", dice=0.97, hausdorff_mm=1.5),
    case(3.0, "3.png", flags="poor-fit;cut-by-edge", truth_mm=200.0, measured_mm=203.0),
    case(-4.0, "4.png", failure="nothing was found"),
]


@pytest.fixture(scope="module")
def table():
    return {(line.name, line.unit): line.estimate for line in judging.summary(FOUR)}


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("HC, mean absolute difference (ADF)", "mm", 2.5),
        ("HC, mean absolute difference", "%", (1 + 2 + 1.5 + 4) / 4),
        ("HC, bias (DF)", "mm", -0.5),
        # deviations 1.5, -1.5, 3.5, -3.5: SD = sqrt(29 / 3)
        ("HC, lower limit of agreement", "mm", -0.5 - 1.96 * (29 / 3) ** 0.5),
        ("HC, upper limit of agreement", "mm", -0.5 + 1.96 * (29 / 3) ** 0.5),
        ("HC, largest absolute difference", "mm", 4.0),
        ("BPD, mean absolute difference", "mm", 0.625),
        ("OFD, mean absolute difference", "mm", 1.25),
        ("Dice (DSC)", "%", 98.0),
        ("Hausdorff distance (HD)", "mm", 1.0),
        ("failed", "%", 25.0),
        ("flagged", "%", 25.0),
    ],
)
def test_the_table_has_the_numbers_of_a_hand_calculation(table, name, unit, expected):
    estimate = table[name, unit]
    assert estimate.value == pytest.approx(expected)
    assert estimate.low <= estimate.value <= estimate.high


def test_intervals_are_over_groups_not_over_images():
    # four images of one exam: whichever exams are drawn, they are the same four images
    one_exam = [dataclasses.replace(case, group="1") for case in FOUR]
    bias = judging.summary(one_exam)[2].estimate
    assert bias.low == bias.value == bias.high == pytest.approx(-0.5)


def test_a_single_image_has_a_table_without_a_spread():
    lines = {line.name: line.estimate.value for line in judging.summary([case(2.0)])}
    assert lines["HC, bias (DF)"] == pytest.approx(2.0)
    assert lines["HC, upper limit of agreement"] == pytest.approx(2.0)


def test_no_image_is_an_error_and_not_a_table_of_nothing():
    with pytest.raises(DataError, match="no image was judged"):
        judging.summary([])


def test_the_markdown_names_images_exams_and_intervals():
    two_of_one = [*FOUR, case(0.5, "5.png", group="4")]
    text = judging.as_markdown(two_of_one).splitlines()
    assert text[0] == "| 5 images of 4 exams | value | 95 % interval |"
    assert text[2].startswith("| HC, mean absolute difference (ADF) | 2.10 mm | ")
    assert len(text) == 2 + 12


def test_cases_come_back_from_csv_as_they_were(tmp_path):
    path = tmp_path / "results" / "cases.csv"
    judging.write_cases(FOUR, path)
    assert judging.read_cases(path) == FOUR
    assert [p.name for p in path.parent.iterdir()] == ["cases.csv"]


def test_the_csv_keeps_a_hundredth_of_a_micrometre_of_any_number(tmp_path):
    written = [case(1 / 3, mm_per_px=0.123456789, failure='a "quoted", reason')]
    judging.write_cases(written, tmp_path / "cases.csv")
    (found,) = judging.read_cases(tmp_path / "cases.csv")
    assert found.measured_mm == pytest.approx(100 + 1 / 3, abs=5e-6)
    assert found.mm_per_px == pytest.approx(0.123456789, abs=5e-6)
    assert found.failure == written[0].failure


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a per-image result; it needs image, group, mm_per_px"),
        ("image,group\n1.png,1\n", "not a per-image result; it needs image, group, mm_per_px"),
        ("{header}\n1.png,1,x,1,1,1,1,1,1,1,,\n", "could not convert string to float: 'x'"),
        ("{header}\n1.png,1,1\n", "not a per-image result"),
        ("\xff\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_result_is_refused(content, message, tmp_path):
    path = tmp_path / "cases.csv"
    header = ",".join(field.name for field in dataclasses.fields(judging.Case))
    path.write_bytes(content.replace("{header}", header).encode("latin-1"))
    with pytest.raises(DataError, match=message):
        judging.read_cases(path)


def test_a_missing_result_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read"):
        judging.read_cases(tmp_path / "nowhere.csv")


def test_results_that_cannot_be_written_are_an_output_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        judging.write_cases(FOUR, tmp_path / "file" / "cases.csv")


def test_the_paired_difference_is_the_other_minus_the_one():
    one = [case(1.0, "1.png"), case(-2.0, "2.png")]
    other = [case(-1.0, "2.png"), case(3.0, "1.png")]
    # |3| - |1| = 2 and |-1| - |-2| = -1
    found = judging.compare(one, other)
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (-1.0, 2.0)


def test_a_result_compared_with_itself_differs_by_nothing():
    found = judging.compare(FOUR, FOUR[::-1])
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_a_constant_gain_is_certain_where_the_errors_themselves_are_not():
    rng = np.random.default_rng(0)
    errors = rng.uniform(1, 9, 30)
    one = [case(e, f"{i}.png") for i, e in enumerate(errors)]
    other = [case(e - 0.5, f"{i}.png") for i, e in enumerate(errors)]
    found = judging.compare(one, other)
    assert (found.low, found.high) == (pytest.approx(-0.5), pytest.approx(-0.5))


def test_results_of_other_images_are_not_compared():
    with pytest.raises(DataError, match="the two results are not of the same images"):
        judging.compare([case(1.0, "1.png")], [case(1.0, "2.png")])


def test_judging_a_model_needs_no_torch():
    code = (
        "import sys, fetometry.training.evaluate as e; e.judge; "
        "sys.exit(str(sorted({'torch', 'lightning', 'onnx', 'timm'} & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stderr.strip() == "[]"
