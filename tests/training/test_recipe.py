import dataclasses
import json
from pathlib import Path

import pytest

from fetometry.errors import RecipeError
from fetometry.training.recipe import Component, Data, from_json, from_tree, read_recipe
from fetometry.types import PLANE_CLASSES, PLANES

TEXT = """
name = "tiny"
licence = "CC0-1.0"
description = "a small one"

[data]
dataset = "hc18"
cache_size = [256, 384]

[input]
size = [192, 288]
mean = 127
std = 128.0

[augment]
flip = true
scale = [0.8, 1.25]

[network]
name = "unet"
encoder = "resnet18"
decoder_channels = [64, 32]

[heads.outline]
name = "mask"
size = 2.0

[fit]
epochs = 30
batch_size = 8
"""

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "tiny.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def read(write, *overrides):
    return read_recipe(write(TEXT), overrides)


def test_a_recipe_is_read_into_its_types(write):
    recipe = read(write)
    assert (recipe.name, recipe.licence) == ("tiny", "CC0-1.0")
    assert recipe.data == Data("hc18", (256, 384))
    assert recipe.input.size == (192, 288)
    assert isinstance(recipe.input.mean, float)
    assert recipe.augment.scale == (0.8, 1.25)
    options = {"encoder": "resnet18", "decoder_channels": [64, 32]}
    assert recipe.network == Component("unet", options)
    assert recipe.heads == {"outline": Component("mask", {"size": 2.0})}
    assert (recipe.fit.epochs, recipe.fit.schedule) == (30, "onecycle")


def test_shares_are_a_table_of_names_and_numbers(write):
    text = TEXT.replace('dataset = "hc18"', SHARED.format("1", "0.25"))
    data = read_recipe(write(text)).data
    assert (data.draws, data.shares) == (9, {"hc18/head": 1.0, "other": 0.25})
    assert all(isinstance(share, float) for share in data.shares.values())


def test_a_recipe_without_augmentation_has_none(write):
    text = TEXT.replace("[augment]\nflip = true\nscale = [0.8, 1.25]\n", "")
    augment = read_recipe(write(text)).augment
    assert (augment.flip, augment.rotate_deg, augment.scale) == (False, 0.0, (1.0, 1.0))


SHARED = 'dataset = "hc18"\ndraws = 9\nshares = {{"hc18/head" = {}, "other" = {}}}'

