"""Where in a picture a network looks that tells a size as a number: at the head, or elsewhere?

A number without an outline may come from anywhere: from the head, or from a depth ruler at the
side of the picture, which tells how far the sonographer zoomed in. The gradient of the number by
the picture's grey values says which pixels it hangs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fetometry.errors import DataError, OutputError, RecipeError
from fetometry.geometry import Ellipse
from fetometry.training.data import Row, cache
from fetometry.training.fit import heads_of, load
from fetometry.training.gallery import together
from fetometry.training.recipe import Recipe

#: How often a picture is looked at, and by which share of its range it is made noisy.
SAMPLES, NOISE = 24, 0.1

#: The head reaches this share beyond the outer edge of the skull, which itself is the edge that
#: is measured: a gradient lies on both sides of it.
MARGIN = 0.15

#: The share of the picture's width at its left where a depth ruler stands.
RULER = 0.06

#: Rows and columns of one picture in the panel, and below it the room for text.
SIZE, STRIP = 256, 40
FONT, FONT_SIZE, TEXT = cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235)
#: Blue green red: what is salient, and the expert's ellipse.
SALIENT, EXPERT = (40, 184, 255), (255, 214, 92)


@dataclass(frozen=True)
class Saliency:
    """One picture (h, w) as the network gets it, and how much its number hangs on each pixel.

    `map` (h, w) sums to 1. `head`, `edge` and `ruler` are the shares of it on the head, on the
    edge of the head (part of it), and on the strip at the left, without the head.
    """

    row: Row
    picture: NDArray[np.uint8]
    map: NDArray[np.float64]
    ellipse: Ellipse

    def _level(self) -> NDArray[np.float64]:
        rows, cols = np.mgrid[: self.picture.shape[0], : self.picture.shape[1]]
        return self.ellipse.level(np.stack([rows, cols], axis=-1))

    @property
    def on_head(self) -> NDArray[np.bool_]:
        """The pixels (h, w) of the head."""
        return np.asarray(self._level() <= 1 + MARGIN)

    @property
    def on_edge(self) -> NDArray[np.bool_]:
        """The pixels (h, w) near the edge that is measured."""
        return np.asarray(np.abs(self._level() - 1) <= MARGIN)

    @property
    def on_ruler(self) -> NDArray[np.bool_]:
        """The pixels (h, w) at the left, where a ruler stands, that are none of the head's."""
        cols = np.arange(self.picture.shape[1]) < RULER * self.picture.shape[1]
        return np.asarray(cols[None, :] & ~self.on_head)

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the saliency, and of the picture's area, on head, edge and ruler."""
        parts = {"head": self.on_head, "edge": self.on_edge, "ruler": self.on_ruler}
        return {
            **{name: float(self.map[part].sum()) for name, part in parts.items()},
            **{f"{name} area": float(part.mean()) for name, part in parts.items()},
        }


def _size_output(run: Path, recipe: Recipe) -> str:
    for name, head in heads_of(run, recipe).items():
        if head.meaning()["kind"] == "size":
            return name
    raise RecipeError(f"{run}: has no output that tells a size; saliency is of a number")


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """Return so many rows whose ellipse is known, from small heads to large ones."""
    known = [row for row in rows if row.ellipse is not None]
    if not known:
        raise DataError("none of the images has a known ellipse; saliency is compared with it")
    known.sort(key=lambda row: row.ellipse.circumference if row.ellipse else 0.0)
    chosen = np.linspace(0, len(known) - 1, min(count, len(known)))
    return [known[k] for k in np.round(chosen).astype(int)]


def gradients(network: nn.Module, name: str, image: Tensor) -> Tensor:
    """Return how strongly one output hangs on each pixel of inputs (B, 1, h, w), as (B, h, w).

    The mean gradient over copies of the input with noise, without its sign.

    References:
        Smilkov D et al. SmoothGrad: removing noise by adding noise. arXiv:1706.03825 (2017).
    """
    rng = torch.Generator().manual_seed(0)
    spread = NOISE * (image.amax(dim=(1, 2, 3)) - image.amin(dim=(1, 2, 3)))[:, None, None, None]
    total = torch.zeros_like(image)
    for _ in range(SAMPLES):
        noisy = image + spread * torch.randn(image.shape, generator=rng)
        noisy.requires_grad_(True)
        # pictures do not mix in a network that is judged, so that one sum gives all gradients
        told = network(noisy)[name].sum()
        total += torch.autograd.grad(told, noisy)[0]
    return (total / SAMPLES).abs()[:, 0]


