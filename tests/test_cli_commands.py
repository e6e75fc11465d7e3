"""The commands around measuring: demo, phantoms, models."""

import json
import re
from hashlib import sha256
from types import SimpleNamespace

import pytest

from fetometry import predict
from fetometry.phantom import HeadPhantom
from fetometry.pipeline import visits_of
from fetometry.predict.catalogue import Entry
from tests.conftest import HEAD, files_in, painted, table


@pytest.fixture
def exam_model():
    """Skips where the model that measures by default is not shipped."""
    name = predict.default_model("auto")
    if name not in predict.catalogue() or not predict.catalogue()[name].path.is_file():
        pytest.skip(f"the model {name} is not in this checkout")


NAMES = ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL")


@pytest.mark.slow
def test_the_demo_measures_three_planes_of_one_exam_and_shows_the_truth(exam_model, run, tmp_path):
    out = tmp_path / "out"
    code, printed = run("demo", "--out", out, "--device", "cpu")
    assert code == 0
    told = dict(re.findall(r"^([A-Z]+) +truth +([\d.]+) mm, measured +[\d.]+ mm$", printed, re.M))
    assert tuple(told) == NAMES
    truth = {}
    for plane in ("head", "abdomen", "femur"):
        truth |= json.loads((out / f"{plane}.truth.json").read_text())
    assert {n: float(mm) for n, mm in told.items()} == pytest.approx(
        {name: truth[f"{name.lower()}_mm"] for name in NAMES}, abs=0.051
    )
    measured = {row["name"]: float(row["value_mm"]) for row in table(out)}
    for name in ("HC", "AC", "FL"):
        assert measured[name] == pytest.approx(truth[f"{name.lower()}_mm"], rel=0.05)
    shown = re.search(r"^look at (.*)$", printed, re.M)
    assert shown
    assert (out / "exam.png").samefile(shown.group(1))
    planes = ("head", "abdomen", "femur")
    assert files_in(out) == {
        "exam.json", "exam.png", "measurements.csv", "summary.csv",
        *(f"{plane}.{suffix}" for plane in planes for suffix in ("dcm", "truth.json")),
        *(f"overlays/{plane}_f1.png" for plane in planes),
    }  # fmt: skip


@pytest.fixture
def quick_phantoms(monkeypatch):
    """Painted pictures in the place of those phantoms that take a second each; all heads."""
    made = HeadPhantom(painted(), HEAD, (0.3, 0.3), 0)
    for plane in ("head", "abdomen", "femur"):
        monkeypatch.setattr(f"fetometry.phantom.{plane}", lambda spec: made)
    return made


def test_the_demo_says_what_it_did_not_measure(quick_phantoms, three_planes, run, tmp_path):
    code, printed = run("demo", "--out", tmp_path)
    assert code == 0
    assert re.search(r"^HC +truth +\d+\.\d mm, measured +\d+\.\d mm$", printed, re.M)
    assert "AC " not in printed
    assert f"look at {tmp_path / 'exam.png'}" in printed.replace("\n/", " /")


def test_a_demo_without_a_finding_shows_no_picture(bright, run, tmp_path, monkeypatch):
    dark = HeadPhantom(painted() // 4, HEAD, (0.3, 0.3), 0)
    for plane in ("head", "abdomen", "femur"):
        monkeypatch.setattr(f"fetometry.phantom.{plane}", lambda spec: dark)
    code, printed = run("demo", "--out", tmp_path)
    assert code == 1
    assert "nothing was found" in printed
    assert "not measured" in printed
    assert "look at" not in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plane", "name", "size", "suffix"),
    [
        ("head", "HC", 180.0, ".dcm"),
        ("head", "HC", 180.0, ".PNG"),
        ("abdomen", "AC", 210.0, ".dcm"),
        ("femur", "FL", 40.0, ".png"),
    ],
)
def test_a_phantom_is_written_with_its_truth_beside_it(plane, name, size, suffix, run, tmp_path):
    path, option = tmp_path / f"{plane}{suffix}", f"--{name.lower()}-mm"
    code, printed = run("phantom", plane, option, size, "--seed", "3", "--out", path)
    assert code == 0
    truth = json.loads((tmp_path / f"{plane}.truth.json").read_text())
    assert truth[f"{name.lower()}_mm"] == pytest.approx(size)
    assert (truth["seed"], truth["plane"]) == (3, plane)
    assert f"{path}: {name} {size:.1f} mm, {truth['spacing_mm'][0]:.4f} mm per pixel" in printed
    assert files_in(tmp_path) == {path.name, f"{plane}.truth.json"}