REFUSED = [
    ("cache_size = [256, 384]", "", r"\[data\]: cache_size is missing: pictures are kept at that"),
    ("cache_size = [256, 384]", "cache_size = [0, 384]", r"\[data\]: cache_size is missing"),
    ("epochs = 30", "epoch = 30", r"\[fit\]: unknown key 'epoch'; allowed: epochs, batch_size"),
    ("epochs = 30", "", r"\[fit\]: epochs is missing; allowed: epochs, batch_size"),
    ("epochs = 30", 'epochs = "30"', r"\[fit\]: epochs must be int, got '30'"),
    ("epochs = 30", "epochs = 30.0", r"\[fit\]: epochs must be int, got 30.0"),
    ("epochs = 30", "epochs = true", r"\[fit\]: epochs must be int, got True"),
    ("flip = true", "flip = 1", r"\[augment\]: flip must be bool, got 1"),
    ("std = 128.0", "std = nan", r"\[input\]: std must be float, got nan"),
    ("std = 128.0", "std = true", r"\[input\]: std must be float, got True"),
    ("size = [192, 288]", "size = [192]", r"\[input\]: size must be tuple\[int, int\], got \[192"),
    ("size = [192, 288]", "size = [192, 2.5]", r"\[input\]: size must be tuple\[int, int\]"),
    ("size = [192, 288]", 'size = "ab"', r"\[input\]: size must be tuple\[int, int\], got 'ab'"),
    ('dataset = "hc18"', "dataset = 18", r"\[data\]: dataset must be str, got 18"),
    ('dataset = "hc18"', 'dataset = "hc18"\nfold = 5', r"\[data\]: folds must be 2 to 9, and fold"),
    ('dataset = "hc18"', 'dataset = "hc18"\nfold = -2', r"\[data\]: .* got fold -2 of 5"),
    ('dataset = "hc18"', 'dataset = "hc18"\nfolds = 0', r"\[data\]: .* got fold -1 of 0"),
    ('dataset = "hc18"', SHARED.format("0.5", "-1"), r"\[data\]: shares must not be negative"),
    ('dataset = "hc18"', SHARED.format("'half'", "1"), r"\[data\]: shares must be .*str, float"),
    ('dataset = "hc18"', SHARED.format("true", "1"), r"\[data\]: shares must be .*str, float"),
    ('dataset = "hc18"', SHARED.format("nan", "1"), r"\[data\]: shares must be .*str, float"),
    ('dataset = "hc18"', 'dataset = "hc18"\nshares = 3', r"\[data\]: shares must be .*got 3"),
    ('dataset = "hc18"', 'dataset = "hc18"\ndraws = 9', r"\[data\]: draws and shares go toge"),
    ('dataset = "hc18"', 'dataset = "a"\nshares = {a = 1}', r"\[data\]: draws and shares go to"),
    ('dataset = "hc18"', SHARED.replace("9", "-9").format(1, 1), r"\[data\]: draws and shares go"),
    ('licence = "CC0-1.0"', "", "licence is missing or is not text"),
    ('licence = "CC0-1.0"', "licence = 0", "licence is missing or is not text"),
    ('licence = "CC0-1.0"', 'licence = "x"\nfits = 1', "unknown key 'fits'; allowed: name, li"),
    ('name = "unet"', "", r"\[network\]: name is missing"),
    ('name = "mask"', "name = 1", r"\[heads.outline\]: name is missing"),
    ("[heads.outline]", "[head.outline]", "unknown key 'head'; allowed: .*heads"),
    ("[fit]\nepochs = 30\nbatch_size = 8", "", r"\[fit\]: epochs is missing"),
    ("[input]", "[[input]]", r"\[input\] must be a table, got \[.*; allowed: size, mean, std"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED)
def test_a_wrong_key_is_refused_with_file_table_and_allowed_keys(write, old, new, reason):
    assert TEXT.count(old) == 1
    with pytest.raises(RecipeError, match=f"^tiny.toml: {reason}") as refused:
        read_recipe(write(TEXT.replace(old, new)))
    assert "\n" not in str(refused.value)


def test_a_recipe_needs_a_head(write):
    text = TEXT.replace('[heads.outline]\nname = "mask"\nsize = 2.0\n', "")
    with pytest.raises(RecipeError, match=r"\[heads.NAME\] is missing"):
        read_recipe(write(text))


def test_a_file_that_is_not_there_or_not_toml_is_refused(write, tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="not a TOML file"):
        read_recipe(write("name = "))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a TOML file"):
        read_recipe(binary)


def test_set_overrides_one_value_and_leaves_the_rest(write):
    plain, changed = read(write), read(write, "fit.epochs=5")
    assert changed.fit.epochs == 5
    assert dataclasses.replace(changed, fit=plain.fit) == plain


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("fit.learning_rate=1e-4", lambda r: r.fit.learning_rate == 1e-4),
        ("fit.precision=bf16-mixed", lambda r: r.fit.precision == "bf16-mixed"),
        ("augment.flip=false", lambda r: r.augment.flip is False),
        ("input.size=[256, 384]", lambda r: r.input.size == (256, 384)),
        ("heads.outline.size=0", lambda r: r.heads["outline"].options["size"] == 0),
        ("network.encoder=tu-resnet18", lambda r: r.network.options["encoder"] == "tu-resnet18"),
        ("heads.second.name=mask", lambda r: list(r.heads) == ["outline", "second"]),
        ("name=a=b", lambda r: r.name == "a=b"),
    ],
)
def test_set_reads_values_as_toml_or_else_as_text(write, assignment, value):
    assert value(read(write, assignment))


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("fit.epoch=5", r"\[fit\]: unknown key 'epoch'"),
        ("fits.epochs=5", "unknown key 'fits'"),
        ("fit.epochs=many", "epochs must be int, got 'many'"),
        ("fit=5", r"\[fit\] must be a table, got 5"),
        ("network=unet", r"\[network\]: name is missing"),
        ("name.first=5", "name is a value, not a table"),
        ("fit.epochs", "--set needs key=value, such as fit.epochs=5; got 'fit.epochs'"),
        ("=5", "--set needs key=value"),
    ],
)
def test_a_wrong_override_is_refused(write, assignment, reason):
    with pytest.raises(RecipeError, match=reason):
        read(write, assignment)


