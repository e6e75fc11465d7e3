"""U-Net with any encoder of segmentation-models-pytorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.output import Output
from fetometry.training.nets.pretrained import load_encoder
from fetometry.training.recipe import strict

#: output stride -> how many of the decoder's last blocks are left out
SKIPPED = {1: 0, 2: 1, 4: 2}

#: channels that an encoder can be given: grey, or the grey picture three times over as RGB
CHANNELS = (1, 3)

#: how many blocks an encoder can have
DEPTHS = range(3, 6)


@dataclass(frozen=True)
class Options:
    """Encoder by its library name, where its weights come from, and the decoder's size.

    `channels` 1 or 3: the encoder sees the grey picture, or repeats it as RGB, which counts more
    parameters and gives the same answers. `output_stride` 1, 2 or 4: how much coarser than the
    input the output is; blocks of the decoder beyond it are left out. `decoder_channels` counts
    from the deepest block.
    """

    encoder: str
    encoder_weights: str = "none"
    channels: int = 1
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    output_stride: int = 1


class _Whole(nn.Module):
    """One vector for the whole image, from the deepest features: their means and their maxima."""

    def __init__(self, width: int, output: Output) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.linear = nn.Linear(2 * width, output.channels)
        output.set_bias(self.linear)

    def forward(self, deepest: Tensor) -> Tensor:
        pooled = torch.cat([deepest.mean(dim=(2, 3)), deepest.amax(dim=(2, 3))], dim=1)
        vector: Tensor = self.linear(self.drop(pooled))
        return vector


class Unet(nn.Module):
    """Encoder, decoder, and one 3x3 convolution for each map, one linear layer for each vector.

    References:
        Ronneberger O, Fischer P, Brox T. U-Net. MICCAI 2015, 234-241.
    """

    def __init__(self, options: Options, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        try:
            whole = smp.Unet(
                options.encoder,
                encoder_weights=None,
                in_channels=options.channels,
                decoder_channels=options.decoder_channels,
                encoder_depth=len(options.decoder_channels),
            )
        except (KeyError, RuntimeError) as error:  # the library's words for an unknown name
            raise RecipeError(f"[network]: encoder {options.encoder!r}: {error}") from None
        self.channels = options.channels
        self.encoder = load_encoder(whole.encoder, options)
        self.decoder = whole.decoder
        blocks = len(options.decoder_channels) - SKIPPED[options.output_stride]
        self.decoder.blocks = self.decoder.blocks[:blocks]
        width = options.decoder_channels[blocks - 1]
        deepest = cast(Sequence[int], whole.encoder.out_channels)[-1]
        self.outputs = nn.ModuleDict(
            {name: _last(output, width, deepest) for name, output in outputs.items()}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels, H / stride, W / stride) or (B, channels)}."""
        stages = self.encoder(image.expand(-1, self.channels, -1, -1))
        features = self.decoder(stages)
        return {
            name: output(stages[-1] if isinstance(output, _Whole) else features)
            for name, output in self.outputs.items()
        }


def _last(output: Output, width: int, deepest: int) -> nn.Module:
    if output.whole:
        return _Whole(deepest, output)
    layer = nn.Conv2d(width, output.channels, 3, padding=1)
    output.set_bias(layer)
    return layer


def build_unet(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int]
) -> nn.Module:
    """Build a U-Net from recipe options; it takes inputs of any size that its blocks can halve.

    Raises:
        RecipeError: an option is unknown or out of its range, or the weights do not fit.
    """
    checked = strict(Options, options, "[network]")
    if checked.output_stride not in SKIPPED:
        raise RecipeError(
            f"[network]: output_stride must be 1, 2 or 4, got {checked.output_stride}"
        )
    if checked.channels not in CHANNELS:
        raise RecipeError(f"[network]: channels must be 1 or 3, got {checked.channels}")
    if len(checked.decoder_channels) not in DEPTHS or min(checked.decoder_channels) < 1:
        raise RecipeError(
            "[network]: decoder_channels must be 3 to 5 positive numbers, "
            f"got {list(checked.decoder_channels)}"
        )
    return Unet(checked, outputs)
