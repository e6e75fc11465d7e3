"""A discriminator that asks whether a mask and two end points belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from fetometry.errors import RecipeError
from fetometry.training.heads.volumes import VolumeTruth
from fetometry.training.recipe import Adversary as Options

STRIDES = (2, 2, 1, 1, 1, 1)
#: A kernel of 4 cannot keep a size: it loses one voxel and wins it back in turns.
PADDINGS = (1, 1, 1, 2, 1, 2)
#: Channels of each layer, as multiples of the width; the paper does not print them.
WIDENING = (1, 2, 4, 4, 4, 4)
#: Of the leaky ReLU below 0.
SLOPE = 0.2


def _convolution(before: int, after: int, step: int, padding: int) -> nn.Conv3d:
    layer = nn.Conv3d(before, after, 4, step, padding)
    # six layers of torch's own start, without a norm, would leave nothing of the input
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    return layer


class PairDiscriminator(nn.Module):
    """Six convolutions of kernel 4, mean over the volume, one fully connected layer: a logit.

    It takes pairs (B, 3, d, h, w) of any size from 8 voxels on.

    References:
        Wang X et al. BHI 2019. Leaky ReLU of 0.2: Radford A et al. DCGAN. ICLR 2016. Start of the
        weights: He K et al. Delving deep into rectifiers. ICCV 2015.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [3, *(width * times for times in WIDENING)]
        layers: list[nn.Module] = []
        for (before, after), step, padding in zip(
            pairwise(channels), STRIDES, PADDINGS, strict=True
        ):
            layers += [_convolution(before, after, step, padding), nn.LeakyReLU(SLOPE)]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(channels[-1], 1)

    def forward(self, pair: Tensor) -> Tensor:
        """Map pairs (B, 3, d, h, w) to logits (B,): positive for real."""
        logit: Tensor = self.last(self.body(pair).mean(dim=(2, 3, 4)))
        return logit[:, 0]


def fake_pair(outputs: Mapping[str, Tensor]) -> Tensor:
    """Return (mask, heatmap 1, heatmap 2) (B, 3, d, h, w) of the network's outputs.

    The mask's logits become probabilities, as a real mask has them.
    """
    return torch.cat([torch.sigmoid(outputs["mask"]), outputs["ends"]], dim=1)


def real_pair(mask: Tensor, heatmaps: Tensor) -> Tensor:
    """Return the true mask (B, 1, d, h, w) and drawn ends (B, 2, d, h, w) as (B, 3, d, h, w)."""
    return torch.cat([mask.to(heatmaps.dtype), heatmaps], dim=1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -log D(real) - log(1 - D(fake)) of logits (B,), the mean over the batch.

    The paper prints 1 - log D(fake) for the last term, which a discriminator could raise for
    ever.

    References:
        Goodfellow I et al. Generative adversarial nets. NeurIPS 2014, Eq. 1.
    """
    return (functional.softplus(-real) + functional.softplus(fake)).mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    """Return -log D(fake) of logits (B,): a slope even where every fake is found out."""
    return functional.softplus(-fake).mean()


def saturating_loss(fake: Tensor) -> Tensor:
    """Return log(1 - D(fake)) of logits (B,): the generator's part of the game as it is defined."""
    return -functional.softplus(fake).mean()


GENERATOR_LOSSES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "non_saturating": non_saturating_loss,
    "saturating": saturating_loss,
}


@dataclass(frozen=True)
class Adversary:
    """The game's part in the generator's loss: its weight, and which form it has."""

    weight: float
    form: str = "non_saturating"

    def __post_init__(self) -> None:
        if self.form not in GENERATOR_LOSSES:
            raise RecipeError(
                f"unknown form {self.form!r} of the adversarial loss; "
                f"known: {', '.join(GENERATOR_LOSSES)}"
            )
        if self.weight < 0:
            raise RecipeError(f"the adversarial weight must not be negative, got {self.weight:g}")

    def loss(self, fake: Tensor) -> Tensor:
        """Return the weighted loss of the logits (B,) of fakes."""
        return self.weight * GENERATOR_LOSSES[self.form](fake)


def discriminator_step(
    discriminator: nn.Module, optimiser: Optimizer, real: Tensor, fake: Tensor
) -> Tensor:
    """Teach the discriminator one pair of batches (B, 3, d, h, w); return its loss before.

    The fakes are cut from the network that made them: it does not move.
    """
    optimiser.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(fake.detach()))
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def found_out(discriminator: nn.Module, fake: Tensor, adversary: Adversary) -> Tensor:
    """Return what being found out costs the network that made the fakes (B, 3, d, h, w).

    The discriminator passes the gradient on and gets none.
    """
    wanted = [weight.requires_grad for weight in discriminator.parameters()]
    discriminator.requires_grad_(False)
    try:
        return adversary.loss(discriminator(fake))
    finally:
        for weight, before in zip(discriminator.parameters(), wanted, strict=True):
            weight.requires_grad_(before)


@runtime_checkable
class Draws(Protocol):
    """A head that draws its truth as the network is to draw it."""

    def targets(self, heatmaps: Tensor, truth: VolumeTruth) -> Tensor:
        """Return the drawn ends (B, 2, d, h, w)."""


class Opponent(nn.Module):
    """A discriminator with its own optimiser: it learns, then judges, batch by batch."""

    def __init__(self, options: Options, ends: Draws) -> None:
        super().__init__()
        self.from_epoch, self.ends = options.from_epoch, ends
        self.adversary = Adversary(options.weight, options.form)
        self.discriminator = PairDiscriminator(options.width)
        # momentum as for most of these games: Radford A et al. ICLR 2016
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=options.learning_rate, betas=(0.5, 0.999)
        )

    def play(self, outputs: Mapping[str, Tensor], truth: VolumeTruth) -> tuple[Tensor, Tensor]:
        """Teach the discriminator a batch; return its loss before, and the network's weighted one.

        The network's loss carries a gradient to the outputs, the discriminator's does not.
        """
        fake = fake_pair({name: output.float() for name, output in outputs.items()})
        real = real_pair(truth.mask, self.ends.targets(fake[:, 1:].detach(), truth))
        lesson = discriminator_step(self.discriminator, self.optimiser, real, fake)
        return lesson, found_out(self.discriminator, fake, self.adversary)


def build_opponent(options: Options | None, heads: Mapping[str, Any]) -> Opponent | None:
    """Return the opponent that a recipe asks for, if it does.

    Raises:
        RecipeError: there is not both a mask and two ends to be judged, or the form is unknown.
    """
    if options is None:
        return None
    ends = heads.get("ends")
    if "mask" not in heads or not isinstance(ends, Draws):
        raise RecipeError(
            "[adversary] judges pairs: it needs the heads mask (solid) and ends (solid-ends)"
        )
    return Opponent(options, ends)
