"""A recipe: one TOML file that says data, network, heads and fit, read strictly.

An unknown, missing or mistyped key is refused with file, table, key and the allowed ones.
No torch here: a recipe can be read, checked and shown on any installation.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fetometry.errors import RecipeError
from fetometry.strict import Reader

T = typing.TypeVar("T")


@dataclass(frozen=True)
class Data:
    """Which prepared data set, and at which size its cache keeps the pictures."""

    dataset: str
    cache_size: tuple[int, int] = (0, 0)  # volumes have none: they are kept whole
    fold: int = -1  # -1: the fixed split; 0 and up: that fold of `folds`, over non-test buckets
    folds: int = 5
    limit: int = 0  # use only so many training images, evenly from all; 0 is all
    planes: tuple[str, ...] = ()  # only images of these planes; empty: all
    measured_only: bool = False  # leave out images of which nothing but the plane is known
    without_machine: str = ""  # leave this ultrasound machine out of training and validation
    draws: int = 0  # training images an epoch, by `shares`; 0: each image once
    shares: Mapping[str, float] = field(default_factory=dict)  # by kind: see Row.kind

    def __post_init__(self) -> None:
        if bool(self.draws) != bool(self.shares) or self.draws < 0:
            raise RecipeError("draws and shares go together: so many images an epoch, of these")
        if any(share < 0 for share in self.shares.values()):
            raise RecipeError("shares must not be negative")
        if self.shares and not any(self.shares.values()):
            raise RecipeError("shares must not all be 0")
        # a test bucket aside, there are nine: more folds would leave one without a group
        if not 2 <= self.folds <= 9 or not -1 <= self.fold < self.folds:
            raise RecipeError(
                "folds must be 2 to 9, and fold 0 to folds - 1, or -1 for the fixed split; "
                f"got fold {self.fold} of {self.folds}"
            )


@dataclass(frozen=True)
class Input:
    """What the network is given: grey values 0 to 255 become (x - mean) / std.

    With a `depth` these are windows of a volume, of cubes of `voxel_mm`. `roi` is the model that
    finds the region of interest, which is grown by `margin_mm` on every side; without one the
    network sees the whole volume. Measuring shows black beyond that region: with `black_beyond`
    training does so too, its box moved by up to `box_error_mm` on each side.
    """

    size: tuple[int, int]
    mean: float
    std: float
    depth: int = 0
    voxel_mm: float = 0.0
    margin_mm: float = 0.0
    roi: str = ""
    black_beyond: bool = False
    box_error_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.depth < 0 or (self.depth > 0) != (self.voxel_mm > 0):
            raise RecipeError("depth and voxel_mm go together: windows of a volume have both")
        if self.margin_mm < 0 or (not self.of_volumes and (self.margin_mm or self.roi)):
            raise RecipeError("roi and margin_mm are of volumes, and no margin is negative")
        if (self.black_beyond and not self.roi) or self.box_error_mm < 0:
            raise RecipeError("black_beyond needs a roi, and box_error_mm must not be negative")

    @property
    def of_volumes(self) -> bool:
        """Tell whether the network sees volumes, not pictures."""
        return self.depth > 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The size, with the depth first where there is one."""
        return (self.depth, *self.size) if self.of_volumes else self.size


@dataclass(frozen=True)
class Augment:
    """Random changes of a training picture; all geometry is composed into one affine map."""

    rotate_deg: float = 0.0
    rotate_step_deg: float = 0.0  # only multiples of it; 0: any angle
    keep_whole: bool = False  # a structure that would be cut by the change stays as it was
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0  # share of the input's size
    flip: bool = False  # left-right and up-down, each half of the time
    mirror: bool = False  # left-right alone, half of the time
    gamma: tuple[float, float] = (1.0, 1.0)
    gain: tuple[float, float] = (1.0, 1.0)
    blur_px: float = 0.0  # largest sigma, half of the pictures
    noise: float = 0.0  # largest standard deviation, share of full scale


@dataclass(frozen=True)
class Component:
    """A network or a head by name; its own options are checked by whoever builds it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fit:
    """How the weights are found."""

    epochs: int
    batch_size: int
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "onecycle"
    ema_decay: float = 0.0  # 0: no averaging of the weights
    precision: str = "32-true"
    seed: int = 0
    start_from: str = ""  # an earlier run's checkpoint
    trainable: tuple[
        str, ...
    ] = ()  # parts of the network by prefix; the rest is frozen; empty: all


@dataclass(frozen=True)
class Adversary:
    """A discriminator that tells what the network found from the truth, from an epoch on.

    `weight` is what the network's loss for being found out is multiplied by, `width` the channels
    of the discriminator's first layer.
    """

    from_epoch: int
    weight: float = 1.0
    width: int = 16
    learning_rate: float = 2e-4
    form: str = "non_saturating"

    def __post_init__(self) -> None:
        if self.from_epoch < 0 or self.width < 1:
            raise RecipeError("from_epoch must be 0 or more, and width 1 or more")
        if self.weight < 0 or self.learning_rate <= 0:
            raise RecipeError("weight must not be negative, and learning_rate must be positive")


@dataclass(frozen=True)
class Recipe:
    """A published or own system, whole."""

    name: str
    licence: str
    description: str
    data: Data
    input: Input
    network: Component
    heads: Mapping[str, Component]
    fit: Fit
    augment: Augment = field(default_factory=Augment)
    adversary: Adversary | None = None

    def as_json(self) -> str:
        """Return the resolved recipe as JSON, as it travels inside the weights."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def _allowed(cls: type) -> str:
    return ", ".join(f.name for f in dataclasses.fields(cls))