@pytest.mark.slow
def test_phantoms_of_one_seed_are_one_exam_and_those_of_another_are_not(run, tmp_path):
    for plane, seed in (("head", 0), ("femur", 0), ("head", 1)):
        run("phantom", plane, "--seed", seed, "--out", tmp_path / f"{plane}{seed}.dcm")
    visits = visits_of(sorted(tmp_path.glob("*.dcm")))
    assert [[file.stem for file in visit.files] for visit in visits] == [
        ["femur0", "head0"], ["head1"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("head", "--out", "x.txt"), 2, "--out must end in .dcm or .png, got x.txt"),
        (("head", "--out", "x"), 2, "--out must end in"),
        (
            ("head", "--out", "x.dcm", "--hc-mm", "25"),
            2,
            "HC must be 40 to 420 mm, got 25. Is it in cm?",
        ),
        (("head", "--out", "x.dcm", "--hc-mm", "nan"), 2, "HC must be 40 to 420 mm"),
        (("head", "--out", "x.dcm", "--seed", "-1"), 2, "seed"),
        (("abdomen", "--out", "x.dcm", "--ac-mm", "20"), 2, "AC must be 50 to 420 mm, got 20. Is"),
        (("femur", "--out", "x.dcm", "--fl-mm", "400"), 2, "FL must be 8 to 90 mm, got 400. Is"),
    ],
)
def test_a_phantom_that_cannot_be_is_refused(options, code, reason, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, printed = run("phantom", *options)
    assert found == code
    assert reason in printed
    assert printed.count("\n") == 1
    assert files_in(tmp_path) == set()


def test_a_phantom_for_a_folder_that_is_missing_is_refused(run, tmp_path, monkeypatch):
    made = HeadPhantom(painted(), HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr("fetometry.phantom.head", lambda spec: made)
    code, printed = run("phantom", "head", "--out", tmp_path / "gone" / "x.dcm")
    assert (code, printed.count("\n")) == (1, 1)
    assert "cannot be written" in printed
    assert files_in(tmp_path) == set()


@pytest.fixture
def one_model(monkeypatch, tmp_path):
    """A catalogue of one model of three planes, with intervals."""
    entry = Entry("three-planes", tmp_path / "x.onnx", "cd" * 32)
    monkeypatch.setattr(predict, "catalogue", lambda: {"three-planes": entry})


def test_a_model_is_listed_with_all_that_it_says_of_itself(one_model, three_planes, run):
    code, printed = run("models")
    assert code == 0
    assert printed.splitlines() == [
        "three-planes: takes what is bright for what the dark says",
        "  planes head, abdomen, femur; outputs outline (mask), planes (planes), ends (ends), "
        "across (ends)",
        "  95 % intervals: AC, APAD, BPD, FL, HC, OFD, TAD",
        f"  licence of the weights CC0-1.0; SHA-256 {'cd' * 32}",
    ]


def test_a_model_without_intervals_says_so(one_model, bright, run):
    _, printed = run("models")
    assert "  planes head; outputs outline (mask)\n  95 % intervals: none\n" in printed


def test_the_models_as_json_are_json(one_model, three_planes, run):
    code, printed = run("models", "--json")
    assert code == 0
    (row,) = json.loads(printed)
    assert row == {
        "name": "three-planes",
        "measures": "pictures",
        "planes": ["head", "abdomen", "femur"],
        "outputs": {"outline": "mask", "planes": "planes", "ends": "ends", "across": "ends"},
        "intervals": ["AC", "APAD", "BPD", "FL", "HC", "OFD", "TAD"],
        "licence": "CC0-1.0",
        "sha256": "cd" * 32,
        "description": "takes what is bright for what the dark says",
        "notice": "",
    }


def test_the_shipped_models_are_listed_with_the_hash_of_their_files(shipped, run):
    code, printed = run("models", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(printed)}
    assert rows["hc18-head"]["planes"] == ["head"]
    assert rows["hc18-head"]["sha256"] == sha256(shipped.read_bytes()).hexdigest()
    assert all(row["licence"] for row in rows.values())


def test_a_run_is_exported_with_the_results_that_calibrate_it(run, tmp_path, monkeypatch):
    asked = []

    def export(folder, out, *, checkpoint, calibrate):
        asked.append((folder, out, checkpoint, calibrate))
        return 1e-4

    module = SimpleNamespace(export=export)
    monkeypatch.setattr("fetometry.cli.training.with_torch", lambda name: module)
    results = [tmp_path / "fold0.csv", tmp_path / "fold1.csv"]
    options = ["--checkpoint", "last.ckpt"]
    options += [word for path in results for word in ("--calibrate", path)]
    code, printed = run("export", tmp_path / "run", "--out", tmp_path / "m.onnx", *options)
    assert code == 0
    assert asked == [(tmp_path / "run", tmp_path / "m.onnx", "last.ckpt", tuple(results))]
    assert "agrees with torch to 1.0e-04" in printed


def test_training_without_its_extra_says_what_to_install(run, tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("importlib.import_module", missing)
    code, printed = run("export", tmp_path, "--out", tmp_path / "m.onnx")
    assert (code, printed.count("\n")) == (2, 1)
    assert "torch is not installed; training needs: pip install 'fetometry[train]'" in printed
