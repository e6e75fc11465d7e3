"""The U-Net of the textbook, trained from scratch: the baseline that encoders are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.blocks import double_convolution, last_map
from fetometry.training.nets.output import Output
from fetometry.training.nets.unet import CHANNELS
from fetometry.training.recipe import strict


@dataclass(frozen=True)
class Options:
    """Channels of each level from the shallowest; the bottleneck has twice the last.

    `channels` 1 or 3: the network sees the grey picture, or repeats it as RGB, which counts
    more parameters and gives the same answers.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    channels: int = 1


class PlainUnet(nn.Module):
    """Encoder, bottleneck, decoder with concatenated skips, one 1x1 convolution for each map.

    Each level is two 3x3 convolutions with batch norm and ReLU, padded so that the output is as
    large as the input; 2x2 max-pooling goes down, 2x2 transposed convolutions go up.

    References:
        Ronneberger O, Fischer P, Brox T. U-Net. MICCAI 2015, 234-241.
    """

    def __init__(self, options: Options, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        widths = options.widths
        self.channels = options.channels
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            double_convolution(given, made)
            for given, made in zip((options.channels, *widths[:-1]), widths, strict=True)
        )
        self.bottleneck = double_convolution(widths[-1], 2 * widths[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[::-1])
        self.decoder = nn.ModuleList(double_convolution(2 * width, width) for width in widths[::-1])
        self.outputs = nn.ModuleDict(
            {name: last_map(output, widths[0]) for name, output in outputs.items()}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels, H, W)}."""
        features = image.expand(-1, self.channels, -1, -1)
        skips = []
        for level in self.encoder:
            features = level(features)
            skips.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)
        for up, level, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            features = level(torch.cat([skip, up(features)], dim=1))
        return {name: output(features) for name, output in self.outputs.items()}


def build_plain_unet(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
) -> nn.Module:
    """Build a plain U-Net from recipe options; it takes inputs that it can halve at every level.

    Raises:
        RecipeError: an option is unknown or out of its range, the size cannot be halved so
            often, or an output is no map.
    """
    checked = strict(Options, options, "[network]")
    if checked.channels not in CHANNELS:
        raise RecipeError(f"[network]: channels must be 1 or 3, got {checked.channels}")
    if not checked.widths or min(checked.widths) < 1:
        raise RecipeError(f"[network]: widths must be positive numbers, got {list(checked.widths)}")
    multiple = 2 ** len(checked.widths)
    if any(side < multiple or side % multiple for side in size):
        raise RecipeError(
            f"[input]: size must be multiples of {multiple}, as plain_unet halves them "
            f"{len(checked.widths)} times; got {list(size)}"
        )
    for name, output in outputs.items():
        if output.whole:
            raise RecipeError(
                f"[heads.{name}]: plain_unet gives maps alone; a head of the whole image needs "
                "another network, such as unet"
            )
    return PlainUnet(checked, outputs)