def saliency(run: Path, rows: Sequence[Row], count: int) -> list[Saliency]:
    """Return where a run's size output looks, in so many of the rows, from small heads to large.

    Raises:
        DataError: no row has a known ellipse.
        RecipeError: the folder holds no run, or none that tells a size.
    """
    recipe, network = load(run)
    name = _size_output(run, recipe)
    chosen = _spread(rows, count)
    stored = cache.build(chosen, recipe.input.size)
    grey = torch.from_numpy(stored.pixels).float()[:, None]  # (B, 1, h, w)
    image = (grey - recipe.input.mean) / recipe.input.std
    found = []
    for k, row in enumerate(chosen):
        level = gradients(network, name, image[k : k + 1])[0].double().numpy()
        if row.ellipse is not None:
            ellipse = row.ellipse.transformed(stored.matrices[k])
            weight = level / max(float(level.sum()), 1e-12)
            found.append(Saliency(row, stored.pixels[k], weight, ellipse))
    return found


def mean_shares(found: Sequence[Saliency]) -> dict[str, float]:
    """Return the mean over pictures of each of `Saliency.shares`."""
    return {name: float(np.mean([one.shares[name] for one in found])) for name in found[0].shares}


def _scaled(picture: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
    factor = SIZE / max(picture.shape[:2])
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _panel(one: Saliency) -> NDArray[np.uint8]:
    """Draw the picture with the expert's ellipse, beside it what is salient, the shares below."""
    plain = cv2.cvtColor(_scaled(one.picture, cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR)
    # the strongest hundredth of the pixels is drawn alike: one of them would hide the others
    top = max(float(np.quantile(one.map, 0.99)), 1e-12)
    strength = _scaled((255 * np.clip(one.map / top, 0, 1)).astype(np.uint8), cv2.INTER_LINEAR)
    share = strength[..., None].astype(np.float64) / 255
    lit = (plain * (1 - share) * 0.6 + np.array(SALIENT) * share).astype(np.uint8)
    factor = SIZE / max(one.picture.shape)
    outline = ((one.ellipse.points(240) + 0.5) * factor - 0.5)[:, ::-1]
    for shown in (plain, lit):
        cv2.polylines(shown, [np.round(outline).astype(np.int32)], True, EXPERT, 1, cv2.LINE_AA)
    strip = np.zeros((STRIP, plain.shape[1] + lit.shape[1], 3), np.uint8)
    shares = one.shares
    said = (
        f"{one.row.image.stem}: {shares['head']:.0%} on the head ({shares['head area']:.0%} of the "
        f"area)",
        f"{shares['edge']:.0%} at its edge ({shares['edge area']:.0%}), {shares['ruler']:.1%} on "
        f"the ruler's strip ({shares['ruler area']:.1%})",
    )
    for k, words in enumerate(said):
        cv2.putText(strip, words, (6, 15 + 17 * k), FONT, FONT_SIZE, TEXT, 1, cv2.LINE_AA)
    return np.vstack([np.hstack([plain, lit]), strip])


def write_saliency(
    run: Path, rows: Sequence[Row], path: Path, *, count: int = 6
) -> dict[str, float]:
    """Draw where a run looks in so many of the rows as a picture, and return the mean shares.

    Raises:
        DataError: no row has a known ellipse.
        OutputError: the file cannot be written there.
        RecipeError: the folder holds no run, or none that tells a size.
    """
    found = saliency(run, rows, count)
    shares = mean_shares(found)
    title = (
        f"what the number hangs on: {shares['head']:.0%} on the head, which is "
        f"{shares['head area']:.0%} of the picture; {shares['ruler']:.1%} on the ruler's strip, "
        f"{shares['ruler area']:.1%}"
    )
    picture = together(title, [_panel(one) for one in found])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    return shares


__all__ = ["Saliency", "gradients", "mean_shares", "saliency", "write_saliency"]
