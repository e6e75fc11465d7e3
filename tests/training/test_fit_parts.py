# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import DataError, OutputError, RecipeError
from fetometry.training import augment, fit
from fetometry.training.data import SPLITS
from fetometry.training.heads import HEADS, MaskHead
from fetometry.training.pictures import Pictures
from fetometry.training.validate import Seen
from tests.training import toy

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]


SIGHTED = {"name": "tests.training.toy_nets:sighted"}


@pytest.fixture(scope="module")
def exams(tmp_path_factory):
    return toy.make_exams(tmp_path_factory.mktemp("exams"), train=6, validation=2)


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


def test_the_limit_takes_images_evenly_from_first_to_last():
    assert fit.spread(list(range(10)), 4) == [0, 2, 5, 7]
    assert fit.spread(list(range(3)), 5) == [0, 1, 2]


def test_a_machine_that_is_left_out_is_on_no_side_and_moves_no_other_image(exams):
    recipe = toy.recipe(data={"without_machine": "B"})
    for side, count in (("train", 18), ("validation", 6)):
        whole = fit.side_rows(toy.recipe(), exams, side)
        left = fit.side_rows(recipe, exams, side)
        assert left == [row for row in whole if row.machine == "A"]
        assert len(left) == count


def test_only_the_planes_that_are_wanted_are_on_a_side(exams):
    recipe = toy.recipe(data={"planes": ["head", "femur"]})
    chosen = fit.side_rows(recipe, exams, "train")
    assert sorted({row.plane for row in chosen}) == ["femur", "head"]
    assert len(chosen) == 12


def test_images_of_which_only_the_plane_is_known_can_be_left_out(exams):
    chosen = fit.side_rows(toy.recipe(data={"measured_only": True}), exams, "train")
    assert sorted({row.plane for row in chosen}) == ["abdomen", "femur", "head"]


def test_what_a_head_learns_comes_from_the_training_side_alone_and_stays_with_the_run(
    many, tmp_path, monkeypatch
):
    seen = []

    @dataclasses.dataclass(frozen=True)
    class Counting(MaskHead):
        count: float = 0.0

        def learned(self, truth):
            seen.append((len(truth.classes), truth.size))
            return {"count": float(len(truth.classes))}

    monkeypatch.setitem(HEADS, "counting", Counting)
    recipe = toy.recipe(heads={"outline": {"name": "counting"}}, fit={"epochs": 1})
    fit.start(recipe, many[:8] + many[40:42], tmp_path / "run", quiet=True)
    assert seen == [(8, toy.SHAPE)]
    assert fit.heads_of(tmp_path / "run", recipe)["outline"].count == 8


def test_a_picture_whose_head_a_turn_would_cut_stays_as_it_was(many, tmp_path):
    wild = {"rotate_deg": 0.0, "flip": False, "scale": [1.0, 1.0], "shift": 0.45, "noise": 0.0}
    kept = {}
    for keep in (False, True):
        recipe = toy.recipe(augment={**wild, "keep_whole": keep})
        pictures = Pictures.load(fit.side_rows(recipe, many, "train"), recipe, tmp_path)
        system = fit.System(recipe, {"train": pictures})
        _, truth = system.augmented(torch.arange(40), seed=3)
        whole = augment.whole(truth.ellipses, recipe.input.size)
        same = (truth.ellipses.center - pictures.truth.ellipses.center).abs().amax(1) < 1e-3
        kept[keep] = int(whole.sum()), int(same.sum())
    assert kept[False][0] < 20
    assert kept[False][1] == 0
    assert kept[True] == (40, 40 - kept[False][0])


def test_an_epoch_shows_every_picture_at_most_once_in_an_order_of_its_own(many, tmp_path):
    recipe = toy.recipe(fit={"batch_size": 25})
    pictures = Pictures.load(fit.side_rows(recipe, many, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures})
    orders = []
    for epoch in (0, 0, 1, 2):
        system._trainer = type("Trainer", (), {"current_epoch": epoch})()
        (batch,) = system.train_dataloader()  # of 40 pictures; 15 wait for another epoch
        orders.append(batch.tolist())
    assert all(len(set(order)) == 25 for order in orders)
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


SHARES = {"toy/head": 1.0, "toy/abdomen": 1.0, "toy/femur": 4.0, "toy/none": 0.0}


def test_an_epoch_shows_as_many_of_each_kind_as_its_share_says(exams, tmp_path):
    recipe = toy.recipe(data={"draws": 36, "shares": SHARES}, fit={"batch_size": 9})
    pictures = Pictures.load(fit.side_rows(recipe, exams, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures})
    shown = torch.cat(list(system.train_dataloader())).tolist()
    kinds = [pictures.rows[position].kind for position in shown]
    counts = {kind: kinds.count(kind) for kind in SHARES}
    assert counts == {"toy/head": 6, "toy/abdomen": 6, "toy/femur": 24, "toy/none": 0}


