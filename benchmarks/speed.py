"""How long measuring takes, and where the time goes, as ratios to the network's own time.

    python benchmarks/speed.py [--images 40] [--device cpu]

Pictures are phantoms, so that anybody can run it. The plain session is the limit: the same
network on the same inputs with nothing around it. Times are medians; machines are noisy, so
compare only numbers of one run.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fetometry import phantom, pipeline, predict, report
from fetometry.image import read
from fetometry.measure import measure_head
from fetometry.predict.canvas import to_canvas


def timed(work: Callable[[], object], times: int) -> float:
    """Return the median time of a piece of work, in ms."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def stages(path: Path, device: str, times: int, folder: Path) -> dict[str, float]:
    """Return the time of every stage on one picture, in ms."""
    predictor = predict.load(predict.default_model("head"), device=device)
    image = next(iter(read(path)))
    size = predictor.info.size
    canvas = to_canvas(image.pixels, size)[None, None].astype(np.float32)
    batch = (canvas - np.float32(predictor.info.mean)) / np.float32(predictor.info.std)
    maps = predictor.maps([image])[0]
    prediction = predictor.decode(image, maps)
    spacing = image.spacing_at(prediction.outline_px)
    finding = measure_head(image, prediction, spacing)

    def normalised() -> object:
        drawn = to_canvas(image.pixels, size)[None, None].astype(np.float32)
        return (drawn - predictor.info.mean) / predictor.info.std

    return {
        "reading": timed(lambda: list(read(path)), times),
        "letterbox": timed(normalised, times),
        "network (plain session)": timed(lambda: predictor.engine.run(batch), times),
        "outline, ellipse, millimetres": timed(
            lambda: measure_head(image, predictor.decode(image, maps), spacing), times
        ),
        "drawing the overlay": timed(
            lambda: report.write_overlay(finding, image.pixels, folder / "o.png"), times
        ),
    }


def end_to_end(paths: list[Path], device: str, folder: Path) -> float:
    """Return images a second through the whole pipeline, overlays and tables written."""
    settings = pipeline.Settings(device=device)
    _ = settings.predictor
    began = time.perf_counter()
    results = []
    for number, result in enumerate(pipeline.measure_files(paths, settings)):
        if result.finding and result.picture is not None:
            report.write_overlay(result.finding, result.picture, folder / f"{number}.png")
        results.append(result)
    report.write(pipeline.assemble(results, settings), folder, ("json", "csv"))
    return len(paths) / (time.perf_counter() - began)


def from_command(path: Path, device: str, folder: Path) -> float:
    """Return seconds from the command's start to all files written, in a new process."""
    command = [sys.executable, "-c", "from fetometry.cli import main; main()", "measure"]
    command += [str(path), "--out", str(folder / "cli"), "--device", device]
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def three_planes(folder: Path) -> Path:
    """Write the phantoms of one exam into a folder, and return it."""
    folder.mkdir()
    for made in (
        phantom.head(phantom.HeadSpec()),
        phantom.abdomen(phantom.AbdomenSpec()),
        phantom.femur(phantom.FemurSpec()),
    ):
        phantom.write_dicom(made, folder / f"{made.plane}.dcm", study="speed")
    return folder


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = []
        for seed in range(4):
            path = folder / f"head{seed}.dcm"
            phantom.write_dicom(phantom.head(phantom.HeadSpec(seed=seed)), path)
            paths.append(path)
        found = stages(paths[0], asked.device, 15, folder)
        network = found["network (plain session)"]
        print("| stage | ms | share of the network's |")
        print("|---|---|---|")
        for stage, ms in found.items():
            print(f"| {stage} | {ms:.1f} | {ms / network:.2f} |")
        around = sum(found.values()) - network
        print(f"| all but the network | {around:.1f} | {around / network:.2f} |")
        many = (paths * asked.images)[: asked.images]
        rate = end_to_end(many, asked.device, folder)
        print(f"\nend to end: {rate:.1f} images/s; plain session: {1000 / network:.1f} images/s")
        print(f"from command to first result: {from_command(paths[0], asked.device, folder):.2f} s")
        taken = from_command(three_planes(folder / "exam"), asked.device, folder)
        print(f"an exam of three images, from command to files: {taken:.2f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory: {peak:.0f} MB")


if __name__ == "__main__":
    main()
