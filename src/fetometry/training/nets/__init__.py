"""Networks: functions from an image (B, 1, H, W) to a dict of named outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from torch import nn

from fetometry.errors import RecipeError
from fetometry.training.nets.output import Output
from fetometry.training.nets.unet import build_unet
from fetometry.training.recipe import Component

#: name -> builder(options, outputs), where outputs is {output name: what it should be}
NETWORKS: Mapping[str, Callable[[Mapping[str, object], Mapping[str, Output]], nn.Module]] = {
    "unet": build_unet
}

__all__ = ["NETWORKS", "Output", "build_network"]


def build_network(component: Component, outputs: Mapping[str, Output]) -> nn.Module:
    """Build a network by its name, or by `package.module:Builder` from outside.

    Raises:
        RecipeError: the network is unknown, or cannot be imported.
    """
    if component.name in NETWORKS:
        return NETWORKS[component.name](component.options, outputs)
    module, colon, attribute = component.name.partition(":")
    if not colon:
        raise RecipeError(
            f"[network]: unknown network {component.name!r}; known: {', '.join(NETWORKS)}, "
            "or package.module:Builder"
        )
    try:
        builder = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"[network]: {component.name} cannot be imported ({error})") from None
    network = builder(component.options, outputs)
    if not isinstance(network, nn.Module):
        raise RecipeError(f"[network]: {component.name} did not build a torch module")
    return network
