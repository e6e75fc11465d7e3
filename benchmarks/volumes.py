"""Seconds and memory of measuring a volume, small and full: `fetometry measure F.nii.gz`.

    python benchmarks/volumes.py [--size small full] [--model MODEL] [--threads 2]

A clinical phantom of each size is written to a temporary folder, and measured there with all
outputs by a process of its own, so that the peak memory is the command's own. The prediction alone
is timed in this process, on the same volume, after a first one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fetometry import predict
from fetometry.image import read_volume
from fetometry.phantom import SIZES, FemurVolumeSpec, femur3d, write_volume

#: What a child prints last: its peak memory, in kB.
CHILD = (
    "import resource, sys; from fetometry.cli import main\n"
    "try:\n    main()\nfinally:\n"
    "    print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def command(path: Path, out: Path, model: str) -> tuple[float, float]:
    """Run the command on one volume; return seconds and peak MB."""
    arguments = ["measure", str(path), "--model", model, "--out", str(out)]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    peaks = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PEAK")]
    if done.returncode or not peaks:
        raise SystemExit(done.stderr or done.stdout)
    return taken, int(peaks[0]) / 1024


def predicting(path: Path, model: str) -> float:
    """Return the seconds of the prediction alone, after a first one."""
    predictor, volume = predict.load_volumes(model, device="cpu"), read_volume(path)
    predictor.predict(volume)
    began = time.perf_counter()
    predictor.predict(volume)
    return time.perf_counter() - began


def row(size: str, model: str, folder: Path) -> str:
    """Make and measure one volume, and return the row of the table."""
    shape, voxel_mm = SIZES[size]
    path = folder / f"{size}.nii.gz"
    write_volume(femur3d(FemurVolumeSpec(shape=shape, voxel_mm=voxel_mm)), path)
    seconds, peak_mb = command(path, folder / f"{size}-out", model)
    sides = " x ".join(map(str, shape))
    return (
        f"| {size} | {sides} | {voxel_mm:g} | {seconds:.1f} | {predicting(path, model):.1f} | "
        f"{peak_mb:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs="+", choices=sorted(SIZES), default=["small", "full"])
    parser.add_argument("--model", default=predict.default_volume_model())
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    print("| size | voxels | mm | command, s | prediction alone, s | peak MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.size:
            print(row(size, asked.model, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
