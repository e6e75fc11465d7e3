"""A volume phantom as files: NIfTI, MetaImage or NRRD, with its mask and its truth beside it."""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import OutputError, UsageError
from fetometry.phantom.femur3d.scan import FemurVolumePhantom
from fetometry.phantom.truth import TRUTH_SCHEMA
from fetometry.volume import Volume

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")


def volume_suffix(path: Path) -> str:
    """Return the ending of a volume's name, as written.

    Raises:
        UsageError: it is none that can be written.
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[-len(suffix) :]
    raise UsageError(f"the file must end in {', '.join(SUFFIXES)}, got {path}")


def beside(path: Path, what: str) -> Path:
    """Return where what belongs to the volume at `path` is written: NAME.WHAT."""
    return path.with_name(path.name[: -len(volume_suffix(path))] + f".{what}")


def volume_truth(phantom: FemurVolumePhantom) -> dict[str, object]:
    """Return what is true of the phantom, ready for JSON; points are (slice, row, col)."""
    return {
        "schema": TRUTH_SCHEMA,
        "plane": phantom.plane,
        **phantom.facts,
        "shape": list(phantom.volume.shape),
        "spacing_mm": list(phantom.volume.known_spacing_mm),
        "seed": phantom.spec.seed,
    }


def simpleitk() -> Any:
    """Return the library that writes volumes.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import SimpleITK
    except ModuleNotFoundError:
        raise UsageError(
            "volumes need SimpleITK, which is not installed: pip install 'fetometry[volume]'"
        ) from None
    return SimpleITK


def _image(itk: Any, voxels: NDArray[np.uint8], volume: Volume) -> Any:
    """Return voxels (D, H, W) as an image, whose axes are turned round: (x, y, z)."""
    image = itk.GetImageFromArray(voxels)
    image.SetSpacing(volume.known_spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.axes[::-1].T.ravel().tolist())
    return image


def write_volume(phantom: FemurVolumePhantom, path: Path) -> None:
    """Write the volume, and NAME.mask and NAME.truth.json beside it: all three or none.

    The mask has the ending of the volume. Files are written under new names first, then renamed.

    Raises:
        UsageError: the ending is none of a volume, or SimpleITK is not installed.
        OutputError: the folder is missing or cannot be written.
    """
    suffix, itk = volume_suffix(path), simpleitk()
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first")
    mark = secrets.token_hex(4)
    targets = (path, beside(path, f"mask{suffix}"), beside(path, "truth.json"))
    partial = [
        target.with_name(f".{mark}{k}{end}")
        for k, (target, end) in enumerate(zip(targets, (suffix, suffix, ".json"), strict=True))
    ]
    try:
        for voxels, name in zip((phantom.volume.voxels, phantom.mask), partial, strict=False):
            itk.WriteImage(_image(itk, voxels.astype(np.uint8), phantom.volume), str(name), True)
        partial[2].write_text(json.dumps(volume_truth(phantom), indent=2) + "\n", encoding="utf-8")
        for name, target in zip(partial, targets, strict=True):
            name.replace(target)
    except (OSError, RuntimeError) as error:  # SimpleITK knows no error but RuntimeError
        reason = getattr(error, "strerror", None) or "SimpleITK could not write it"
        raise OutputError(
            f"{path}: cannot be written ({reason}); give a file in a folder that exists and that "
            "you may write to"
        ) from error
    finally:
        for name in partial:
            with contextlib.suppress(OSError):
                name.unlink(missing_ok=True)
