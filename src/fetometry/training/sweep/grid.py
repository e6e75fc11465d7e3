"""A sweep out of options: every value of one key crossed with those of others. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from fetometry.errors import RecipeError, UsageError
from fetometry.training.recipe import read_recipe
from fetometry.training.sweep.spec import OWN, Budget, Cell, Spec, check_cells

_OPENING, _CLOSING, _QUOTE = "[{(", "]})", '"'


def values(text: str) -> list[str]:
    """Split at commas, but not at those inside brackets or quotes.

    >>> values("[64, 64],[128, 128]")
    ['[64, 64]', '[128, 128]']
    """
    found, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == _QUOTE
        depth += (letter in _OPENING) - (letter in _CLOSING) if not quoted else 0
        if letter == "," and not depth and not quoted:
            found.append("")
        else:
            found[-1] += letter
    return [value.strip() for value in found]


def _axis(over: str) -> tuple[str, list[str]]:
    key, equals, text = over.partition("=")
    found = values(text)
    if not equals or not key or not all(found):
        raise UsageError(f"--over needs key=a,b, such as fit.epochs=5,10; got {over!r}")
    return key, found


def _place(combination: Sequence[str]) -> float | None:
    """Return where a setting stands on the axis, where there is one axis of numbers."""
    try:
        (only,) = combination
        return float(only)
    except ValueError:
        return None


def grid(
    recipe: Path, over: Sequence[str], *, folds: int = 0, repeats: int = 1, set_: Sequence[str] = ()
) -> Spec:
    """Return the sweep of a recipe over `key=a,b` options, each crossed with the others.

    Raises:
        UsageError: an option is not such a list, a key is there twice, or folds or repeats are
            out of range.
        RecipeError: the recipe does not fit.
    """
    axes = [_axis(one) for one in over]
    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys):
        raise UsageError(f"--over: a key can be given once, got {', '.join(keys)}")
    try:
        budget = Budget(set=tuple(set_), folds=folds, repeats=repeats)
    except RecipeError as error:
        raise UsageError(str(error)) from None
    cells = []
    for combination in itertools.product(*(found for _, found in axes)):
        settings = tuple(f"{k}={v}" for k, v in zip(keys, combination, strict=True))
        name = ", ".join(settings) or recipe.stem
        cells.append(Cell(name, set=settings, x=_place(combination)))
    check_cells(cells, "--over")
    return Spec(
        paper=recipe.stem,
        title=read_recipe(recipe, set_).description,
        recipe=recipe.name,
        recipe_path=recipe,
        budgets={OWN: budget},
        cells=tuple(cells),
        axis=keys[0] if len(keys) == 1 else "",
        figures=("setting-curve", "loss-curves") if len(keys) == 1 else ("loss-curves",),
    )
