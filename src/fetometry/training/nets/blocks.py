"""What several networks are built of."""

from __future__ import annotations

from torch import nn

from fetometry.training.nets.output import Output


def double_convolution(given: int, made: int) -> nn.Sequential:
    """Two times 3x3 convolution, batch norm, ReLU; no bias, which the norm would take away."""
    layers: list[nn.Module] = []
    for channels in (given, made):
        layers += [
            nn.Conv2d(channels, made, 3, padding=1, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def last_map(output: Output, width: int) -> nn.Conv2d:
    """One 1x1 convolution from the last features to a map."""
    layer = nn.Conv2d(width, output.channels, 1)
    output.set_bias(layer)
    return layer