def test_a_resolved_recipe_travels_as_json_and_comes_back_the_same(write):
    recipe = read(write, "fit.epochs=5", "data.fold=2")
    text = recipe.as_json()
    assert json.loads(text)["fit"]["epochs"] == 5
    assert from_json(text, "model.onnx") == recipe
    assert from_json(text, "model.onnx").as_json() == text


def test_shares_travel_too(write):
    recipe = read_recipe(write(TEXT.replace('dataset = "hc18"', SHARED.format("1", "0.25"))))
    assert from_json(recipe.as_json(), "model.onnx") == recipe


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "model.onnx: its recipe is not JSON"),
        ("[]", "model.onnx: its JSON is not a recipe"),
        ("{}", "model.onnx: its JSON is not a recipe"),
        ('{"network": "unet"}', "model.onnx: its JSON is not a recipe"),
        (
            '{"network": {"name": "a", "options": {}}, "heads": {}}',
            "model.onnx: name is missing or is not text",
        ),
    ],
)
def test_json_that_is_no_recipe_is_refused(text, reason):
    with pytest.raises(RecipeError, match=reason):
        from_json(text, "model.onnx")


def test_a_tree_is_not_changed_by_reading_it():
    tree = {"name": "a", "heads": {"outline": {"name": "mask", "size": 1.0}}}
    with pytest.raises(RecipeError):
        from_tree(tree, "a.toml")
    assert tree == {"name": "a", "heads": {"outline": {"name": "mask", "size": 1.0}}}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_repository_are_read_and_travel(path):
    recipe = read_recipe(path)
    assert from_json(recipe.as_json(), path.name) == recipe


@pytest.mark.train
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_heads_of_the_recipes_are_built_and_lie_along_masks_of_their_own(path):
    pytest.importorskip("torch", reason="needs the train extra")
    from fetometry.training.heads import build_heads

    meanings = {name: h.meaning() for name, h in build_heads(read_recipe(path).heads).items()}
    for meaning in meanings.values():
        if meaning["kind"] == "ends":
            under = meanings[meaning["along"]]
            assert under["kind"] == "mask"
            assert set(meaning["planes"]) <= set(under["planes"])


@pytest.mark.train
def test_the_exam_s_recipe_measures_every_plane_and_tells_them_apart():
    pytest.importorskip("torch", reason="needs the train extra")
    from fetometry.training.heads import build_heads

    heads = build_heads(read_recipe(RECIPES[0].with_name("exam.toml")).heads)
    meanings = [head.meaning() for head in heads.values()]
    masks = [plane for m in meanings if m["kind"] == "mask" for plane in m["planes"]]
    assert sorted(masks) == sorted(PLANES)
    assert [m["classes"] for m in meanings if m["kind"] == "planes"] == [list(PLANE_CLASSES)]


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_networks_of_the_recipes_are_built_and_answer_for_every_head(path):
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from fetometry.training.heads import build_heads
    from fetometry.training.nets import build_network

    recipe = read_recipe(path)
    options = {**recipe.network.options}
    if "encoder_weights" in options:
        options["encoder_weights"] = "none"
    stride = options.get("output_stride", 1)
    # networks of volumes take any size that they can halve; the recipe's own takes minutes
    size = (16, 16, 16) if recipe.input.of_volumes else recipe.input.size
    wanted = {name: head.output for name, head in build_heads(recipe.heads).items()}
    component = Component(recipe.network.name, options)
    network = build_network(component, wanted, recipe.input.shape).eval()
    with torch.no_grad():
        found = network(torch.zeros(1, 1, *size))
    shapes = {
        name: (1, o.channels, *(() if o.whole else (length // stride for length in size)))
        for name, o in wanted.items()
    }
    assert {name: tuple(output.shape) for name, output in found.items()} == shapes


def test_there_are_recipes():
    assert len(RECIPES) >= 1
