# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.training import fit
from fetometry.training.data import SPLITS
from tests.training import toy

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("many"), train=40, validation=5, test=5)


def test_the_fixed_split_keeps_every_group_on_one_side(many):
    sides = {side: fit.side_rows(toy.recipe(), many, side) for side in SPLITS}
    assert {side: len(chosen) for side, chosen in sides.items()} == {
        "train": 40,
        "validation": 5,
        "test": 5,
    }


def test_the_folds_validate_every_image_outside_the_test_bucket_once(many):
    validated = []
    for fold in range(5):
        recipe = toy.recipe(data={"fold": fold})
        train, validation, test = (
            {row.group for row in fit.side_rows(recipe, many, side)}
            for side in ("train", "validation", "test")
        )
        assert train.isdisjoint(validation | test)
        assert train | validation | test == {row.group for row in many}
        assert test == set(toy.groups("test", 5))
        validated += validation
    assert sorted(validated) == sorted({r.group for r in many} - set(toy.groups("test", 5)))


def test_the_limit_shortens_the_training_side_alone(many):
    recipe = toy.recipe(data={"limit": 3})
    counts = {side: len(fit.side_rows(recipe, many, side)) for side in ("train", "validation")}
    assert counts == {"train": 3, "validation": 5}


def test_an_epoch_shows_every_picture_at_most_once_in_an_order_of_its_own(many, tmp_path):
    recipe = toy.recipe(fit={"batch_size": 25})
    pictures = fit.Pictures.load(fit.side_rows(recipe, many, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures})
    orders = []
    for epoch in (0, 0, 1, 2):
        system._trainer = type("Trainer", (), {"current_epoch": epoch})()
        (batch,) = system.train_dataloader()  # of 40 pictures; 15 wait for another epoch
        orders.append(batch.tolist())
    assert all(len(set(order)) == 25 for order in orders)
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


def test_a_data_set_smaller_than_a_batch_is_one_batch():
    assert [len(batch) for batch in fit._shuffled(3, 8, 0)] == [3]


def test_validation_shows_every_picture_once():
    assert [b.tolist() for b in fit._Batches(torch.arange(5), 2)] == [[0, 1], [2, 3], [4]]


def test_validation_measures_in_mm_what_the_network_sees(many, tmp_path):
    recipe = toy.recipe(network={"name": "tests.training.toy_nets:threshold"})
    chosen = fit.side_rows(recipe, many, "validation")
    system = fit.System(recipe, {"validation": fit.Pictures.load(chosen, recipe, tmp_path)}).eval()
    with torch.no_grad():
        for step, index in enumerate(system.val_dataloader()):
            system.validation_step(index, step)
    assert len(system._errors) == 5
    assert np.abs(system._errors).max() < 1.5  # of heads of 110 to 150 mm


def test_the_validation_error_is_the_mean_of_the_absolute_differences():
    system = fit.System(toy.recipe(), {})
    logged = {}
    system.log = lambda name, value, **_: logged.update({name: float(value)})
    system._errors = [1.0, -2.0, 6.0]
    system.on_validation_epoch_end()
    assert logged == {"val_adf_mm": pytest.approx(3.0), "val_bias_mm": pytest.approx(5 / 3)}
    assert system._errors == []


def test_a_head_that_is_not_found_counts_with_its_full_size(many, tmp_path):
    recipe = toy.recipe()
    side = fit.Pictures.load(many[:1], recipe, tmp_path)
    nothing = np.full((32, 48), -9.0, np.float32)
    truth = many[0].ellipse.scaled(*toy.SPACING_MM).circumference
    assert fit._difference_mm(nothing, side, 0, toy.SHAPE) == pytest.approx(-truth)


def test_a_training_step_keeps_to_the_device_of_the_network(many, tmp_path):
    # "meta" has no numbers, but like a GPU it refuses to be mixed with a CPU
    recipe = toy.recipe(augment={"blur_px": 1.0}, heads={"outline": {"name": "mask", "size": 1.0}})
    pictures = fit.Pictures.load(fit.side_rows(recipe, many, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures}).to("meta")
    image, truth = system.augmented(torch.tensor([0, 1]), seed=0)
    loss = system.heads["outline"].loss(system(image)["outline"], truth)
    assert image.shape == (2, 1, *toy.SHAPE)
    assert loss.device.type == image.device.type == "meta"


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle"])
@pytest.mark.parametrize("optimiser", ["adamw", "adam", "adamax", "sgd"])
def test_every_optimiser_goes_with_every_schedule(optimiser, schedule):
    changes = {"optimiser": optimiser, "schedule": schedule}
    system = fit.System(toy.recipe(fit=changes), {})
    system._trainer = type("Trainer", (), {"estimated_stepping_batches": 4})()
    made = system.configure_optimizers()
    rates = []
    for _ in range(4):
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
        rates.append(made["optimizer"].param_groups[0]["lr"])
    assert max(rates) <= 0.02 + 1e-9
    assert (rates[-1] == 0.02) == (schedule == "constant")
