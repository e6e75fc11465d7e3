"""All systems on the same test exams: what is compared, and what is refused."""

import csv

import pytest

from fetometry.errors import DataError
from fetometry.training.cases import write_cases
from fetometry.training.data.hc18 import TABLE
from fetometry.training.sweep.spec import Cell
from fetometry.training.sweep.systems import SPEED_FILE, repeat_difference, write_systems
from tests.support import data_dir, needs_data
from tests.training.judged import head, sized
from tests.training.sweep.finished import finish, gathered, spec


def exams(*differences, **changes):
    """Test images 0.png and on; two images of each exam, the second 2 mm larger."""
    return [
        head(d, f"{i // 2}_{i % 2}.png", truth=100.0 + 2 * (i % 2), group=str(i // 2),
             split="test", **changes)
        for i, d in enumerate(differences)
    ]  # fmt: skip


def listed(tmp_path, **systems):
    """Write the list of systems, each by its keys as TOML."""
    text = "".join(
        f'[[systems]]\nname = "{name.replace("_", " ")}"\n{said}\n'
        for name, said in systems.items()
    )
    path = tmp_path / "results" / "systems.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def saved(tmp_path, name, cases):
    write_cases(cases, tmp_path / "results" / f"{name}.csv")
    return f'cases = ["{name}.csv"]'


def numbers_of(written, system):
    with written[1].open(encoding="utf-8") as stream:
        lines = [line for line in csv.DictReader(stream) if line["system"] == system]
    return {line["metric"]: line for line in lines}


def cells_of(written, row):
    text = written[0].read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_numbers_and_costs_of_a_system(tmp_path):
    said = saved(tmp_path, "a", exams(2.0, 2.0, -4.0, -4.0))
    path = listed(tmp_path, a=f'{said}\nparameters = 6628369\ndata = "HC18"')
    (path.parent / SPEED_FILE).write_text("system,ms_per_image\na,83.4\n", encoding="utf-8")
    written = write_systems(path)
    assert [file.name for file in written] == ["systems.md", "systems.csv"]
    adf = numbers_of(written, "a")["HC ADF mm"]
    assert (adf["value"], adf["low"], adf["high"]) == ("3.0000", "2.0000", "4.0000")
    assert (adf["images"], adf["exams"], adf["parameters"]) == ("4", "2", "6628369")
    assert cells_of(written, "a ") == [
        "a", "3.00 (2.00 to 4.00)", "2.97 (1.98 to 3.96)", "-1.00 (-4.00 to 2.00)",
        "98.00 (98.00 to 98.00)", "1.00 (1.00 to 1.00)", "0.00 (0.00 to 0.00)",
        "1", "6,628,369", "83", "HC18",
    ]  # fmt: skip


def test_folds_of_a_system_are_averaged(tmp_path):
    for fold, error in enumerate((1.0, 4.0)):
        saved(tmp_path, f"fold{fold}", exams(error, error))
    written = write_systems(listed(tmp_path, folds='cases = ["fold*.csv"]'))
    found = numbers_of(written, "folds")["HC ADF mm"]
    assert (found["value"], found["models"], found["images"]) == ("2.5000", "2", "2")


def test_results_and_costs_are_taken_from_the_runs_of_a_sweep(tmp_path):
    cell = Cell("CNN 1M + MSE")
    for fold, error in enumerate((1.0, 3.0)):
        files = {"test": exams(error, error), "validation": exams(9.0)}
        finish(tmp_path / "runs", cell, files, fold=fold)
    gathered(tmp_path, spec([cell]))
    written = write_systems(listed(tmp_path, cnn='runs = "someone2020/CNN 1M + MSE"'))
    assert numbers_of(written, "cnn")["HC ADF mm"]["value"] == "2.0000"
    assert cells_of(written, "cnn")[-3:] == [
        "1,000", "", "reduced (small): 64 x 96, 2 epochs, cpu, 2 threads",
    ]  # fmt: skip


def test_only_hc18_test_images_routed_by_the_model_count(tmp_path):
    others = [
        *exams(50.0, 50.0, dataset="fetal_planes"),
        *sized("FL", [(50.0, 0.0)], plane="femur", split="test", dataset="fetal_planes"),
        head(50.0, "train.png", split="train"),
    ]
    written = write_systems(listed(tmp_path, a=saved(tmp_path, "a", [*exams(1.0), *others])))
    found = numbers_of(written, "a")["HC ADF mm"]
    assert (found["value"], found["images"]) == ("1.0000", "1")


def test_a_system_that_lacks_images_is_refused_by_name(tmp_path):
    path = listed(
        tmp_path,
        whole=saved(tmp_path, "a", exams(1.0, 1.0, 1.0)),
        half=saved(tmp_path, "b", exams(1.0)),
    )
    with pytest.raises(DataError, match=r"half: 2 of 3 HC18 .* missing: 0_1\.png, 1_0\.png"):
        write_systems(path)


def test_systems_without_a_test_image_are_refused(tmp_path):
    path = listed(tmp_path, a=saved(tmp_path, "a", [head(1.0)]))
    with pytest.raises(DataError, match="no system has a result of an HC18 test image"):
        write_systems(path)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('cases = ["none*.csv"]', "matches no file"),
        ("", "say where its results are"),
        ('case = ["a.csv"]', "unknown key 'case'; allowed: name, cases"),
        ('runs = "someone2020/x"', "no finished run of the cell 'x'"),
    ],
)
def test_a_list_that_leads_nowhere_is_refused(tmp_path, said, reason):
    finish(tmp_path / "runs", "a", {"test": exams(1.0)})
    gathered(tmp_path, spec(["a"]))
    with pytest.raises(DataError, match=reason):
        write_systems(listed(tmp_path, a=said))


def test_repeat_images_of_an_exam_by_hand():
    sizes = [("1", 100.0), ("1", 104.0), ("2", 200.0), ("2", 206.0), ("2", 203.0), ("3", 50.0)]
    mm, percent, pairs = repeat_difference(sizes)
    assert (mm.value, pairs) == ((4 + 6 + 3 + 3) / 4, 4)
    by_hand = 100 * (4 / 102 + 6 / 203 + 3 / 201.5 + 3 / 204.5) / 4
    assert percent.value == pytest.approx(by_hand)
    assert repeat_difference([("1", 100.0), ("2", 90.0)]) is None


def test_human_limits_are_the_last_lines(tmp_path):
    written = write_systems(listed(tmp_path, a=saved(tmp_path, "a", exams(1.0, 1.0, 1.0, 1.0))))
    repeats = cells_of(written, "two images of one exam")
    assert repeats[0] == "two images of one exam (2 pairs of test exams)"
    assert repeats[1] == "2.00 (2.00 to 2.00)"  # 100 and 102 mm
    assert cells_of(written, "one observer twice")[2] == "1.2"
    assert cells_of(written, "two observers")[2] == "2.0"
    assert "Sarris I et al." in written[0].read_text(encoding="utf-8")


@needs_data
def test_repeat_images_of_hc18_differ_by_some_five_millimetres():
    with (data_dir() / "hc18" / TABLE).open(newline="", encoding="utf-8-sig") as stream:
        lines = list(csv.reader(stream))[1:]
    mm, percent, pairs = repeat_difference((name[:3], float(hc)) for name, _, hc, *_ in lines)
    assert pairs > 100
    # all 999 images: 5.3 mm, 3.3 %
    assert 4.8 < mm.value < 5.8
    assert 2.9 < percent.value < 3.7
