"""What a sweep runs: each cell on each fold from each seed, within a budget. No torch.

A published paper's sweep is a TOML file in `recipes/reproduce/`; `grid` makes one of options.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from fetometry.errors import RecipeError, UsageError
from fetometry.phantom import DIFFICULTIES, SIZES
from fetometry.strict import Reader
from fetometry.training.baselines import BASELINES
from fetometry.training.data.phantoms3d import Series
from fetometry.training.evaluate import PREDICTED, ROUTINGS
from fetometry.training.recipe import read_recipe

#: The budget of a sweep that is asked for by options.
OWN = "own"


@dataclass(frozen=True)
class Budget:
    """How much of the paper's effort is spent: `set` is applied to the recipe of every cell.

    `folds`: 0 is the recipe's own split, n runs the folds 0 to n - 1 of n; `only_folds` just the
    first so many of them. `phantoms`: so many phantom patients take the place of the data;
    `volumes`: so many phantom volumes do, of a `difficulty` and a `size`.
    """

    set: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()  # tables taken out of the recipe
    folds: int = 0
    only_folds: int = 0  # 0: all
    repeats: int = 1
    phantoms: int = 0
    volumes: int = 0
    difficulty: str = "clinical"
    size: str = "small"

    def __post_init__(self) -> None:
        if self.folds != 0 and not 2 <= self.folds <= 9:
            raise RecipeError(f"folds must be 0 (the fixed split) or 2 to 9, got {self.folds}")
        if not 0 <= self.only_folds <= self.folds:
            raise RecipeError(f"only_folds must be 0 to {self.folds}, got {self.only_folds}")
        if self.repeats < 1:
            raise RecipeError(f"repeats must be 1 or more, got {self.repeats}")
        if self.phantoms < 0:
            raise RecipeError(f"phantoms must be 0 or more, got {self.phantoms}")
        self._check_volumes()

    def _check_volumes(self) -> None:
        if self.volumes < 0 or (self.volumes and self.phantoms):
            raise RecipeError(
                f"volumes must be 0 or more, and not beside phantoms, got {self.volumes}"
            )
        for name, value, allowed in (
            ("difficulty", self.difficulty, DIFFICULTIES),
            ("size", self.size, SIZES),
        ):
            if value not in allowed:
                raise RecipeError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")

    @property
    def series(self) -> Series | None:
        """The phantom volumes that take the place of the data; None where there are none."""
        if not self.volumes:
            return None
        return Series(self.volumes, difficulty=DIFFICULTIES[self.difficulty], size=self.size)


@dataclass(frozen=True)
class Change:
    """What a cell has otherwise in one budget.

    `folds` is how many of the budget's folds run: 0 the fixed split; of a budget without folds,
    n are all n of n. -1 leaves folds, or repeats, as the budget has them.
    """

    set: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    folds: int = -1
    repeats: int = -1


@dataclass(frozen=True)
class Cell:
    """One setting; the cells of one `row` are pooled into one row of the table.

    `x` is where it stands on the axis of a curve, and `paper` what the paper printed, by metric.
    With a `baseline` nothing is trained. `checkpoint` is what is judged: by the validation side
    the best, or the last where that side cannot tell them apart. A cell with a `recipe` of its own
    takes none of the budget's settings, only its own.
    """

    name: str
    recipe: str = ""
    set: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    row: str = ""
    budgets: tuple[str, ...] = ()  # empty: all
    baseline: str = ""
    checkpoint: str = "best.ckpt"
    paper: Mapping[str, str] = field(default_factory=dict)
    x: float | None = None
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The name as a folder of any file system can have it."""
        return re.sub(r"[^A-Za-z0-9._=+-]+", "-", self.name).strip(".-")

    @property
    def table_row(self) -> str:
        """The name of its row of the table."""
        return self.row or self.name


