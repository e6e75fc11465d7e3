"""`evaluate`, `table`, `compare` and `prepare` on the command line; the numbers are tested in
`tests/training`."""

import pytest

from fetometry.training.cases import Case, Size, read_cases, write_cases
from fetometry.training.data import read_manifest
from tests.conftest import files_in
from tests.training import toy


@pytest.fixture
def data(tmp_path):
    toy.make(tmp_path / "data", train=2, validation=2, test=3)
    return tmp_path / "data"


EVALUATE = ("evaluate", "bright", "--dataset", toy.NAME)


def test_a_model_is_judged_on_one_side_with_a_line_for_every_image(bright, data, run, tmp_path):
    out = tmp_path / "results.csv"
    code, printed = run(*EVALUATE, "--data", data, "--split", "test", "--out", out)
    assert code == 0
    cases = read_cases(out)
    assert len(cases) == 3
    assert {(case.split, case.routing) for case in cases} == {("test", "predicted")}
    assert "3 images of 3" in printed
    assert "HC, mean absolute difference" in printed


def test_the_true_plane_can_be_insisted_on(bright, data, run, tmp_path):
    out = tmp_path / "results.csv"
    code, _ = run(*EVALUATE, "--data", data, "--routing", "true", "--out", out)
    assert code == 0
    assert {case.routing for case in read_cases(out)} == {"true"}


@pytest.fixture
def drawing(monkeypatch):
    """What is asked to be drawn, in the place of drawing it."""
    asked = {}

    def write_plots(cases, folder):
        asked["plots"] = (len(cases), folder)
        return [folder / "a-plot.png"]

    def write_gallery(cases, judges, folder):
        asked["gallery"] = (len(cases), len(judges.rows), judges.predictor.info.ref.name, folder)
        return [folder / "worst.jpg"]

    monkeypatch.setattr("fetometry.training.plots.write_plots", write_plots)
    monkeypatch.setattr("fetometry.training.gallery.write_gallery", write_gallery)
    return asked


def test_plots_and_failures_are_drawn_into_a_folder(bright, drawing, data, run, tmp_path):
    plots = tmp_path / "plots"
    code, printed = run(*EVALUATE, "--data", data, "--plots", plots)
    assert code == 0
    assert drawing == {"plots": (3, plots), "gallery": (3, 3, "bright", plots)}
    assert f"written to {plots}: a-plot.png, worst.jpg" in printed


def test_without_a_folder_for_plots_none_are_drawn(bright, drawing, data, run):
    assert run(*EVALUATE, "--data", data)[0] == 0
    assert drawing == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--split", "all"), "--split must be one of train, validation, test, left-out, got all"),
        (("--routing", "any"), "--routing must be one of predicted, true, got any"),
    ],
)
def test_an_unknown_side_or_routing_is_a_usage_error(options, reason, bright, data, run):
    code, printed = run(*EVALUATE, "--data", data, *options)
    assert (code, printed.count("\n")) == (2, 1)
    assert reason in printed


@pytest.fixture
def volumes(tmp_path, monkeypatch):
    """A folder with the test phantom of a data set of volumes, and a model that sees it all."""
    from fetometry.training.data.volumes import write_volumes
    from tests.training.judged_volumes import ENDS, Fake3d, bar, volume_row

    fake = Fake3d(bar(), ENDS)
    monkeypatch.setattr("fetometry.predict.load_volumes", lambda model, device: fake)
    rows = [volume_row(tmp_path, f"v{i}") for i in range(30)]
    write_volumes([row for row in rows if row.split == "test"], tmp_path / "volumes.csv")
    return tmp_path


JUDGE_VOLUMES = ("evaluate", "femur3d-phantom", "--dataset", "phantom3d", "--data")


def test_a_data_set_of_volumes_is_judged_with_a_model_of_volumes(volumes, run):
    out, plots = volumes / "out.csv", volumes / "plots"
    code, printed = run(*JUDGE_VOLUMES, volumes, "--out", out, "--plots", plots)
    assert code == 0
    assert "Phantoms, not patients" in printed
    assert "Hausdorff distance (Hdb) | 0.00 mm" in printed
    assert {case.dice for case in read_cases(out)} == {1.0}
    assert "bland-altman-volumes.png" in printed
    assert "worst-FL.jpg" in printed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--flip-average",), "--flip-average and --routing are of pictures"),
        (("--routing", "true"), "--flip-average and --routing are of pictures"),
    ],
)
def test_what_is_of_pictures_is_refused_for_volumes(options, reason, volumes, run):
    code, printed = run(*JUDGE_VOLUMES, volumes, *options)
    assert (code, printed.count("\n")) == (2, 1)
    assert reason in printed


