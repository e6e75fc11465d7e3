"""Mask and end points of a femur in a volume, from one shared encoder (Wang et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fetometry.errors import RecipeError
from fetometry.training.nets.output import Output
from fetometry.training.recipe import strict

#: What the network can be asked for, and the output that answers it.
BRANCHES: Mapping[str, str] = {"segmentation": "mask", "localisation": "ends"}

#: How often each branch halves the volume: the localisation branch goes one level deeper.
HALVINGS: Mapping[str, int] = {"segmentation": 2, "localisation": 3}

NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.InstanceNorm3d(channels, affine=True),
    "batch": nn.BatchNorm3d,
}


@dataclass(frozen=True)
class Options:
    """Channels of the first level, doubled at each halving, and whether branches are crossed.

    The paper prints neither the widths nor the normalisation of its 3D networks (of its 2D one,
    batch norm). A volume fills the memory of a device, so that a batch is one volume: `norm`
    "instance" then trains and measures with the same statistics, which "batch" does not.
    """

    width: int = 16
    cross: bool = False
    norm: str = "instance"


def _conv(before: int, after: int, norm: str) -> list[nn.Module]:
    """3x3x3 convolution, norm, ReLU; the norm brings the bias."""
    conv = nn.Conv3d(before, after, 3, padding=1, bias=False)
    return [conv, NORMS[norm](after), nn.ReLU(inplace=True)]


def _twice(before: int, after: int, norm: str) -> nn.Sequential:
    return nn.Sequential(*_conv(before, after, norm), *_conv(after, after, norm))


class _Up(nn.Module):
    """One level up: twice the size, beside what else has that size."""

    def __init__(self, below: int, beside: int, width: int, norm: str) -> None:
        super().__init__()
        self.larger = nn.Sequential(
            nn.ConvTranspose3d(below, width, 3, 2, padding=1, output_padding=1, bias=False),
            NORMS[norm](width),
            nn.ReLU(inplace=True),
        )
        self.body = _twice(width + beside, width, norm)

    def forward(self, deep: Tensor, *beside: Tensor) -> Tensor:
        features: Tensor = self.body(torch.cat([self.larger(deep), *beside], dim=1))
        return features


class Femur3d(nn.Module):
    """Mask logits (B, 1, d, h, w) and heatmaps (B, 2, d, h, w), of the input's size.

    Levels 1, 2 and 3 (strides 1, 2 and 4) of the encoder are shared. The segmentation decoder
    has a long skip at levels 2 and 1. The localisation branch halves once more, comes back to
    level 3 with its one skip, and decodes without further skips. Crossed, its level 3 goes into
    the segmentation decoder, and levels 2 and 1 of that decoder into its own; all by
    concatenation. The heatmaps are as they are, without a sigmoid: a regression.

    References:
        Wang X et al. Joint segmentation and landmark localization of fetal femur in ultrasound
        volumes. BHI 2019.
    """

    def __init__(self, options: Options, branches: Sequence[str]) -> None:
        super().__init__()
        one, two, three, four = (options.width * 2**level for level in range(4))
        norm, self.cross, self.branches = options.norm, options.cross, tuple(branches)
        self.encoder = nn.ModuleList(
            _twice(before, after, norm) for before, after in ((1, one), (one, two), (two, three))
        )
        self.pool = nn.MaxPool3d(2)
        self.segmentation, self.localisation = nn.ModuleDict(), nn.ModuleDict()
        if "segmentation" in self.branches:
            deepest = three + (three if self.cross else 0)
            self.segmentation["two"] = _Up(deepest, two, two, norm)
            self.segmentation["one"] = _Up(two, one, one, norm)
            self.segmentation["last"] = nn.Conv3d(one, 1, 3, padding=1)
        if "localisation" in self.branches:
            self.localisation["four"] = _twice(three, four, norm)
            self.localisation["three"] = _Up(four, three, three, norm)
            self.localisation["two"] = _Up(three, two if self.cross else 0, two, norm)
            self.localisation["one"] = _Up(two, one if self.cross else 0, one, norm)
            last = nn.Conv3d(one, 2, 3, padding=1)
            # heatmaps are empty but for two spots: a start at random costs the first hundred steps
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.get_parameter("bias"))
            self.localisation["last"] = last

    def forward(self, volume: Tensor) -> dict[str, Tensor]:
        """Map (B, 1, d, h, w) to {"mask": (B, 1, d, h, w), "ends": (B, 2, d, h, w)}."""
        one = self.encoder[0](volume)
        two = self.encoder[1](self.pool(one))
        three = self.encoder[2](self.pool(two))
        outputs: dict[str, Tensor] = {}
        beside: tuple[list[Tensor], list[Tensor]] = ([], [])
        fused = three
        if self.localisation:
            fused = self.localisation["three"](self.localisation["four"](self.pool(three)), three)
        if self.segmentation:
            deep = torch.cat([three, fused], dim=1) if self.cross else three
            at_two = self.segmentation["two"](deep, two)
            at_one = self.segmentation["one"](at_two, one)
            outputs["mask"] = self.segmentation["last"](at_one)
            beside = ([at_two], [at_one]) if self.cross else beside
        if self.localisation:
            at_two = self.localisation["two"](fused, *beside[0])
            at_one = self.localisation["one"](at_two, *beside[1])
            outputs["ends"] = self.localisation["last"](at_one)
        return outputs


def build_femur3d(
    options: Mapping[str, object], outputs: Mapping[str, Output], size: tuple[int, int, int]
) -> Femur3d:
    """Build the network from recipe options, with a branch for each output that is asked for.

    With "mask" alone it is Unet-S, with "ends" alone Unet-L, with both BRN, and crossed BRNDC. It
    takes any other size that is a multiple of the stride just as well.

    Raises:
        RecipeError: an option is unknown or out of its range, an output is none of its branches',
            or the size cannot be halved so often.
    """
    checked = strict(Options, options, "[network]")
    branches = tuple(branch for branch, name in BRANCHES.items() if name in outputs)
    _check(checked, branches, outputs)
    step = stride(branches)
    # a norm over one voxel has no spread
    if any(length % step or length < 2 * step for length in size):
        raise RecipeError(
            f"[input]: {' and '.join(branches)} need sizes that are multiples of {step}, "
            f"at least {2 * step}, got {list(size)}"
        )
    return Femur3d(checked, branches)


def stride(branches: Sequence[str]) -> int:
    """Return of what number the sizes must be multiples."""
    return 1 << max(HALVINGS[branch] for branch in branches)


#: How many maps each output is.
CHANNELS: Mapping[str, int] = {"mask": 1, "ends": 2}


def _check(options: Options, branches: Sequence[str], outputs: Mapping[str, Output]) -> None:
    for name, output in outputs.items():
        if CHANNELS.get(name) != output.channels or output.whole:
            raise RecipeError(
                f"[heads.{name}]: femur3d has a head of solids called mask and one of solid-ends "
                "called ends, or one of the two"
            )
    if options.cross and len(branches) < 2:
        raise RecipeError(
            f"[network]: cross needs the heads mask and ends, got {', '.join(outputs)}; set "
            "cross = false, or add the other head"
        )
    if options.width < 1:
        raise RecipeError(f"[network]: width must be 1 or more, got {options.width}")
    if options.norm not in NORMS:
        raise RecipeError(f"[network]: unknown norm {options.norm!r}; known: {', '.join(NORMS)}")
