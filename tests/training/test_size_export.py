# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnx", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.training import export, fit
from tests.conftest import exam_of, table
from tests.training import toy

pytestmark = [
    pytest.mark.train,
    # torch 2.11's own export warns of its own tree
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]


def test_an_exported_regression_measures_through_the_ordinary_command(tmp_path, run):
    recipe = toy.recipe(
        network={"name": "cnn_263k", "convolutions": [4, 4], "dense": [4]},
        heads={"outline": {"name": "size"}},
    )
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / fit.RECIPE_FILE).write_text(recipe.as_json(), encoding="utf-8")
    learned = '{"learned": {"outline": {"scale_px": 150.0}}}'
    (folder / fit.FACTS_FILE).write_text(learned, encoding="utf-8")
    system = fit.System(recipe, {}, fit.heads_of(folder, recipe))
    with torch.no_grad():  # a network that always tells 0.8
        system.network.outputs["outline"].weight.zero_()
        system.network.outputs["outline"].bias.fill_(0.8)
    torch.save({"state_dict": system.state_dict()}, folder / fit.BEST)
    export.export(folder, tmp_path / "hc.onnx")
    (row,) = toy.make(tmp_path / "data", test=1)
    out = tmp_path / "out"
    code, said = run(
        *("measure", "--model", tmp_path / "hc.onnx", row.image),
        *("--mm-per-px", "0.9", "--out", out),
    )
    assert code == 0, said
    (line,) = table(out)
    # 0.8 of 150 pixels; the toy's pictures are as large as the input
    assert float(line["value_px"]) == pytest.approx(120.0, rel=1e-3)
    assert float(line["value_mm"]) == pytest.approx(108.0, rel=1e-3)
    assert line["flags"] == "no-outline"
    assert exam_of(out)["findings"][0]["ellipse"] is None
