"""U-Net that says from its bottleneck what the whole image shows (Qazi et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.blocks import double_convolution, last_map
from fetometry.training.nets.output import Output
from fetometry.training.recipe import strict


@dataclass(frozen=True)
class Options:
    """Channels of the first level, doubled at each of the `levels` down-samplings."""

    width: int = 64
    levels: int = 5


class _Up(nn.Module):
    """One level up: twice the size, beside what the encoder had there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.larger = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.body = double_convolution(2 * width, width)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        features: Tensor = self.body(torch.cat([skip, self.larger(deep)], dim=1))
        return features


class MultitaskUnet(nn.Module):
    """Maps from the decoder at full size, and vectors from the flattened bottleneck.

    References:
        Qazi MA et al. Multi-task learning approach for unified biometric estimation from fetal
        ultrasound anomaly scans. 2023.
    """

    def __init__(
        self, options: Options, outputs: Mapping[str, Output], size: tuple[int, int]
    ) -> None:
        super().__init__()
        widths = [options.width * 2**level for level in range(options.levels + 1)]
        self.encoder = nn.ModuleList(
            double_convolution(before, after)
            for before, after in zip([1, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.decoder = nn.ModuleList(_Up(width) for width in reversed(widths[:-1]))
        deepest = widths[-1] * (size[0] >> options.levels) * (size[1] >> options.levels)
        self.outputs = nn.ModuleDict(
            {name: _last(output, widths[0], deepest) for name, output in outputs.items()}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels, H, W) or (B, channels)}."""
        skips = [self.encoder[0](image)]
        for level in self.encoder[1:]:
            skips.append(level(self.pool(skips[-1])))
        bottleneck = features = skips.pop()
        for level in self.decoder:
            features = level(features, skips.pop())
        return {
            name: output(features if isinstance(output, nn.Conv2d) else bottleneck)
            for name, output in self.outputs.items()
        }


def _last(output: Output, width: int, deepest: int) -> nn.Module:
    if not output.whole:
        return last_map(output, width)
    connected = nn.Linear(deepest, output.channels)
    output.set_bias(connected)
    return nn.Sequential(nn.Flatten(), connected)


def build_multitask_unet(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
) -> nn.Module:
    """Build a multi-task U-Net from recipe options, for inputs of one size.

    Raises:
        RecipeError: an option is unknown or out of its range, or the size cannot be halved so
            often.
    """
    checked = strict(Options, options, "[network]")
    if checked.width < 1 or checked.levels < 1:
        raise RecipeError(
            "[network]: width and levels must be 1 or more, "
            f"got width {checked.width}, levels {checked.levels}"
        )
    step = 2**checked.levels
    if size[0] % step or size[1] % step:
        raise RecipeError(
            f"[network]: with {checked.levels} levels the input's size must be a multiple of "
            f"{step}, got {size[0]} x {size[1]}; change [input] size or [network] levels"
        )
    return MultitaskUnet(checked, outputs, size)
