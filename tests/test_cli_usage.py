"""What a command that contradicts itself gets: one clear line, exit 2, and nothing is written."""

import pytest

from tests.conftest import files_in, nothing_new_in, save


def test_two_ways_to_give_the_spacing_at_once_are_a_usage_error(bright, run, tmp_path):
    image, csv_file = save(tmp_path / "head.png"), tmp_path / "mm.csv"
    csv_file.write_text("image,mm_per_px\nhead,0.3\n")
    with nothing_new_in(tmp_path):
        code, printed = run(
            "measure", image, "--mm-per-px", 0.3, "--spacing", csv_file, "--out", tmp_path / "out"
        )
    assert (code, printed.count("\n")) == (2, 1)
    assert "two spacings" in printed


def test_a_ruler_and_a_number_at_once_are_a_usage_error(bright, run, tmp_path):
    image = save(tmp_path / "head.png")
    with nothing_new_in(tmp_path):
        code, printed = run(
            "measure", image, "--spacing", "ruler", "--mm-per-px", 0.3, "--out", tmp_path / "out"
        )
    assert (code, printed.count("\n")) == (2, 1)
    assert "two spacings" in printed


def test_a_twin_said_twice_is_a_usage_error(bright, run, tmp_path):
    image, csv_file = save(tmp_path / "head.png"), tmp_path / "twins.csv"
    csv_file.write_text("image,fetus\nhead,A\n")
    with nothing_new_in(tmp_path):
        code, printed = run("measure", image, "--spacing", csv_file, "--fetus", "B")
    assert (code, printed.count("\n")) == (2, 1)
    assert "two answers: give --fetus or the column fetus" in printed


OUTPUTS = "choose from overlay, picture, json, csv, summary, hc18"
PLANES = "unknown plane 'feet'; allowed: auto, head, abdomen, femur"
USAGE = {
    "unknown plane": (("--plane", "feet"), PLANES),
    "a plane of another model": (("--plane", "femur"), "hc18-head measures head only"),
    "unknown output": (("--write", "json,xml"), OUTPUTS),
    "no output": (("--write", ""), OUTPUTS),
    "unknown device": (("--device", "tpu"), "tpu: unknown; allowed: auto, cpu, cuda, openvino"),
    "unknown choice": (("--select", "worst"), "worst: unknown; allowed: best, median, last, mean"),
    "unknown twin": (("--fetus", "C"), "--fetus C: unknown; allowed: A, B"),
}


@pytest.mark.parametrize("fault", USAGE)
def test_an_unknown_choice_is_a_usage_error_that_lists_the_choices(fault, shipped, run, tmp_path):
    options, reason = USAGE[fault]
    image = save(tmp_path / "head.png")
    code, printed = run(
        "measure", image, "--mm-per-px", 0.3, "--out", tmp_path / "out", "--model", "hc18-head",
        *options,
    )  # fmt: skip
    assert (code, printed.count("\n")) == (2, 1)
    assert reason in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("measure",),
        ("measure", "head.png", "--mm-per-pixel", "0.3"),
        ("weigh", "head.png"),
        ("phantom", "head"),
        ("phantom", "head", "--out", "x.dcm", "--hc-mm", "many"),
        ("evaluate", "hc18-head"),
        ("doctor", "--device", "tpu"),
        ("evaluate", "hc18-head", "--data", ".", "--split", "all"),
        ("evaluate", "hc18-head", "--data", ".", "--routing", "any"),
        ("compare", "one.csv"),
        ("phantom", "femur"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_a_usage_error(words, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, printed = run(*words)
    assert code == 2
    assert "Traceback" not in printed
    assert files_in(tmp_path) == set()
