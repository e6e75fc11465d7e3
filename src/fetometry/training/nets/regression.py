"""Regression networks: from a whole image to a few numbers, without a map on the way.

References:
    Zhang J, Petitjean C, Lopez P, Ainouz S. Direct estimation of fetal head circumference from
    ultrasound images based on regression CNN. MIDL 2020, PMLR 121:914-922.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torchvision
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.output import Output
from fetometry.training.nets.pretrained import load_encoder
from fetometry.training.recipe import strict

#: Keras's batch normalisation, as the authors had it; its momentum of 0.99 is 0.01 in torch.
NORM_EPS, NORM_MOMENTUM = 1e-3, 0.01

_Build = Callable[[Mapping[str, object], Mapping[str, Output], tuple[int, int]], nn.Module]


@dataclass(frozen=True)
class CnnOptions:
    """Channels of the convolutions and widths of the dense layers; empty: those of the name.

    Each convolution is followed by a halving of the picture, the first dense layer by `dropout`.
    """

    convolutions: tuple[int, ...] = ()
    dense: tuple[int, ...] = ()
    dropout: float = 0.5


@dataclass(frozen=True)
class BackboneOptions:
    """Where the weights come from: `none`, `file:PATH` or `hub:NAME`.

    NAME is one of torchvision's own, such as IMAGENET1K_V1. A file has torchvision's tensors.
    """

    encoder_weights: str = "none"


@dataclass(frozen=True)
class _Source:
    """A backbone and where its weights come from, as `load_encoder` wants to know it."""

    encoder: str
    encoder_weights: str


class Regressor(nn.Module):
    """Features (B, width) of an image, and one linear layer on them for each output."""

    def __init__(self, features: nn.Module, width: int, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        self.features = features
        self.outputs = nn.ModuleDict()
        for name, output in outputs.items():
            if not output.whole:
                raise RecipeError(
                    f"[heads.{name}]: this network gives numbers of the whole image, no maps; "
                    "choose a head such as size, or a network such as unet"
                )
            layer = nn.Linear(width, output.channels)
            output.set_bias(layer)
            self.outputs[name] = layer

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels)}."""
        features = self.features(image)
        return {name: layer(features) for name, layer in self.outputs.items()}


def _convolved(inside: int, outside: int) -> list[nn.Module]:
    """Return a 3x3 convolution with batch norm after its ReLU, and a halving of the picture."""
    return [
        nn.Conv2d(inside, outside, 3, padding="same"),
        nn.ReLU(),
        nn.BatchNorm2d(outside, NORM_EPS, NORM_MOMENTUM),
        nn.MaxPool2d(2),
    ]


def _checked(options: CnnOptions, size: tuple[int, int]) -> None:
    if min(*options.convolutions, *options.dense) < 1 or not 0 <= options.dropout < 1:
        raise RecipeError(
            "[network]: convolutions and dense must be positive numbers, and dropout 0 to below "
            f"1; got {list(options.convolutions)}, {list(options.dense)}, {options.dropout}"
        )
    if min(size) < 2 ** len(options.convolutions):
        raise RecipeError(
            f"[input]: {len(options.convolutions)} halvings leave nothing of {list(size)}"
        )


def _cnn(convolutions: tuple[int, ...], dense: tuple[int, ...]) -> _Build:
    """Return the builder of a small network with these widths, unless its options say others."""

    def build(
        given: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
    ) -> nn.Module:
        read = strict(CnnOptions, given, "[network]")
        options = CnnOptions(read.convolutions or convolutions, read.dense or dense, read.dropout)
        _checked(options, size)
        layers: list[nn.Module] = []
        for inside, outside in pairwise((1, *options.convolutions)):
            layers += _convolved(inside, outside)
        left = [length // 2 ** len(options.convolutions) for length in size]
        first = options.dense[0]
        layers += [
            nn.Flatten(),
            nn.Linear(options.convolutions[-1] * left[0] * left[1], first),
            nn.ReLU(),
            nn.BatchNorm1d(first, NORM_EPS, NORM_MOMENTUM),
            nn.Dropout(options.dropout),
        ]
        for inside, outside in pairwise(options.dense):
            layers += [nn.Linear(inside, outside), nn.ReLU()]
        return Regressor(nn.Sequential(*layers), options.dense[-1], outputs)

    return build


def _grey(convolution: nn.Conv2d) -> nn.Conv2d:
    """Return a first convolution for one channel, started as torchvision starts its own."""
    grey = nn.Conv2d(
        1,
        convolution.out_channels,
        cast(tuple[int, int], convolution.kernel_size),
        cast(tuple[int, int], convolution.stride),
        cast(tuple[int, int], convolution.padding),
        bias=convolution.bias is not None,
    )
    nn.init.kaiming_normal_(grey.weight, mode="fan_out", nonlinearity="relu")
    if grey.bias is not None:
        nn.init.zeros_(grey.bias)
    return grey


def _fetched(name: str, weights: str) -> nn.Module:
    """Return torchvision's network with its own weights, for three channels."""
    known = torchvision.models.get_model_weights(name)
    if weights not in known.__members__:
        raise RecipeError(
            f"encoder_weights: 'hub:{weights}' is not known; allowed: none, file:PATH, "
            f"{', '.join(f'hub:{other}' for other in known.__members__)}"
        )
    try:
        return cast(nn.Module, torchvision.models.get_model(name, weights=weights))
    except (OSError, RuntimeError) as error:
        raise RecipeError(f"encoder_weights: hub:{weights}: {error}") from None


def _backbone(name: str, first: str, last: str) -> _Build:
    """Return the builder of a torchvision network by the names of its first and last layer."""

    def build(
        given: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
    ) -> nn.Module:
        options = strict(BackboneOptions, given, "[network]")
        kind, _, which = options.encoder_weights.partition(":")
        hub = kind == "hub" and bool(which)
        network = _fetched(name, which) if hub else torchvision.models.get_model(name)
        width = cast(nn.Linear, network.get_submodule(last)).in_features
        network.set_submodule(last, nn.Identity())
        colour = cast(nn.Conv2d, network.get_submodule(first))
        network.set_submodule(first, _grey(colour))
        if hub:
            # the same as a grey picture given three times
            summed = colour.weight.detach().sum(dim=1, keepdim=True)
            state = {**network.state_dict(), f"{first}.weight": summed}
            if colour.bias is not None:
                state[f"{first}.bias"] = colour.bias.detach()
            network.load_state_dict(state)
        else:
            network = load_encoder(network, _Source(name, options.encoder_weights))
        return Regressor(network, width, outputs)

    return build


#: Four regressors by name; 3x3 convolutions keep the size, batch norm follows the ReLU.
REGRESSORS: Mapping[str, _Build] = {
    "cnn_263k": _cnn((8, 16), (16, 8)),
    "cnn_1m": _cnn((16, 32, 64), (64, 32, 16)),
    "vgg16": _backbone("vgg16", "features.0", "classifier.6"),
    "resnet50": _backbone("resnet50", "conv1", "fc"),
}
