"""What a recipe of volumes says beyond one of pictures."""

import json

import pytest

from fetometry.errors import RecipeError
from fetometry.training.recipe import Adversary, from_json, read_recipe
from tests.training.test_recipe import TEXT


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "tiny.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


SOLID = """
name = "solid"
licence = "CC0-1.0"
description = "a small one of volumes"

[data]
dataset = "phantom3d"

[input]
size = [32, 48]
depth = 16
voxel_mm = 1.2
margin_mm = 11.4
roi = "roi"
mean = 60
std = 60

[network]
name = "femur3d"

[heads.mask]
name = "solid"

[heads.ends]
name = "solid-ends"

[adversary]
from_epoch = 2

[fit]
epochs = 3
batch_size = 1
"""


def test_a_recipe_of_volumes_is_read_into_its_types(write):
    recipe = read_recipe(write(SOLID))
    assert recipe.input.of_volumes
    assert recipe.input.shape == (16, 32, 48)
    assert (recipe.input.voxel_mm, recipe.input.margin_mm, recipe.input.roi) == (1.2, 11.4, "roi")
    assert recipe.adversary == Adversary(2)
    assert (recipe.adversary.weight, recipe.adversary.form) == (1.0, "non_saturating")


def test_a_recipe_of_pictures_has_neither_depth_nor_adversary(write):
    recipe = read_recipe(write(TEXT))
    assert not recipe.input.of_volumes
    assert recipe.input.shape == recipe.input.size
    assert recipe.adversary is None


@pytest.mark.parametrize("drop", [(), ("adversary",), ("adversary", "input.roi")])
def test_a_recipe_of_volumes_travels_as_json_and_comes_back_the_same(write, drop):
    recipe = read_recipe(write(SOLID), ["fit.seed=5"], drop)
    text = recipe.as_json()
    assert (json.loads(text)["adversary"] is None) == bool(drop)
    assert from_json(text, "model.onnx") == recipe
    assert from_json(text, "model.onnx").as_json() == text


def test_the_json_of_an_older_recipe_knows_of_no_volumes(write):
    recipe = read_recipe(write(TEXT))
    tree = json.loads(recipe.as_json())
    del tree["adversary"]
    for key in ("depth", "voxel_mm", "margin_mm", "roi"):
        del tree["input"][key]
    assert from_json(json.dumps(tree), "model.onnx") == recipe


TOGETHER = r"\[input\]: depth and voxel_mm go together"
OF_VOLUMES = r"\[input\]: roi and margin_mm are of volumes"
FLAT = 'voxel_mm = 1.2\nmargin_mm = 11.4\nroi = "roi"\n'

REFUSED_3D = [
    ("depth = 16", "", TOGETHER),
    ("depth = 16", "depth = 0", TOGETHER),
    ("depth = 16", "depth = -16", TOGETHER),
    ("depth = 16", "depth = 16.0", r"\[input\]: depth must be int, got 16.0"),
    ("voxel_mm = 1.2", "", TOGETHER),
    ("voxel_mm = 1.2", "voxel_mm = -1.2", TOGETHER),
    ("margin_mm = 11.4", "margin_mm = -1.0", r"\[input\]: .* no margin is negative"),
    (f"depth = 16\n{FLAT}", 'roi = "roi"\n', OF_VOLUMES),
    (f"depth = 16\n{FLAT}", "margin_mm = 1.0\n", OF_VOLUMES),
    ("from_epoch = 2", "", r"\[adversary\]: from_epoch is missing; allowed: from_epoch, weight"),
    ("from_epoch = 2", "from_epoch = -1", r"\[adversary\]: from_epoch must be 0 or more"),
    ("from_epoch = 2", "from_epoch = 2\nwidth = 0", r"\[adversary\]: .* width 1 or more"),
    ("from_epoch = 2", "from_epoch = 2\nweight = -1.0", r"\[adversary\]: weight must not be neg"),
    ("from_epoch = 2", "from_epoch = 2\nlearning_rate = 0.0", r"\[adversary\]: .*must be positive"),
    ("from_epoch = 2", "from_epoch = 2\nepochs = 5", r"\[adversary\]: unknown key 'epochs'; allo"),
    ("from_epoch = 2", 'from_epoch = "2"', r"\[adversary\]: from_epoch must be int, got '2'"),
    ("[adversary]", "[[adversary]]", r"\[adversary\] must be a table"),
]


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED_3D)
def test_what_does_not_go_with_volumes_is_refused(write, old, new, reason):
    assert SOLID.count(old) == 1
    with pytest.raises(RecipeError, match=f"^tiny.toml: {reason}"):
        read_recipe(write(SOLID.replace(old, new)))


def test_volumes_are_kept_whole_and_need_no_size_of_a_cache(write):
    assert read_recipe(write(SOLID)).data.cache_size == (0, 0)


@pytest.mark.train
@pytest.mark.parametrize(
    ("text", "change", "reason"),
    [
        (SOLID, "heads.outline.name=mask", "'mask' does not know volumes; heads .*: solid, solid-"),
        (TEXT, "heads.ends.name=solid-ends", "'solid-ends' does not know pictures; .*: mask, edge"),
    ],
    ids=["pictures' head", "volumes' head"],
)
def test_a_head_of_the_other_kind_is_refused_with_those_that_fit(write, text, change, reason):
    pytest.importorskip("torch", reason="needs the train extra")
    from fetometry.training.heads import check_heads

    check_heads(read_recipe(write(text)))
    with pytest.raises(RecipeError, match=rf"\[heads.(outline|ends)\]: {reason}"):
        check_heads(read_recipe(write(text), [change]))


@pytest.mark.parametrize("change", ["blur_px=1.0", "keep_whole=true", "rotate_step_deg=20.0"])
def test_changes_of_pictures_alone_are_refused_for_volumes(write, change):
    with pytest.raises(RecipeError, match="are of pictures alone"):
        read_recipe(write(SOLID), [f"augment.{change}"])


def test_black_beyond_a_region_needs_a_region(write):
    assert read_recipe(write(SOLID), ["input.black_beyond=true"]).input.black_beyond
    for change in ("input.roi=", "input.box_error_mm=-1.0"):
        with pytest.raises(RecipeError, match="black_beyond needs a roi, and box_error_mm"):
            read_recipe(write(SOLID), ["input.black_beyond=true", "input.margin_mm=0.0", change])
