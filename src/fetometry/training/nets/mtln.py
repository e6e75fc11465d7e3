"""MTLN: a Link-Net that sees the image at three scales, with an ellipse tuner in its middle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fetometry.errors import RecipeError
from fetometry.training.nets.output import Output
from fetometry.training.recipe import strict

#: The encoder halves the input five times.
DEEPEST_STRIDE = 32


@dataclass(frozen=True)
class Options:
    """Width of the first features, which scales all others, and of the tuner's layers.

    `multi_scale`: the image, down-sampled, goes beside the first and the second feature map.
    `tuner` are the widths of the fully connected layers before the last one; the deepest
    features reach them through `tuner_channels` channels, so that their number of weights stays
    within reason: 512 channels of 17 x 25 pixels would need 56 million for 256 units.
    """

    width: int = 64
    multi_scale: bool = True
    tuner: tuple[int, ...] = (256, 64)
    tuner_channels: int = 32


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation; what follows is added to before it is rectified."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a residual link; to halve the image, the link pools it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = _conv(inputs, outputs, 3, stride), _conv(outputs, outputs, 3)
        link: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if inputs != outputs:
            link.append(_conv(inputs, outputs, 1))
        self.link = nn.Sequential(*link)

    def forward(self, features: Tensor) -> Tensor:
        inside = self.second(functional.relu(self.first(features)))
        return functional.relu(inside + self.link(features))


def _encoder(inputs: int, outputs: int) -> nn.Sequential:
    """Halve the image; two residual blocks, as in ResNet-18."""
    return nn.Sequential(_Residual(inputs, outputs, 2), _Residual(outputs, outputs, 1))


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    """Double the image by a transposed 3x3 convolution."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _decoder(inputs: int, outputs: int) -> nn.Sequential:
    """Link-Net's decoder block: a quarter of the channels, doubled, and as many as are wanted."""
    narrow = max(inputs // 4, 1)
    return nn.Sequential(
        _conv(inputs, narrow, 1), nn.ReLU(), _doubled(narrow, narrow), _conv(narrow, outputs, 1),
        nn.ReLU(),
    )  # fmt: skip


class Mtln(nn.Module):
    """Encoder, decoder with additive skips, and a tuner of three fully connected layers.

    There is no decoder where no map is wanted, and no tuner where no vector is.

    References:
        Sobhaninia Z et al. Fetal ultrasound image segmentation for measuring biometric
        parameters using multi-task deep learning. EMBC 2019, 6545-6548.
        Chaurasia A, Culurciello E. LinkNet. VCIP 2017, 1-4.
    """

    def __init__(
        self, options: Options, outputs: Mapping[str, Output], size: tuple[int, int]
    ) -> None:
        super().__init__()
        width, more = options.width, int(options.multi_scale)
        widths = (width, width, 2 * width, 4 * width, 8 * width)  # strides 2, 4, 8, 16, 32
        self.multi_scale = options.multi_scale
        self.stem = nn.Sequential(_conv(1, width, 7, 2), nn.ReLU())
        self.encoders = nn.ModuleList(
            _encoder(widths[i] + (more if i < 2 else 0), widths[i + 1]) for i in range(4)
        )
        self.decoders, self.tuner = nn.ModuleList(), nn.Sequential()
        self.last = nn.Sequential()
        if any(not output.whole for output in outputs.values()):
            self.decoders.extend(_decoder(widths[i + 1], widths[i]) for i in reversed(range(4)))
            half = max(width // 2, 1)
            self.last = nn.Sequential(_doubled(width, half), _conv(half, half, 3), nn.ReLU())
        if any(output.whole for output in outputs.values()):
            self.tuner = _tuner(widths[-1], options, size)
        self.outputs = nn.ModuleDict(
            {name: _final(output, options) for name, output in outputs.items()}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels, H, W) or (B, channels)}."""
        features = [self.stem(image)]
        for i, encoder in enumerate(self.encoders):
            deeper = features[-1]
            if self.multi_scale and i < 2:
                small = functional.avg_pool2d(image, 2 ** (i + 1))
                deeper = torch.cat([deeper, small.to(deeper.dtype)], dim=1)
            features.append(encoder(deeper))
        deepest = features.pop()
        maps = vector = deepest
        for decoder, skip in zip(self.decoders, reversed(features), strict=False):
            maps = decoder(maps) + skip
        maps, vector = self.last(maps), self.tuner(vector)
        return {
            name: layer(vector if isinstance(layer, nn.Linear) else maps)
            for name, layer in self.outputs.items()
        }


def _tuner(deepest: int, options: Options, size: tuple[int, int]) -> nn.Sequential:
    """Build all fully connected layers but the last."""
    pixels = (size[0] // DEEPEST_STRIDE) * (size[1] // DEEPEST_STRIDE)
    layers: list[nn.Module] = [_conv(deepest, options.tuner_channels, 1), nn.ReLU(), nn.Flatten()]
    inputs = options.tuner_channels * pixels
    for width in options.tuner:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)


def _final(output: Output, options: Options) -> nn.Module:
    if output.whole:
        layer: nn.Conv2d | nn.Linear = nn.Linear(options.tuner[-1], output.channels)
    else:
        layer = nn.Conv2d(max(options.width // 2, 1), output.channels, 3, padding=1)
    output.set_bias(layer)
    return layer


def build_mtln(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
) -> nn.Module:
    """Build an MTLN from recipe options, for inputs of one size: a multiple of 32.

    Raises:
        RecipeError: an option is unknown or out of its range, or the size is no multiple of 32.
    """
    checked = strict(Options, options, "[network]")
    widths = (checked.width, checked.tuner_channels, *checked.tuner)
    if min(widths) < 1 or not checked.tuner:
        raise RecipeError(
            "[network]: width, tuner_channels and the widths in tuner must be positive, "
            f"got {checked.width}, {checked.tuner_channels} and {list(checked.tuner)}"
        )
    if size[0] % DEEPEST_STRIDE or size[1] % DEEPEST_STRIDE or min(size) < DEEPEST_STRIDE:
        raise RecipeError(
            f"[input]: mtln needs sizes that are multiples of {DEEPEST_STRIDE}, got {list(size)}"
        )
    return Mtln(checked, outputs, size)
