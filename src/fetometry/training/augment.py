"""Augmentation: one affine map a picture, applied once, in batches, on the training device.

A batch of cached pictures (B, H, W) becomes network inputs (B, 1, h, w); the truth is mapped
by the very same matrices, and masks are drawn from it at the size they are needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.geometry import letterbox
from fetometry.training.recipe import Augment, Input


@dataclass(frozen=True)
class Ellipses:
    """A batch of ellipses {c + x : x' S^-1 x = 1}: centers (B, 2) and shapes (B, 2, 2)."""

    center: Tensor
    shape: Tensor

    def mapped(self, matrix: Tensor) -> Ellipses:
        """Return the ellipses under affine maps (B, 2, 3) of (row, col, 1)."""
        linear = matrix[:, :, :2]
        center = (linear @ self.center[:, :, None])[:, :, 0] + matrix[:, :, 2]
        return Ellipses(center, linear @ self.shape @ linear.mT)

    def distance(self, size: tuple[int, int], stride: int) -> Tensor:
        """Return how far (B, h, w) each output pixel lies outside, in input pixels; inside: < 0.

        Pixel i of an output of stride s stands at s i + (s - 1) / 2 of the input. Sampson's
        first-order distance, on the radius; no pixel is deeper inside than the short semi-axis.
        """
        x = grid(size, stride, self.center.device)[None] - self.center[:, None, None, :]
        gradient = torch.einsum("bhwi,bij->bhwj", x, torch.linalg.inv(self.shape))
        value = (x * gradient).sum(-1)
        slope = gradient.norm(dim=-1).clamp(min=1e-12)
        distance = (value - value.clamp(min=1e-12).sqrt()) / slope
        (rr, rc), (_, cc) = self.shape.permute(1, 2, 0)
        short = (rr + cc) / 2 - torch.hypot((rr - cc) / 2, rc)  # squared
        return torch.maximum(distance, -short.clamp(min=0).sqrt()[:, None, None])

    def draw(self, size: tuple[int, int], stride: int) -> Tensor:
        """Draw soft masks (B, 1, h, w): the share of each output pixel that lies inside.

        The share is the signed distance to the edge, clipped to half a pixel either side.
        """
        return (0.5 - self.distance(size, stride) / stride).clamp(0, 1)[:, None]


def mapped(points: Tensor, matrix: Tensor) -> Tensor:
    """Return points (B, N, 2) under affine maps (B, 2, 3) of (row, col, 1)."""
    moved: Tensor = points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]
    return moved


def grid(size: tuple[int, int], stride: int, device: torch.device) -> Tensor:
    """Return where the pixels (h, w, 2) of an output of a stride stand in the input."""
    rows, cols = (
        torch.arange(n // stride, device=device, dtype=torch.float32) * stride + (stride - 1) / 2
        for n in size
    )
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1)


def draw_bars(ends: Tensor, width: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Draw bars (B, 1, h, w) between ends (B, 2, 2), as wide (B,) as said, cut off square.

    A pixel's value is the share of it inside: the signed distance to the edge, clipped.
    """
    middle, half = ends.mean(dim=1), (ends[:, 1] - ends[:, 0]) / 2
    length = half.norm(dim=-1).clamp(min=1e-3)  # (B,)
    along = half / length[:, None]
    across = torch.stack([-along[:, 1], along[:, 0]], dim=-1)
    x = grid(size, stride, ends.device)[None] - middle[:, None, None, :]
    beyond_end = torch.einsum("bhwi,bi->bhw", x, along).abs() - length[:, None, None]
    beyond_side = torch.einsum("bhwi,bi->bhw", x, across).abs() - width[:, None, None] / 2
    distance = torch.maximum(beyond_end, beyond_side)
    return (0.5 - distance / stride).clamp(0, 1)[:, None]


def draw_spots(points: Tensor, sigma: float, size: tuple[int, int], stride: int) -> Tensor:
    """Draw one map (B, 1, h, w) with a Gaussian of height 1 at each of the points (B, N, 2)."""
    x = grid(size, stride, points.device)[None, None] - points[:, :, None, None, :]
    spots = torch.exp(-x.square().sum(-1) / (2 * sigma**2))  # (B, N, h, w)
    return spots.amax(dim=1, keepdim=True)


def identity(count: int, cache: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return maps (B, 2, 3) from cached pictures to inputs, without augmentation."""
    matrix = torch.as_tensor(letterbox(cache, size), dtype=torch.float32)
    return matrix.expand(count, 2, 3).clone()


def random_maps(
    count: int, cache: tuple[int, int], recipe: tuple[Input, Augment], rng: torch.Generator
) -> Tensor:
    """Return random maps (B, 2, 3) from cached pictures to inputs: flip, rotate, scale, shift."""
    size, augment = recipe[0].size, recipe[1]

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=rng)

    turned = uniform(-augment.rotate_deg, augment.rotate_deg)
    if augment.rotate_step_deg:
        turned = (turned / augment.rotate_step_deg).round() * augment.rotate_step_deg
    angle = torch.deg2rad(turned)
    zoom = torch.exp(uniform(*(math.log(s) for s in augment.scale)))
    mirror = torch.ones(count, 2)
    if augment.flip:
        mirror -= 2.0 * torch.randint(0, 2, (count, 2), generator=rng)
    if augment.mirror:
        mirror[:, 1] *= 1 - 2.0 * torch.randint(0, 2, (count,), generator=rng)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], dim=-2)
    linear = turn * mirror[:, None, :]  # (B, 2, 2)
    extent = torch.tensor(size, dtype=torch.float32)
    shift = torch.stack([uniform(-augment.shift, augment.shift) for _ in range(2)], -1) * extent
    center = (extent - 1) / 2
    about = center + shift - (linear @ center[:, None])[:, :, 0]
    random = torch.cat([linear, about[:, :, None]], dim=-1)
    return compose(random, identity(count, cache, size))


