"""A sweep that trains in seconds: the toy heads, the tiny network, one setting that fails."""

RECIPE = """
name = "toy-head"
licence = "CC0-1.0"
description = "a toy"

[data]
dataset = "toy"
cache_size = [64, 96]

[input]
size = [64, 96]
mean = 127.0
std = 128.0

[augment]
flip = true
noise = 0.05

[network]
name = "tests.training.toy_nets:tiny"

[heads.outline]
name = "mask"

[heads.plane]
name = "plane"

[fit]
epochs = 1
batch_size = 2
learning_rate = 0.02
seed = 3
"""

SPEC = """
paper = "toy2024"
title = "Toy et al. 2024"
recipe = "toy.toml"
split = "none"
axis = "rate"
figures = ["loss-curves", "panels"]

[budgets.small]
drop = ["heads.plane"]

[budgets.folded]
drop = ["heads.plane"]
set = ["fit.epochs=2"]
folds = 3
only_folds = 2
repeats = 2

[budgets.smoke]
drop = ["heads.plane"]
set = ["data.dataset=phantom", "data.planes=[\\"head\\"]"]
phantoms = 3

[[cells]]
name = "rate=0.02"
x = 0.02
paper = { "HC ADF mm" = "1.0 ± 0.5" }

[[cells]]
name = "broken"
set = ["network.name=nosuch"]
budgets = ["small"]

[[cells]]
name = "rate=0.01"
x = 0.01
set = ["fit.learning_rate=0.01"]
[cells.folded]
set = ["fit.epochs=3"]
folds = 1
repeats = 1
"""


def write(folder, spec=SPEC, recipe=RECIPE):
    """Write the recipe and, as in the repository, the sweep in a folder beside it."""
    inside = folder / "reproduce"
    inside.mkdir(parents=True, exist_ok=True)
    (folder / "toy.toml").write_text(recipe, encoding="utf-8")
    path = inside / "toy2024.toml"
    path.write_text(spec, encoding="utf-8")
    return path
