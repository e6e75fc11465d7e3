"""What a head asks of a network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Output:
    """Maps (B, channels, h, w), or one vector (B, channels) for the `whole` image.

    `bias` is where its logits start: far below 0 for what is rare.
    """

    channels: int
    whole: bool = False
    bias: float = 0.0

    def set_bias(self, layer: nn.Conv2d | nn.Linear) -> None:
        """Start a last layer at the bias, where one is asked for."""
        if self.bias and layer.bias is not None:
            nn.init.constant_(layer.bias, self.bias)
