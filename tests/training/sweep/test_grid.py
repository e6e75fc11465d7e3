import pytest

from fetometry.errors import RecipeError, UsageError
from fetometry.training.recipe import read_recipe
from fetometry.training.sweep.grid import grid, values
from fetometry.training.sweep.spec import OWN, plan
from tests.training.sweep import toy_sweep


@pytest.fixture
def recipe(tmp_path):
    toy_sweep.write(tmp_path)
    return tmp_path / "toy.toml"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.1,0.01", ["0.1", "0.01"]),
        ("adam", ["adam"]),
        ("[64, 96], [32, 48]", ["[64, 96]", "[32, 48]"]),
        ('"a,b",c', ['"a,b"', "c"]),
    ],
)
def test_values_are_split_at_commas_outside_brackets_and_quotes(text, found):
    assert values(text) == found


def test_every_value_is_crossed_with_those_of_the_other_keys(recipe):
    spec = grid(recipe, ["fit.seed=1,2", "fit.optimiser=adam,sgd"], folds=2, repeats=2)
    assert [cell.name for cell in spec.cells] == [
        "fit.seed=1, fit.optimiser=adam",
        "fit.seed=1, fit.optimiser=sgd",
        "fit.seed=2, fit.optimiser=adam",
        "fit.seed=2, fit.optimiser=sgd",
    ]
    runs = plan(spec, OWN)
    assert len(runs) == 4 * 2 * 2
    last = read_recipe(recipe, runs[-1].overrides)
    assert (last.fit.seed, last.fit.optimiser, last.data.fold) == (3, "sgd", 1)


def test_one_key_of_numbers_is_an_axis(recipe):
    spec = grid(recipe, ["fit.learning_rate=0.1,1e-2"])
    assert spec.axis == "fit.learning_rate"
    assert [cell.x for cell in spec.cells] == [0.1, 0.01]
    assert [cell.x for cell in grid(recipe, ["fit.optimiser=adam,sgd"]).cells] == [None, None]


def test_without_a_key_the_recipe_itself_is_run(recipe):
    spec = grid(recipe, [], set_=["fit.epochs=7"])
    (run,) = plan(spec, OWN)
    assert run.cell.name == "toy"
    assert read_recipe(recipe, run.overrides).fit.epochs == 7


@pytest.mark.parametrize(
    ("over", "options", "error", "said"),
    [
        (["fit.epochs"], {}, UsageError, "--over needs key=a,b"),
        (["fit.epochs=1,"], {}, UsageError, "--over needs key=a,b"),
        (["fit.epochs=1", "fit.epochs=2"], {}, UsageError, "a key can be given once"),
        (["fit.epochs=1,2"], {"folds": 1}, UsageError, "folds must be 0"),
        (["fit.epochs=1,2"], {"repeats": 0}, UsageError, "repeats must be 1"),
        (["fit.epochs=1,1"], {}, RecipeError, "cannot be told from"),
    ],
)
def test_what_makes_no_sweep_is_refused(recipe, over, options, error, said):
    with pytest.raises(error, match=said):
        grid(recipe, over, **options)
