# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("segmentation_models_pytorch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import DataError, RecipeError
from fetometry.geometry import Ellipse
from fetometry.training import fit
from fetometry.training.augment import Ellipses
from fetometry.training.heads import SizeHead, Truth, build_heads
from fetometry.training.heads.size import circumferences
from fetometry.training.recipe import Component
from fetometry.types import PLANE_CLASSES
from tests.training import toy

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]


def of(*ellipses, planes=None, known=None):
    """What is known of images of these ellipses, of heads unless said otherwise."""
    count = len(ellipses)
    return Truth(
        Ellipses(
            torch.tensor([e.center for e in ellipses]).float(),
            torch.stack([torch.from_numpy(e.shape) for e in ellipses]).float(),
        ),
        torch.tensor(known or [True] * count),
        torch.ones(count, 2, 2),
        torch.zeros(count, dtype=torch.bool),
        torch.tensor([PLANE_CLASSES.index(plane) for plane in planes or ["head"] * count]),
        (128, 128),
    )


def circle(around):
    radius = around / (2 * math.pi)
    return Ellipse((64.0, 64.0), (radius, radius), 0.0)


def told(*numbers):
    return torch.tensor(numbers)[:, None]


def test_the_circumference_is_ramanujan_s_whatever_the_angle():
    ellipses = [Ellipse((60.0, 50.0), (50.0, 38.0), angle) for angle in (0, 30, 90, 171)]
    assert circumferences(of(*ellipses).ellipses).tolist() == pytest.approx(
        [277.7469] * 4, abs=1e-3
    )
    assert float(circumferences(of(circle(100.0)).ellipses)) == pytest.approx(100.0, abs=1e-4)
    long = Ellipse((64.0, 64.0), (60.0, 20.0), 12.0)
    assert float(circumferences(of(long).ellipses)) == pytest.approx(long.circumference, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"error": "mse"}, 0.04),
        ({"error": "mae"}, 0.2),
        # the paper's delta: no difference is so large, and the loss is half of mse
        ({"error": "huber", "delta": 0.5}, 0.02),
        # one that bites: 0.02 * (0.2 - 0.01)
        ({"error": "huber", "delta": 0.02}, 0.0038),
    ],
)
def test_the_losses_of_a_number_that_is_off_by_a_fifth(options, wanted):
    head = SizeHead(scale_px=200.0, **options)
    # a target of 100 / 200, told as 0.7
    assert float(head.loss(told(0.7), of(circle(100.0)))) == pytest.approx(wanted, rel=1e-4)


def test_the_paper_s_huber_is_half_of_its_mse_for_every_target():
    truth = of(*[circle(around) for around in (50.0, 120.0, 200.0)])
    found = told(0.6, 0.35, 0.72)
    mse, huber = (
        SizeHead(error=error, scale_px=200.0).loss(found, truth) for error in ("mse", "huber")
    )
    assert float(huber) == pytest.approx(float(mse) / 2, rel=1e-5)


def test_the_true_number_costs_nothing_and_another_has_a_gradient_towards_it():
    truth = of(circle(100.0), circle(160.0))
    for error in ("mse", "mae", "huber"):
        head = SizeHead(error=error, scale_px=200.0)
        assert float(head.loss(told(0.5, 0.8), truth)) == pytest.approx(0.0, abs=1e-6)
        found = told(0.6, 0.7).requires_grad_(True)
        head.loss(found, truth).backward()
        assert found.grad[0] > 0 > found.grad[1]


def test_images_of_other_planes_and_without_an_outline_add_nothing():
    head = SizeHead(scale_px=200.0)
    alone = head.loss(told(0.7), of(circle(100.0)))
    three = of(
        *[circle(100.0)] * 3,
        planes=["head", "abdomen", "head"],
        known=[True, True, False],
    )
    assert float(head.loss(told(0.7, 9.0, 9.0), three)) == pytest.approx(float(alone) / 3)


def test_the_scale_is_the_largest_head_of_the_training_side():
    truth = of(
        circle(100.0), circle(250.0), circle(400.0), circle(300.0),
        planes=["head", "head", "abdomen", "head"],
        known=[True, True, True, False],
    )  # fmt: skip
    assert SizeHead().learned(truth) == {"scale_px": pytest.approx(250.0, abs=1e-3)}
    assert SizeHead(scale_px=300.0).learned(truth) == {"scale_px": 300.0}


def test_a_training_side_without_a_head_is_refused():
    with pytest.raises(DataError, match="no head whose outline is known"):
        SizeHead().learned(of(circle(100.0), planes=["abdomen"]))


def test_a_loss_without_a_scale_is_refused():
    with pytest.raises(RecipeError, match="needs scale_px"):
        SizeHead().loss(told(0.5), of(circle(100.0)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"error": "rmse"}, "error must be one of mse, mae, huber, got 'rmse'"),
        ({"delta": 0.0}, "delta must be above 0"),
        ({"scale_px": -1.0}, "scale_px not below"),
        ({"planes": ["head"]}, "unknown key 'planes'; allowed: weight, error, delta, scale_px"),
    ],
)
def test_an_option_out_of_its_range_is_refused_with_the_head_s_name(options, message):
    with pytest.raises(RecipeError, match=rf"\[heads.hc\].*{message}"):
        build_heads({"hc": Component("size", options)})


def test_the_model_file_is_told_what_the_number_means():
    assert SizeHead(scale_px=285.8).meaning() == {
        "kind": "size",
        "planes": ["head"],
        "measures": "HC",
        "scale_px": 285.8,
    }


def test_a_run_keeps_the_scale_of_its_own_training_side_and_measures_millimetres(tmp_path):
    rows = toy.make(tmp_path / "data", train=6, validation=2)
    recipe = toy.recipe(
        heads={"hc": {"name": "size"}, "outline": {"name": "size", "scale_px": 150.0}},
        network={"name": "cnn_263k", "convolutions": [4, 4], "dense": [4]},
        fit={"epochs": 1, "batch_size": 3},
    )
    run = tmp_path / "run"
    fit.start(recipe, rows, run, quiet=True)
    heads = fit.heads_of(run, recipe)
    largest = max(row.ellipse.circumference for row in rows if row.split == "train")
    # the toy's pictures are as large as the input
    assert heads["hc"].scale_px == pytest.approx(largest, rel=1e-5)
    assert heads["outline"].scale_px == 150.0
    assert fit.run_facts(run)["learned"]["hc"] == {"scale_px": heads["hc"].scale_px}
    (log,) = (run / "logs" / "csv").glob("version_*/metrics.csv")
    assert "val_HC_mm" in log.read_text(encoding="utf-8").splitlines()[0]