def test_predictions_of_volumes_are_refused(volumes, run):
    words = ("--dataset", "phantom3d", "--predictions", volumes)
    code, printed = run("evaluate", "--data", volumes, *words)
    assert (code, printed.count("\n")) == (2, 1)
    assert "--predictions are of pictures" in printed


def case(number, measured, group="g"):
    return Case(
        toy.NAME, f"{number}.png", f"{group}{number}", "A", "head", "", 0, "test", "predicted",
        "m", "head", mm_per_px=0.1, sizes={"HC": Size(200.0, measured)},
    )  # fmt: skip


@pytest.fixture
def results(tmp_path):
    """Three images measured 2 mm too large; and the same ones, 1 mm too large."""
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    write_cases([case(n, 202.0) for n in range(3)], one)
    write_cases([case(n, 201.0) for n in range(3)], other)
    return one, other


def test_the_tables_of_results_are_printed_one_after_the_other(results, run):
    code, printed = run("table", *results)
    assert code == 0
    assert printed.index(str(results[0])) < printed.index("2.00") < printed.index(str(results[1]))


def test_results_of_other_images_are_pooled(results, run, tmp_path):
    other = tmp_path / "third.csv"
    write_cases([case(n, 203.0) for n in range(3, 6)], other)
    code, printed = run("table", "--pool", results[0], other)
    assert code == 0
    assert "6 images" in printed
    code, printed = run("table", "--pool", *results)
    assert (code, printed.count("\n")) == (1, 1)
    assert "is in two of the results" in printed


def test_pooled_results_are_drawn(drawing, results, run, tmp_path):
    other, plots = tmp_path / "third.csv", tmp_path / "plots"
    write_cases([case(n, 203.0) for n in range(3, 6)], other)
    code, printed = run("table", "--pool", results[0], other, "--plots", plots)
    assert code == 0
    assert drawing == {"plots": (6, plots)}
    assert f"written to {plots}: a-plot.png" in printed


def test_plots_of_results_that_are_not_pooled_are_a_usage_error(results, run, tmp_path):
    code, printed = run("table", *results, "--plots", tmp_path / "plots")
    assert (code, printed.count("\n")) == (2, 1)
    assert "--pool" in printed


def test_two_results_are_compared_image_by_image(results, run):
    one, other = results
    code, printed = run("compare", one, other)
    assert code == 0
    assert printed.startswith(f"{other} minus {one}\n")
    assert "| HC, absolute difference | 3 | -1.00 (-1.00 to -1.00)" in printed


def test_results_of_different_images_are_not_compared(results, run, tmp_path):
    fewer = tmp_path / "fewer.csv"
    write_cases([case(0, 202.0)], fewer)
    code, printed = run("compare", results[0], fewer)
    assert (code, printed.count("\n")) == (1, 1)
    assert "not of the same images" in printed


@pytest.mark.parametrize("command", [("table",), ("compare", "gone.csv")])
def test_results_that_are_not_there_are_refused(command, run, tmp_path):
    code, printed = run(*command, tmp_path / "gone.csv")
    assert (code, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: ")


def test_a_data_set_is_prepared_as_a_manifest_with_the_same_rows(data, run, tmp_path):
    out = data / "again.csv"
    code, printed = run("prepare", toy.NAME, "--data", data, "--out", out)
    assert code == 0
    assert "7 images of 7 groups" in printed
    assert "2 head train" in printed
    assert read_manifest(out) == read_manifest(data / "manifest.csv")
    first = out.read_text().splitlines()[1]
    assert str(tmp_path) not in first


def test_a_manifest_that_is_not_ours_is_never_replaced(data, run):
    theirs = data / "theirs.csv"
    theirs.write_text("image,plane\na.png,head\n")
    code, printed = run("prepare", toy.NAME, "--data", data, "--out", theirs)
    assert (code, printed.count("\n")) == (1, 1)
    assert "is not a manifest" in printed
    assert theirs.read_text() == "image,plane\na.png,head\n"


@pytest.mark.parametrize("command", ["prepare", "evaluate"])
def test_an_unknown_data_set_is_refused_with_the_known_ones(command, bright, run, tmp_path):
    words = ("prepare", "nothing") if command == "prepare" else ("evaluate", "m", "--dataset", "n")
    code, printed = run(*words, "--data", tmp_path, *(
        ("--out", tmp_path / "x.csv") if command == "prepare" else ()
    ))  # fmt: skip
    assert (code, printed.count("\n")) == (1, 1)
    assert "hc18, fetal_planes" in printed
    assert files_in(tmp_path) == set()
