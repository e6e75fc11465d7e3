"""Networks: functions from images (B, 1, H, W), or volumes (B, 1, D, H, W), to named outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from fetometry.errors import RecipeError
from fetometry.training.nets.femur3d import build_femur3d
from fetometry.training.nets.mtln import build_mtln
from fetometry.training.nets.multitask_unet import build_multitask_unet
from fetometry.training.nets.output import Output
from fetometry.training.nets.plain_unet import build_plain_unet
from fetometry.training.nets.regression import REGRESSORS
from fetometry.training.nets.slice_unet import build_slice_unet
from fetometry.training.nets.unet import build_unet
from fetometry.training.recipe import Component

#: builder(options, outputs, size): outputs is {output name: what it should be}, size the input's,
#: (h, w) of pictures and (d, h, w) of volumes
Builder = Callable[[Mapping[str, object], Mapping[str, Output], Any], nn.Module]

NETWORKS: Mapping[str, Builder] = {
    "unet": build_unet,
    "mtln": build_mtln,
    **REGRESSORS,
    "multitask_unet": build_multitask_unet,
    "plain_unet": build_plain_unet,
    "femur3d": build_femur3d,
    "slice_unet": build_slice_unet,
}

#: The networks that see volumes; all others see pictures.
OF_VOLUMES = ("femur3d", "slice_unet")

__all__ = ["NETWORKS", "Output", "build_network"]


def build_network(
    component: Component, outputs: Mapping[str, Output], size: tuple[int, ...]
) -> nn.Module:
    """Build a network for inputs of a size, by its name or by an outside `package.module:Builder`.

    Raises:
        RecipeError: the network is unknown, or cannot be imported.
    """
    if component.name in NETWORKS:
        if (component.name in OF_VOLUMES) != (len(size) == 3):
            sees = "volumes: give [input] a depth" if len(size) == 2 else "pictures alone"
            raise RecipeError(f"[network]: {component.name} sees {sees}")
        return NETWORKS[component.name](component.options, outputs, size)
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
    network = builder(component.options, outputs, size)
    if not isinstance(network, nn.Module):
        raise RecipeError(f"[network]: {component.name} did not build a torch module")
    return network