def whole(ellipses: Ellipses, size: tuple[int, int]) -> Tensor:
    """Tell (B,) which of the ellipses lie in the input with all of their outline."""
    reach = torch.diagonal(ellipses.shape, dim1=1, dim2=2).sqrt()  # half height, half width
    last = torch.tensor(size, device=reach.device) - 0.5
    low, high = ellipses.center - reach, ellipses.center + reach
    return ((low >= -0.5) & (high <= last)).all(dim=1)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Return the map (B, 2, 3) that applies `inner` first and then `outer`."""
    linear = outer[:, :, :2] @ inner[:, :, :2]
    shift = outer[:, :, :2] @ inner[:, :, 2:] + outer[:, :, 2:]
    return torch.cat([linear, shift], dim=-1)


def warp(pixels: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample pictures (B, H, W) under maps (B, 2, 3) into (B, 1, h, w); black outside."""
    inverse = torch.linalg.inv(matrix[:, :, :2])
    back = torch.cat([inverse, -inverse @ matrix[:, :, 2:]], dim=-1)
    rows, cols = (torch.arange(n, dtype=matrix.dtype, device=matrix.device) for n in size)
    grid = torch.stack(
        [*torch.meshgrid(rows, cols, indexing="ij"), torch.ones(size, device=matrix.device)], -1
    )
    source = torch.einsum("bij,hwj->bhwi", back, grid)  # (B, h, w, 2) as (row, col)
    extent = torch.tensor(pixels.shape[1:], dtype=matrix.dtype, device=matrix.device)
    # grid_sample takes (x, y) in -1..1 from edge to edge of the picture
    normal = ((2 * source + 1) / extent - 1).flip(-1)
    return functional.grid_sample(
        pixels[:, None].to(matrix.dtype), normal, mode="bilinear", align_corners=False
    )


def photometric(image: Tensor, augment: Augment, rng: torch.Generator) -> Tensor:
    """Change gamma, gain, sharpness and noise of inputs (B, 1, h, w) in 0 to 255."""
    count = len(image)

    def uniform(low: float, high: float) -> Tensor:
        drawn = low + (high - low) * torch.rand(count, generator=rng)
        return drawn[:, None, None, None].to(image.device)

    image = (image / 255).clamp(0, 1) ** torch.exp(uniform(*(math.log(g) for g in augment.gamma)))
    if augment.blur_px > 0:
        sigma = uniform(0, augment.blur_px) * (uniform(0, 1) > 0.5)
        image = _blur(image, sigma.flatten().clamp(min=1e-3))
    image = image * torch.exp(uniform(*(math.log(g) for g in augment.gain)))
    if augment.noise > 0:
        grain = torch.randn(image.shape, generator=rng).to(image.device)
        # speckle noise grows with the signal; the black around the sector stays black
        image = image + grain * uniform(0, augment.noise) * image.clamp(min=0).sqrt()
    return image.clamp(0, 1) * 255


def _blur(image: Tensor, sigma: Tensor) -> Tensor:
    reach = 4
    x = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (x / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)  # (B, 9)
    batch = image.transpose(0, 1)  # (1, B, h, w): one group a picture
    count = len(kernel)
    for shape in ((count, 1, 2 * reach + 1, 1), (count, 1, 1, 2 * reach + 1)):
        padding = (shape[2] // 2, shape[3] // 2)
        batch = functional.conv2d(batch, kernel.reshape(shape), padding=padding, groups=count)
    return batch.transpose(0, 1)
