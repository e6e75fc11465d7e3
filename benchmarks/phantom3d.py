"""Seconds and memory of a 3D femur phantom, small and full.

    python benchmarks/phantom3d.py [--size small full]

Each size runs in a process of its own, so that the peak memory is its own. Seconds of the clock
and of the processor are both given: on a busy machine they differ.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from fetometry.phantom import SIZES, FemurVolumeSpec, femur3d


def measure(size: str) -> str:
    """Make one clinical phantom, and return the row of the table."""
    shape, voxel_mm = SIZES[size]
    spec = FemurVolumeSpec(shape=shape, voxel_mm=voxel_mm)
    clock, processor = time.perf_counter(), time.process_time()
    femur3d(spec)
    seconds = time.perf_counter() - clock, time.process_time() - processor
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sides, samples = (" x ".join(map(str, n)) for n in (shape, spec.probe.grid().shape))
    return (
        f"| {size} | {sides} | {voxel_mm:g} | {samples} | {seconds[0]:.1f} | {seconds[1]:.1f} | "
        f"{peak_mb:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs="+", choices=sorted(SIZES), default=["small", "full"])
    parser.add_argument("--row", choices=sorted(SIZES), help="one row, in this process")
    asked = parser.parse_args()
    if asked.row:
        print(measure(asked.row))
        return
    print("| size | voxels | mm | samples of the beams | s | CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for size in asked.size:
        subprocess.run([sys.executable, __file__, "--row", size], check=True)


if __name__ == "__main__":
    main()
