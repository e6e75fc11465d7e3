"""Heads: what one output of a network means, how wrong it is, and what it is called outside.

A head has `output` (what it asks of the network), `loss` and `meaning` (what the predictor has
to know to decode it). The training loop never asks which head it is running.

Of an image, a head may know the truth, know that there is none of its structure, or know
nothing (only the plane was labelled): the last kind adds nothing to its loss. Losses are sums
over the images that do, divided by all images of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fetometry.errors import RecipeError
from fetometry.training.heads.edge import EdgeMaskHead
from fetometry.training.heads.ellipse import EllipseHead
from fetometry.training.heads.ends import EndsHead
from fetometry.training.heads.head import Head, Learns, Truth
from fetometry.training.heads.losses import log_size, squared_dice_loss
from fetometry.training.heads.masks import MaskHead, ShaftHead
from fetometry.training.heads.plane import PlaneHead
from fetometry.training.heads.size import SizeHead
from fetometry.training.heads.structure import StructureHead
from fetometry.training.heads.volumes import SolidEndsHead, SolidHead, VolumeTruth
from fetometry.training.recipe import Component, Recipe, strict

HEADS: Mapping[str, Callable[..., Head]] = {
    "mask": MaskHead,
    "edge-mask": EdgeMaskHead,
    "ellipse": EllipseHead,
    "shaft": ShaftHead,
    "ends": EndsHead,
    "plane": PlaneHead,
    "size": SizeHead,
    "structure": StructureHead,
    "solid": SolidHead,
    "solid-ends": SolidEndsHead,
}
#: The heads that know volumes; all others know pictures.
OF_VOLUMES = ("solid", "solid-ends")


def check_heads(recipe: Recipe) -> None:
    """Refuse heads of pictures for volumes, and the other way round.

    Raises:
        RecipeError: a head does not fit the recipe's input.
    """
    for name, component in recipe.heads.items():
        if (component.name in OF_VOLUMES) != recipe.input.of_volumes:
            known = ", ".join(h for h in HEADS if (h in OF_VOLUMES) == recipe.input.of_volumes)
            what = "volumes" if recipe.input.of_volumes else "pictures"
            raise RecipeError(
                f"[heads.{name}]: {component.name!r} does not know {what}; heads that do: {known}"
            )


def build_heads(
    components: Mapping[str, Component], learned: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Head]:
    """Build the heads of a recipe, with what they learned of a training side (see `Learns`).

    Raises:
        RecipeError: a head is unknown, or one of its options is.
    """
    heads = {}
    for name, component in components.items():
        if component.name not in HEADS:
            raise RecipeError(
                f"[heads.{name}]: unknown head {component.name!r}; known: {', '.join(HEADS)}"
            )
        kind: Any = HEADS[component.name]
        options = {**component.options, **(learned or {}).get(name, {})}
        heads[name] = strict(kind, options, f"[heads.{name}]")
    return heads


def learned_by(
    heads: Mapping[str, Head], truth: Truth | VolumeTruth
) -> dict[str, dict[str, float]]:
    """Return, by head, the options that the training side gives; most heads need none."""
    return {
        name: dict(head.learned(truth)) for name, head in heads.items() if isinstance(head, Learns)
    }


__all__ = [
    "HEADS",
    "EdgeMaskHead",
    "EllipseHead",
    "EndsHead",
    "Head",
    "Learns",
    "MaskHead",
    "PlaneHead",
    "ShaftHead",
    "SizeHead",
    "SolidEndsHead",
    "SolidHead",
    "StructureHead",
    "Truth",
    "VolumeTruth",
    "build_heads",
    "check_heads",
    "learned_by",
    "log_size",
    "squared_dice_loss",
]