@dataclass(frozen=True)
class Spec:
    """A named sweep. `recipe_path` is where its recipe was found."""

    paper: str
    title: str
    recipe: str
    recipe_path: Path
    budgets: Mapping[str, Budget]
    cells: tuple[Cell, ...]
    split: str = ""
    routings: tuple[str, ...] = (PREDICTED,)
    figures: tuple[str, ...] = ()
    axis: str = ""

    def budget(self, name: str) -> Budget:
        """Return a budget by its name.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self.budgets:
            raise UsageError(
                f"{self.paper} has no budget {name!r}; it has: {', '.join(self.budgets)}"
            )
        return self.budgets[name]

    def only(self, names: Sequence[str]) -> Spec:
        """Return the sweep of some of its cells; without names, of all.

        Raises:
            UsageError: a name is no cell's.
        """
        known = {cell.name for cell in self.cells}
        for name in names:
            if name not in known:
                raise UsageError(
                    f"{self.paper} has no cell {name!r}; it has: "
                    f"{', '.join(cell.name for cell in self.cells)}"
                )
        chosen = tuple(cell for cell in self.cells if not names or cell.name in names)
        return replace(self, cells=chosen)


@dataclass(frozen=True)
class Run:
    """One training: a cell on one fold from one seed. `folds` is 0 for the fixed split."""

    cell: Cell
    fold: int
    folds: int
    repeat: int
    overrides: tuple[str, ...]
    drop: tuple[str, ...] = ()
    recipe_path: Path | None = None  # None: the sweep's

    @property
    def folder(self) -> str:
        """Where it lies below the folder of the sweep's runs."""
        return f"{self.cell.slug}/{self.name}"

    @property
    def name(self) -> str:
        """Fold and repeat, such as f0-r0."""
        return f"f{self.fold}-r{self.repeat}"


@dataclass(frozen=True)
class _Head:
    """The flat keys of a spec's file."""

    paper: str
    title: str
    recipe: str
    split: str = ""
    routings: tuple[str, ...] = (PREDICTED,)
    figures: tuple[str, ...] = ()
    axis: str = ""


def _words(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind)) if isinstance(kind, type) else str(kind)


_READER = Reader(RecipeError, _words)


def _number(table: Mapping[str, Any], where: str) -> float | None:
    """Return a cell's place on the axis, which it need not have."""
    x = table.get("x")
    if x is None:
        return None
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise RecipeError(f"{where}: x must be a number, got {x!r}")
    return float(x)


_CELL_KEYS = tuple(f.name for f in fields(Cell) if f.name not in ("x", "changes"))


def _cell(table: Any, budgets: Mapping[str, Budget], where: str) -> Cell:
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} must be a table, got {table!r}")
    changes = {
        name: _READER.build(Change, table[name], f"{where}: [cells.{name}]")
        for name in budgets
        if name in table
    }
    flat = {key: value for key, value in table.items() if key not in budgets and key != "x"}
    for key in flat:
        if key not in _CELL_KEYS:
            raise RecipeError(
                f"{where}: unknown key {key!r}; allowed: x, {', '.join(_CELL_KEYS)}, and a table "
                f"of a budget: {', '.join(budgets)}"
            )
    cell = _READER.build(Cell, flat, where)
    for name in cell.budgets:
        if name not in budgets:
            raise RecipeError(f"{where}: unknown budget {name!r}; known: {', '.join(budgets)}")
    if cell.baseline and cell.baseline not in BASELINES:
        raise RecipeError(f"{where}: baseline must be of {', '.join(BASELINES)}")
    return replace(cell, x=_number(table, where), changes=changes)


def check_cells(cells: Sequence[Cell], where: str) -> None:
    """Refuse cells that could not be told apart as folders, even where case does not count."""
    seen: dict[str, str] = {}
    for cell in cells:
        slug = cell.slug.lower()
        if not slug or slug in seen:
            raise RecipeError(
                f"{where}: the cell {cell.name!r} cannot be told from {seen.get(slug, '')!r}; "
                "give each a name of its own, with letters or digits"
            )
        seen[slug] = cell.name
    if not cells:
        raise RecipeError(f"{where}: has no [[cells]]; a sweep needs one or more")