@pytest.fixture
def exam_system(exams, tmp_path):
    """A system that is right about the toy exams, and their validation side."""
    recipe = toy.recipe(network=SIGHTED, heads=toy.EXAM_HEADS)
    chosen = fit.side_rows(recipe, exams, "validation")
    return fit.System(recipe, {"validation": Pictures.load(chosen, recipe, tmp_path)}).eval()


def test_validation_shows_every_picture_once(exam_system):
    assert torch.cat(list(exam_system.val_dataloader())).tolist() == list(range(8))


def test_validation_measures_every_plane_in_mm(exam_system):
    with torch.no_grad():
        for step, index in enumerate(exam_system.val_dataloader()):
            exam_system.validation_step(index, step)
    seen = exam_system._seen
    assert [case.plane for case in seen] == ["head", "abdomen", "femur", "none"] * 2
    assert all(case.plane_is_right for case in seen)
    for case in seen:
        if case.plane == "none":
            assert (case.truth_mm, case.found_mm) == (None, None)
        else:
            assert case.found_mm == pytest.approx(case.truth_mm, abs=1.0)


def test_the_validation_error_is_logged_and_starts_anew():
    system = fit.System(toy.recipe(), {})
    logged = {}
    system.log = lambda name, value, **_: logged.update({name: float(value)})
    system._seen = [Seen("head", 100.0, 101.0, None), Seen("head", 200.0, 194.0, None)]
    system.on_validation_epoch_end()
    assert logged["val_HC_mm"] == pytest.approx(3.5)
    assert logged["val_HC_bias_mm"] == pytest.approx(-2.5)
    assert logged["val_error"] == pytest.approx(2.0)
    assert system._seen == []


def test_truth_and_picture_of_every_plane_move_together(exams, tmp_path):
    recipe = toy.recipe(network=SIGHTED, heads=toy.EXAM_HEADS)
    rows = fit.side_rows(recipe, exams, "train")
    system = fit.System(recipe, {"train": Pictures.load(rows, recipe, tmp_path)})
    index = torch.arange(len(rows))
    image, truth = system.augmented(index, seed=4)
    grey = image[:, 0] * recipe.input.std + recipe.input.mean
    assert truth.has_ends.tolist() == [row.plane in ("abdomen", "femur") for row in rows]
    assert truth.has_ellipse.tolist() == [row.plane in ("head", "abdomen") for row in rows]
    for i in index[truth.has_ends].tolist():
        for row, col in truth.ends[i].round().int().tolist():
            patch = grey[i, row - 1 : row + 2, col - 1 : col + 2]
            assert float(patch.max()) > 150  # the spot at the end; the rest is 100 at most
    outlines = truth.ellipses.draw(toy.SHAPE, 1)[:, 0] > 0.5
    for i in index[truth.has_ellipse].tolist():
        assert float(grey[i][outlines[i]].mean()) > 90 > 40 > float(grey[i][~outlines[i]].mean())


def test_a_training_step_keeps_to_the_device_of_the_network(many, tmp_path):
    # "meta" has no numbers, but like a GPU it refuses to be mixed with a CPU
    heads = {**toy.EXAM_HEADS, "outline": {"name": "mask", "size": 1.0, "empty": 0.1}}
    recipe = toy.recipe(augment={"blur_px": 1.0}, heads=heads)
    pictures = Pictures.load(fit.side_rows(recipe, many, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures}).to("meta")
    image, truth = system.augmented(torch.tensor([0, 1]), seed=0)
    outputs = system(image)
    losses = [head.loss(outputs[name], truth) for name, head in system.heads.items()]
    assert image.shape == (2, 1, *toy.SHAPE)
    assert {image.device.type, *(loss.device.type for loss in losses)} == {"meta"}


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "bf17"}, "precision must be one of 32-true, bf16-mixed, 16-mixed"),
        ({"optimiser": "lion"}, "optimiser must be one of adamw"),
        ({"schedule": "steps"}, "schedule must be one of constant"),
        ({"start_from": "/nowhere.ckpt"}, "/nowhere.ckpt: not a checkpoint of this network"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_with_the_allowed_ones(
    change, message, many, tmp_path
):
    with pytest.raises(RecipeError, match=message):
        fit.start(toy.recipe(fit=change), many, tmp_path / "run", quiet=True)


def test_an_empty_side_is_refused(many, tmp_path):
    only_training = [row for row in many if row.split == "train"]
    with pytest.raises(DataError, match="toy: a side of the split is empty"):
        fit.start(toy.recipe(), only_training, tmp_path / "run", quiet=True)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"holds no recipe.json; has the training run\?"):
        fit.load(tmp_path)


def test_a_run_where_there_is_a_file_is_an_output_error(many, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        fit.start(toy.recipe(), many, tmp_path / "file" / "run", quiet=True)
