"""How soon the page shows a picture and numbers of an exam, from the drop of its three files.

    python benchmarks/page_speed.py [--runs 3]

A real `fetometry serve` and Debian's Chromium, without a window, on the same machine: they share
its cores. The server has loaded its model, as it has when a person opens the page. Every run is an
empty page. A picture counts once it is decoded and on the page; the weight needs the numbers of
all three images. Needs playwright and chromium.
"""

import argparse
import base64
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from playwright.sync_api import Browser, sync_playwright

from fetometry import phantom

HOST = "127.0.0.1"
SERVE = [sys.executable, "-c", "from fetometry.cli import main; main()", "serve", "--no-open"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_S = 60

#: Drops files, looks at every frame of the screen, and returns ms of: images listed, the first
#: picture, the first number, the weight.
DROP = """async (files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], name));
  }
  const there = {
    thumbnails: () => document.querySelector(".thumb"),
    picture: () => {
      const image = document.getElementById("picture");
      return !image.hidden && image.complete && image.naturalWidth > 0;
    },
    number: () => document.querySelector("#readout .value"),
    weight: () => document.querySelector("tr[data-key=EFW] .value"),
  };
  const found = {};
  const began = performance.now();
  dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  while (Object.keys(found).length < Object.keys(there).length) {
    await new Promise(requestAnimationFrame);
    for (const [name, look] of Object.entries(there)) {
      if (!(name in found) && look()) found[name] = performance.now() - began;
    }
    if (performance.now() - began > 60000) break;
  }
  return found;
}"""

STAGES = {
    "thumbnails": "the images are listed",
    "picture": "first meaningful picture",
    "number": "first numbers",
    "weight": "all numbers, with the weight",
}


def three_planes(folder: Path) -> list[tuple[str, str]]:
    """Return the name and the content, base64, of the files of one exam."""
    files = []
    for made in (
        phantom.head(phantom.HeadSpec()),
        phantom.abdomen(phantom.AbdomenSpec()),
        phantom.femur(phantom.FemurSpec()),
    ):
        path = folder / f"{made.plane}.dcm"
        phantom.write_dicom(made, path, study="speed")
        files.append((path.name, base64.b64encode(path.read_bytes()).decode()))
    return files


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run a server on a folder of its own, and yield its address."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    address = f"http://{HOST}:{port}"
    said = ["--port", str(port), "--data", str(folder)]
    env = {name: value for name, value in os.environ.items() if name != "FETOMETRY_TOKEN"}
    server = subprocess.Popen(
        [*SERVE, *said], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + START_S
        while not answers(address):
            if server.poll() is not None or time.monotonic() > end:
                sys.exit("the server did not start")
            time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address: str) -> bool:
    """Tell whether the server answers."""
    try:
        with urllib.request.urlopen(f"{address}/api/v1/health"):
            return True
    except URLError:
        return False


def once(browser: Browser, address: str, files: list[tuple[str, str]]) -> dict[str, float]:
    """Return the seconds to each stage on an empty page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.locator("#choose-files").wait_for(state="attached")
    found = page.evaluate(DROP, [list(one) for one in files])
    context.close()
    return {stage: found.get(stage, float("nan")) / 1000 for stage in STAGES}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        files = three_planes(Path(name))
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with served(Path(name) / "data") as address:
            runs = [once(browser, address, files) for _ in range(asked.runs)]
        browser.close()
    print(f"{os.cpu_count()} cores, {asked.runs} runs, an exam of three images")
    print("| from the drop of the files to | median, s | slowest, s |")
    print("|---|---|---|")
    for stage, words in STAGES.items():
        taken = [run[stage] for run in runs]
        print(f"| {words} | {statistics.median(taken):.2f} | {max(taken):.2f} |")


if __name__ == "__main__":
    main()
