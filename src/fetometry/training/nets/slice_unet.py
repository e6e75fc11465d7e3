"""A U-Net that sees a volume slice by slice: it finds the region of interest (Unet-ROI)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from fetometry.training.nets.output import Output
from fetometry.training.nets.plain_unet import build_plain_unet


class SliceUnet(nn.Module):
    """A plain U-Net on every slice of a volume; no slice knows of its neighbours.

    References:
        Wang X et al. Joint segmentation and landmark localization of fetal femur in ultrasound
        volumes. BHI 2019, section II.A.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, volume: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, d, h, w) to {name: (B, channels, d, h, w)}."""
        _, _, depth, rows, cols = volume.shape
        slices = volume.reshape(-1, 1, rows, cols)  # one channel: slices follow each other
        found: dict[str, Tensor] = self.network(slices)
        return {
            name: maps.reshape(-1, depth, maps.shape[1], rows, cols).transpose(1, 2)
            for name, maps in found.items()
        }


def build_slice_unet(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int, int]
) -> nn.Module:
    """Build a plain U-Net for the slices of windows (d, h, w); the options are `plain_unet`'s.

    Raises:
        RecipeError: `plain_unet` does not take options, outputs or size.
    """
    return SliceUnet(build_plain_unet(options, outputs, (size[1], size[2])))
