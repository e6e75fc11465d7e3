import pytest

from fetometry.errors import RecipeError, UsageError
from fetometry.training.recipe import read_recipe
from fetometry.training.sweep import spec as specs
from fetometry.training.sweep.spec import find_spec, plan, read_spec
from tests.training.sweep import toy_sweep


@pytest.fixture
def spec(tmp_path):
    return read_spec(toy_sweep.write(tmp_path))


def resolved(spec, run):
    return read_recipe(spec.recipe_path, run.overrides, run.drop)


def test_a_spec_says_what_the_paper_did_and_finds_its_recipe_in_the_folder_above(spec, tmp_path):
    assert (spec.paper, spec.split, spec.axis) == ("toy2024", "none", "rate")
    assert spec.recipe_path == tmp_path / "toy.toml"
    assert [cell.name for cell in spec.cells] == ["rate=0.02", "broken", "rate=0.01"]
    assert [cell.x for cell in spec.cells] == [0.02, None, 0.01]
    assert spec.cells[0].paper == {"HC ADF mm": "1.0 ± 0.5"}
    assert spec.routings == ("predicted",)


def test_a_plan_goes_cell_by_cell_over_repeats_and_folds(spec):
    runs = plan(spec, "folded")
    assert [run.folder for run in runs] == [
        "rate=0.02/f0-r0",
        "rate=0.02/f1-r0",
        "rate=0.02/f0-r1",
        "rate=0.02/f1-r1",
        "rate=0.01/f0-r0",
    ]
    recipes = [resolved(spec, run) for run in runs]
    assert [(r.data.fold, r.data.folds) for r in recipes] == [
        (0, 3),
        (1, 3),
        (0, 3),
        (1, 3),
        (0, 3),
    ]
    assert [r.fit.seed for r in recipes] == [3, 3, 4, 4, 3]


def test_without_folds_there_is_one_run_on_the_fixed_split(spec):
    runs = plan(spec, "small")
    assert [run.folder for run in runs] == ["rate=0.02/f0-r0", "broken/f0-r0", "rate=0.01/f0-r0"]
    assert {run.folds for run in runs} == {0}
    assert resolved(spec, runs[0]).data.fold == -1


def test_a_cell_overrides_its_budget_and_its_own_table_overrides_the_cell(spec):
    recipes = {run.cell.name: resolved(spec, run) for run in plan(spec, "folded")}
    assert (recipes["rate=0.02"].fit.epochs, recipes["rate=0.02"].fit.learning_rate) == (2, 0.02)
    assert (recipes["rate=0.01"].fit.epochs, recipes["rate=0.01"].fit.learning_rate) == (3, 0.01)


def test_a_dropped_table_is_gone_with_what_was_set_in_it_before(tmp_path):
    text = toy_sweep.SPEC.replace(
        'name = "rate=0.02"\n', 'name = "rate=0.02"\ndrop = ["heads.outline"]\nset = ["a=1"]\n'
    ).replace(
        'drop = ["heads.plane"]\n\n[budgets.f', 'set = ["heads.outline.size=2.0"]\n\n[budgets.f'
    )
    text = text.replace('set = ["a=1"]', 'set = ["fit.epochs=4"]')
    spec = read_spec(toy_sweep.write(tmp_path, text))
    recipe = resolved(spec, plan(spec, "small")[0])
    assert list(recipe.heads) == ["plane"]
    assert recipe.fit.epochs == 4


