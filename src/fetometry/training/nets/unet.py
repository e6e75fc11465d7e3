"""U-Net with any encoder of segmentation-models-pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.pretrained import load_encoder
from fetometry.training.recipe import strict

#: output stride -> how many of the decoder's last blocks are left out
SKIPPED = {1: 0, 2: 1, 4: 2}

#: how many blocks an encoder can have
DEPTHS = range(3, 6)


@dataclass(frozen=True)
class Options:
    """Encoder by its library name, where its weights come from, and the decoder's size.

    `output_stride` 1, 2 or 4: how much coarser than the input the output is; blocks of the
    decoder beyond it are left out. `decoder_channels` counts from the deepest block.
    """

    encoder: str
    encoder_weights: str = "none"
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    output_stride: int = 1


class Unet(nn.Module):
    """Encoder, decoder, and one 3x3 convolution for each output.

    References:
        Ronneberger O, Fischer P, Brox T. U-Net. MICCAI 2015, 234-241.
    """

    def __init__(self, options: Options, outputs: Mapping[str, int]) -> None:
        super().__init__()
        try:
            whole = smp.Unet(
                options.encoder,
                encoder_weights=None,
                in_channels=1,
                decoder_channels=options.decoder_channels,
                encoder_depth=len(options.decoder_channels),
            )
        except (KeyError, RuntimeError) as error:  # the library's words for an unknown name
            raise RecipeError(f"[network]: encoder {options.encoder!r}: {error}") from None
        self.encoder = load_encoder(whole.encoder, options)
        self.decoder = whole.decoder
        blocks = len(options.decoder_channels) - SKIPPED[options.output_stride]
        self.decoder.blocks = self.decoder.blocks[:blocks]
        width = options.decoder_channels[blocks - 1]
        self.outputs = nn.ModuleDict(
            {name: nn.Conv2d(width, channels, 3, padding=1) for name, channels in outputs.items()}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, H, W) to {name: (B, channels, H / stride, W / stride)}."""
        features = self.decoder(self.encoder(image))
        return {name: output(features) for name, output in self.outputs.items()}


def build_unet(options: Mapping[str, object], outputs: Mapping[str, int]) -> nn.Module:
    """Build a U-Net from recipe options.

    Raises:
        RecipeError: an option is unknown or out of its range, or the weights do not fit.
    """
    checked = strict(Options, options, "[network]")
    if checked.output_stride not in SKIPPED:
        raise RecipeError(
            f"[network]: output_stride must be 1, 2 or 4, got {checked.output_stride}"
        )
    if len(checked.decoder_channels) not in DEPTHS or min(checked.decoder_channels) < 1:
        raise RecipeError(
            "[network]: decoder_channels must be 3 to 5 positive numbers, "
            f"got {list(checked.decoder_channels)}"
        )
    return Unet(checked, outputs)
