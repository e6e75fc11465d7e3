"""What lies round the femur: thigh, trunk, legs, other bones. Points are (..., 3) in mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.geometry import Points
from fetometry.phantom.femur3d.shaft import Shaft
from fetometry.phantom.probe import Field

#: Radii of the thigh at hip and knee, of trunk and of the lower leg, in lengths of the shaft; by
#: eye, after the thigh of the femur's picture.
THIGH, TRUNK, LOWER_LEG = (0.40, 0.27), 0.75, (0.25, 0.15)

#: The room that the fluid leaves the thigh, in lengths of the shaft.
POCKET = (0.55, 0.95)

#: Radius of the cartilage at each end, in lengths of the shaft.
EPIPHYSIS = 0.13

#: Other bones: radius in lengths of the shaft.
THIN_BONE, OTHER_FEMUR = 0.035, 0.05


@dataclass(frozen=True)
class Rod:
    """A straight rod with round ends; `ends_mm` (2, 3), and its radius at each."""

    ends_mm: Points
    radii_mm: tuple[float, float]

    def distance(self, points_mm: Field) -> Field:
        """Return the distance (...) in mm from its surface, negative inside."""
        run = self.ends_mm[1] - self.ends_mm[0]
        square = max(float(run @ run), 1e-9)  # a ball has no length
        axes = [np.float32(step) for step in run]
        local = [points_mm[..., k] - np.float32(self.ends_mm[0, k]) for k in range(3)]
        share = sum((x * (step / np.float32(square)) for x, step in zip(local, axes, strict=True)))
        share = np.clip(share, 0, 1)
        away = sum(np.square(x - share * step) for x, step in zip(local, axes, strict=True))
        first, last = self.radii_mm
        return np.asarray(
            np.sqrt(away) - (np.float32(first) + share * np.float32(last - first)), np.float32
        )


@dataclass(frozen=True)
class Scene:
    """All that is laid down. `soft` are further parts of the fetus, and `bones` other bones."""

    shaft: Shaft
    thigh: Rod
    soft: tuple[Rod, ...]
    pocket: Rod
    cartilage: tuple[Rod, ...]
    bones: tuple[Rod, ...]
    wall_mm: float
    difficulty: float


def _unit(vector: Points) -> Points:
    return np.asarray(vector / np.linalg.norm(vector))


def _thigh(shaft: Shaft, rng: np.random.Generator) -> Rod:
    length, along = shaft.length_mm, shaft.axes[0]
    off = 0.06 * length * _unit(np.cross(along, rng.standard_normal(3)))
    ends = shaft.ends_mm + off + 0.05 * length * np.stack([-along, along])
    return Rod(ends, (THIGH[0] * length, THIGH[1] * length))


def _other_parts(shaft: Shaft, rng: np.random.Generator) -> tuple[Rod, Rod, Rod]:
    """Return trunk, lower leg and the other thigh, which lies deeper."""
    length, along = shaft.length_mm, shaft.axes[0]
    hip, knee = shaft.ends_mm
    away = _unit(np.cross(along, rng.standard_normal(3)))
    away *= 1 if away[1] >= 0 else -1  # nothing lies between the probe and the femur
    down = np.array([0.0, 1.0, 0.0])
    deeper = _unit(down - (down @ along) * along)
    trunk_at = hip + length * (-0.75 * along + 0.35 * deeper)
    trunk = np.stack([trunk_at, trunk_at + length * _unit(away + 0.4 * deeper)])
    bend = np.radians(rng.uniform(40, 110))
    shin = np.cos(bend) * along + np.sin(bend) * _unit(away + 0.7 * deeper)
    leg = np.stack(
        [knee + 0.18 * length * along, knee + 0.18 * length * along + 0.9 * length * shin]
    )
    apart = rng.uniform(0.75, 1.0) * deeper + rng.uniform(-0.2, 0.2) * away
    turned = _unit(along + 0.35 * rng.standard_normal(3))
    middle = (hip + knee) / 2 + length * apart
    other = np.stack([middle - 0.55 * length * turned, middle + 0.5 * length * turned])
    return (
        Rod(trunk, (TRUNK * length, TRUNK * length)),
        Rod(leg, (LOWER_LEG[0] * length, LOWER_LEG[1] * length)),
        Rod(other, (THIGH[0] * length, THIGH[1] * length)),
    )


def _inner(rod: Rod, start: float, stop: float, radius_mm: float) -> Rod:
    """Return a bone inside a limb, between two shares of its length."""
    run = rod.ends_mm[1] - rod.ends_mm[0]
    ends = np.stack([rod.ends_mm[0] + start * run, rod.ends_mm[0] + stop * run])
    return Rod(ends, (radius_mm, radius_mm))


def _bones(
    shaft: Shaft, parts: tuple[Rod, Rod, Rod], difficulty: float, rng: np.random.Generator
) -> tuple[Rod, ...]:
    """Return other bones, the more of them the harder: other femur, shin, pelvis, ribs."""
    length = shaft.length_mm
    trunk, leg, other = parts
    bones = [_inner(other, 0.12, 0.9, OTHER_FEMUR * length)]
    bones += [_inner(leg, 0.2, 0.95, THIN_BONE * length)]
    for _ in range(4):
        place = trunk.ends_mm[0] + rng.uniform(-0.35, 0.35, 3) * length
        run = 0.12 * length * rng.standard_normal(3)
        bones.append(Rod(np.stack([place - run, place + run]), (THIN_BONE * length,) * 2))
    return tuple(bones[: round(difficulty * len(bones))])


def draw_scene(shaft: Shaft, difficulty: float, rng: np.random.Generator) -> Scene:
    """Return a thigh round the shaft and what else a scan of it shows; harder shows more."""
    length, along = shaft.length_mm, shaft.axes[0]
    thigh = _thigh(shaft, rng)
    parts = _other_parts(shaft, rng)
    radius = EPIPHYSIS * length
    reach = 0.7 * radius * np.stack([-along, along])
    joints = [Rod(np.stack([at, at]), (radius, radius)) for at in shaft.ends_mm + reach]
    room = rng.uniform(*POCKET) * length
    highest = float((thigh.ends_mm[:, 1] - THIGH[0] * length).min())
    return Scene(
        shaft=shaft,
        thigh=thigh,
        soft=parts if difficulty > 0 else (),
        pocket=Rod(thigh.ends_mm, (room, room)),
        cartilage=tuple(joints),
        bones=_bones(shaft, parts, difficulty, rng),
        wall_mm=max(0.3 * highest, highest - rng.uniform(1.0, 6.0)),
        difficulty=difficulty,
    )