def _kind_name(expected: Any) -> str:
    if isinstance(expected, types.GenericAlias):
        return str(expected)
    return str(getattr(expected, "__name__", expected))


_READER = Reader(RecipeError, _kind_name)


def strict(cls: type[T], table: Any, where: str) -> T:
    """Build a flat dataclass from a TOML table, refusing what does not fit.

    Raises:
        RecipeError: an unknown, missing or mistyped key; the message names the allowed ones.
    """
    return _READER.build(cls, table, where)


def _component(table: Any, where: str) -> Component:
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise RecipeError(f"{where}: name is missing; it says which network or head is meant")
    options = {key: value for key, value in table.items() if key != "name"}
    return Component(table["name"], options)


def _override(tree: dict[str, Any], assignment: str) -> None:
    key, equals, text = assignment.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set needs key=value, such as fit.epochs=5; got {assignment!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.split(".")
    for name in tables:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"--set {assignment}: {name} is a value, not a table")
    tree[last] = value


def from_tree(tree: Mapping[str, Any], where: str) -> Recipe:
    """Build a recipe from nested tables, as TOML gives them.

    Raises:
        RecipeError: an unknown, missing or mistyped table or key.
    """
    sections = {"data": Data, "input": Input, "augment": Augment, "fit": Fit}
    known = {f.name for f in dataclasses.fields(Recipe)}
    for key in tree:
        if key not in known:
            raise RecipeError(f"{where}: unknown key {key!r}; allowed: {_allowed(Recipe)}")
    for key in ("name", "licence", "description"):
        if not isinstance(tree.get(key), str):
            raise RecipeError(f"{where}: {key} is missing or is not text")
    heads = tree.get("heads")
    if not isinstance(heads, Mapping) or not heads:
        raise RecipeError(f"{where}: [heads.NAME] is missing; a recipe needs one head or more")
    parts: dict[str, Any] = {
        key: strict(cls, tree.get(key, {}), f"{where}: [{key}]") for key, cls in sections.items()
    }
    _check_kind(parts["input"], parts["data"], parts["augment"], where)
    if tree.get("adversary") is not None:
        parts["adversary"] = strict(Adversary, tree["adversary"], f"{where}: [adversary]")
    return Recipe(
        name=tree["name"],
        licence=tree["licence"],
        description=tree["description"],
        network=_component(tree.get("network"), f"{where}: [network]"),
        heads={name: _component(t, f"{where}: [heads.{name}]") for name, t in heads.items()},
        **parts,
    )


def _check_kind(given: Input, data: Data, changes: Augment, where: str) -> None:
    """Refuse what pictures need and do not have, and what volumes have and do not know."""
    if not given.of_volumes and not all(data.cache_size):
        raise RecipeError(f"{where}: [data]: cache_size is missing: pictures are kept at that size")
    if given.of_volumes and any((changes.keep_whole, changes.rotate_step_deg, changes.blur_px)):
        raise RecipeError(
            f"{where}: [augment]: keep_whole, rotate_step_deg and blur_px are of pictures alone"
        )


def _dropped(tree: dict[str, Any], key: str) -> None:
    """Take a table, or a value, out of the tree."""
    *tables, last = key.split(".")
    inner: Any = tree
    for name in tables:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or last not in inner:
        raise RecipeError(f"drop {key!r}: the recipe has no such table or key")
    del inner[last]


def read_recipe(path: Path, overrides: Sequence[str] = (), drop: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, take out the tables to `drop`, and apply `key.key=value` overrides.

    Raises:
        RecipeError: the file is not TOML, or a key is unknown, missing or mistyped.
    """
    tree = _READER.toml(path)
    for key in drop:
        _dropped(tree, key)
    for assignment in overrides:
        _override(tree, assignment)
    return from_tree(tree, path.name)


def from_json(text: str, where: str) -> Recipe:
    """Read back what `Recipe.as_json` wrote.

    Raises:
        RecipeError: it is not such a recipe.
    """

    def flat(component: Mapping[str, Any]) -> dict[str, Any]:
        return {"name": component["name"], **component["options"]}

    try:
        tree = json.loads(text)
        tree["network"] = flat(tree["network"])
        tree["heads"] = {name: flat(head) for name, head in tree["heads"].items()}
    except json.JSONDecodeError:
        raise RecipeError(f"{where}: its recipe is not JSON") from None
    except (AttributeError, KeyError, TypeError):
        raise RecipeError(f"{where}: its JSON is not a recipe") from None
    return from_tree(tree, where)