def test_a_folder_has_a_name_that_every_file_system_takes():
    names = ["λ = 1e-5", "separate: head/abdomen", "..", "a b"]
    slugs = [specs.Cell(name).slug for name in names]
    assert slugs == ["=-1e-5", "separate-head-abdomen", "", "a-b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('split = "none"', 'splits = "none"', "unknown key 'splits'.*split"),
        ('title = "Toy et al. 2024"', "", "title is missing"),
        ("only_folds = 2", "only_folds = 4", r"\[budgets.folded\]: only_folds must be 0 to 3"),
        ("folds = 3", "folds = 1", "folds must be 0 .* or 2 to 9, got 1"),
        ("repeats = 2", "repeats = 0", "repeats must be 1 or more"),
        ("phantoms = 3", 'phantoms = "3"', "phantoms must be int"),
        ("x = 0.02", 'x = "0.02"', "x must be a number"),
        ("x = 0.02", "y = 0.02", "unknown key 'y'; allowed: x, name, recipe, set.*small, folded"),
        ('budgets = ["small"]', 'budgets = ["tiny"]', "unknown budget 'tiny'; known: small"),
        ('name = "broken"', 'name = "RATE=0.02"', "cannot be told from 'rate=0.02'"),
        ('name = "broken"', 'name = "λ"', "a name of its own"),
        ('recipe = "toy.toml"', 'recipe = "other.toml"', "recipe other.toml is not there"),
        (
            'figures = ["loss-curves", "panels"]',
            'routings = ["best"]',
            "routings must be of predicted, true",
        ),
        ('name = "broken"', 'name = "b"\nbaseline = "guess"', "baseline must be of mean-mm"),
        ("[budgets.small]", "[budgets.small", "not a TOML file"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_allowed(tmp_path, old, new, said):
    assert old in toy_sweep.SPEC
    path = toy_sweep.write(tmp_path, toy_sweep.SPEC.replace(old, new, 1))
    with pytest.raises(RecipeError, match=said):
        read_spec(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("folds = 1\n", "folds = 4\n", "4 folds of 3"),
        ('"fit.learning_rate=0.01"', '"fit.rate=0.01"', "unknown key 'rate'.*learning_rate"),
        ('drop = ["heads.plane"]\nset', 'drop = ["heads.tail"]\nset', "no such table"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_before_anything_runs(tmp_path, old, new, said):
    assert old in toy_sweep.SPEC
    spec = read_spec(toy_sweep.write(tmp_path, toy_sweep.SPEC.replace(old, new)))
    with pytest.raises(RecipeError, match=said):
        plan(spec, "folded")


def test_unknown_names_are_refused_with_the_known_ones(spec):
    with pytest.raises(UsageError, match=r"no budget 'huge'.*small, folded, smoke"):
        plan(spec, "huge")
    with pytest.raises(UsageError, match=r"no cell 'rate=1'.*rate=0.02, broken"):
        spec.only(["rate=1"])
    with pytest.raises(UsageError, match=r"none of these cells runs in folded: broken"):
        plan(spec.only(["broken"]), "folded")


def test_some_cells_can_be_chosen(spec):
    assert [cell.name for cell in spec.only(["broken"]).cells] == ["broken"]
    assert spec.only([]) == spec


def test_a_paper_is_found_by_name_and_any_sweep_by_its_file(tmp_path, monkeypatch):
    path = toy_sweep.write(tmp_path)
    monkeypatch.setattr(specs, "recipes_folder", lambda: tmp_path)
    assert find_spec("toy2024") == path
    assert find_spec(str(path)) == path
    for wrong in ("toy", "../toy", "reproduce/toy2024"):
        with pytest.raises(UsageError, match=r"no paper .*known: toy2024"):
            find_spec(wrong)


def test_the_recipes_of_this_checkout_are_found():
    assert (specs.recipes_folder() / "hc18_head.toml").is_file()


def test_every_sweep_in_the_repository_can_be_planned_in_every_budget():
    papers = sorted((specs.recipes_folder() / "reproduce").glob("*.toml"))
    for path in papers:
        spec = read_spec(path)
        assert spec.paper == path.stem
        for budget in spec.budgets:
            assert plan(spec, budget)


def test_a_cell_with_a_recipe_of_its_own_takes_nothing_of_the_budget(tmp_path):
    path = toy_sweep.write(tmp_path)
    spec = read_spec(path)
    own = spec.recipe_path.with_name("own.toml")
    own.write_text(spec.recipe_path.read_text().replace('name = "', 'name = "own-'))
    added = '\n[[cells]]\nname = "own"\nrecipe = "own.toml"\nset = ["fit.seed=7"]\n'
    path.write_text(path.read_text() + added)
    spec = read_spec(path)
    (run,) = plan(spec.only(["own"]), "small")
    assert (run.recipe_path, run.drop) == (own, ())
    assert [one for one in run.overrides if not one.startswith("data.fold")] == ["fit.seed=7"]
    assert all(run.recipe_path is None for run in plan(spec.only([spec.cells[0].name]), "small"))
    own.unlink()
    with pytest.raises(RecipeError, match=r"own\.toml, of 'own', is not with"):
        read_spec(path)