def _tables(tree: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    value = tree.get(key, kind())
    if not isinstance(value, kind):
        raise RecipeError(f"{where}: {key} must be {_words(kind)}, got {value!r}")
    return value


def _found(recipe: str, path: Path) -> Path:
    """Return the recipe that a spec names: beside it, or in the folder above."""
    tried = [folder / recipe for folder in (path.parent, path.parent.parent)]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    raise RecipeError(f"{path.name}: its recipe {recipe} is not there ({tried[-1]})")


def read_spec(path: Path) -> Spec:
    """Read a named sweep.

    Raises:
        RecipeError: it is not TOML, or a key is unknown, missing or mistyped.
    """
    tree = _READER.toml(path)
    where = path.name
    flat = {key: value for key, value in tree.items() if key not in ("budgets", "cells")}
    head = _READER.build(_Head, flat, where)
    for routing in head.routings:
        if routing not in ROUTINGS:
            raise RecipeError(f"{where}: routings must be of {', '.join(ROUTINGS)}")
    budgets = {
        name: _READER.build(Budget, table, f"{where}: [budgets.{name}]")
        for name, table in _tables(tree, "budgets", dict, where).items()
    }
    if not budgets:
        raise RecipeError(f"{where}: has no [budgets.NAME]; a sweep needs one or more")
    listed = _tables(tree, "cells", list, where)
    cells = tuple(
        _cell(table, budgets, f"{where}: [[cells]] {i}") for i, table in enumerate(listed)
    )
    check_cells(cells, where)
    recipe_path = _found(head.recipe, path)
    for cell in cells:
        if cell.recipe and not recipe_path.with_name(cell.recipe).is_file():
            raise RecipeError(
                f"{where}: {cell.recipe}, of {cell.name!r}, is not with {head.recipe}"
            )
    return Spec(**vars(head), recipe_path=recipe_path, budgets=budgets, cells=cells)


def recipes_folder() -> Path:
    """Return where the recipes are: in the package, or in the checkout that it is run from."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parents[1] / "recipes"


def find_spec(paper: str) -> Path:
    """Return the file of a named sweep; a .toml file is taken as it is.

    Raises:
        UsageError: there is none of that name.
    """
    if paper.endswith(".toml"):
        return Path(paper)
    folder = recipes_folder() / "reproduce"
    path = folder / f"{paper}.toml"
    if path.parent != folder or not path.is_file():
        known = sorted(found.stem for found in folder.glob("*.toml"))
        raise UsageError(
            f"no paper {paper!r} to reproduce; known: {', '.join(known) or 'none'}, or a .toml file"
        )
    return path


@dataclass(frozen=True)
class _Settings:
    """Overrides and dropped tables, one layer over another."""

    set: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def over(self, drop: Sequence[str], set_: Sequence[str]) -> _Settings:
        """Return these with another layer: what it drops, earlier layers have not set."""
        kept = tuple(one for one in self.set if not _is_below(one.partition("=")[0], drop))
        return _Settings((*kept, *set_), tuple(dict.fromkeys((*self.drop, *drop))))


def _is_below(key: str, tables: Iterable[str]) -> bool:
    return any(key == table or key.startswith(f"{table}.") for table in tables)


def _folds(budget: Budget, wanted: int) -> tuple[int, int]:
    """Return how many folds there are, and how many of them run."""
    if wanted < 0:
        return budget.folds, budget.only_folds or budget.folds
    total = budget.folds or wanted
    if wanted > total or total == 1:
        raise RecipeError(f"{wanted} folds of {total}: there must be 2 or more, and so many")
    return (total, wanted) if wanted else (0, 0)


def _runs_of(spec: Spec, cell: Cell, name: str) -> list[Run]:
    budget, change = spec.budget(name), cell.changes.get(name, Change())
    settings = _Settings() if cell.recipe else _Settings(budget.set, budget.drop)
    settings = settings.over(cell.drop, cell.set).over(change.drop, change.set)
    own = spec.recipe_path.with_name(cell.recipe) if cell.recipe else None
    recipe = read_recipe(own or spec.recipe_path, settings.set, settings.drop)
    total, count = _folds(budget, change.folds)
    repeats = budget.repeats if change.repeats < 0 else change.repeats
    runs = []
    for repeat, fold in itertools.product(range(repeats), range(max(count, 1))):
        fold_set = (f"data.fold={fold}", f"data.folds={total}") if total else ()
        seed_set = (f"fit.seed={recipe.fit.seed + repeat}",) if repeat else ()
        overrides = (*settings.set, *fold_set, *seed_set)
        runs.append(Run(cell, fold, total, repeat, overrides, settings.drop, own))
    return runs


def plan(spec: Spec, budget: str) -> list[Run]:
    """Return the runs of a budget: cell by cell, of each one repeat after another.

    Raises:
        UsageError: the budget is unknown, or none of the cells runs in it.
        RecipeError: a setting does not fit the recipe.
    """
    spec.budget(budget)
    chosen = [cell for cell in spec.cells if not cell.budgets or budget in cell.budgets]
    if not chosen:
        names = ", ".join(cell.name for cell in spec.cells)
        raise UsageError(f"{spec.paper}: none of these cells runs in {budget}: {names}")
    return [run for cell in chosen for run in _runs_of(spec, cell, budget)]
