"""The page as a program of its own, and reviewers as others:

python -m tests.serve.web.live serve DATA PORT
python -m tests.serve.web.live review ADDRESS EXAM WHO...
"""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]
API = "/api/v1"
HEADERS = {"X-Fetometry": "1"}

#: Edits of each reviewer.
EDITS = 10

START_S = 60


def serve(data, port):
    """Serve the page with the model of three painted planes until it is ended."""
    from fetometry import predict
    from fetometry.predict.predictor import Predictor
    from fetometry.serve.web.running import run
    from fetometry.serve.web.settings import WebSettings
    from tests.conftest import three_planes_engine, three_planes_info

    predict.load = lambda model, **_: Predictor(three_planes_info(), three_planes_engine(), False)
    run(WebSettings(data=Path(data), port=int(port)))


def review(address, exam, *names):
    """Let reviewers edit an exam at once; write the numbers that were acknowledged to each."""
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        done = pool.map(lambda name: reviewed(address, exam, name), names)
        sys.stdout.write(json.dumps(dict(zip(names, done, strict=True))))


def reviewed(address, exam, name):
    """Make the edits of one reviewer, and return the revisions that were acknowledged."""
    seen = []
    with httpx.Client(base_url=address, headers=HEADERS, timeout=60) as client:
        for number in range(EDITS):
            answer = client.post(f"{API}/exams/{exam}/edits", json={"edit": edit_of(name, number)})
            answer.raise_for_status()
            seen.append(answer.json()["revision"])
    return seen


def edit_of(name, number):
    """Return the edit of a reviewer that nobody else makes: its shape says whose it is."""
    who = int(name.rpartition(" ")[2])
    value = {
        "center_px": [135, 210],
        "semi_axes_px": [110 + number / 10, 86 + who / 100],
        "angle_deg": 20,
    }
    return {"action": "ellipse", "image": 0, "frame": 1, "value": value, "reviewer": name}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(*arguments, **more):
    """Start this file as a program."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.serve.web.live", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, **more)


@contextlib.contextmanager
def served(data, log):
    """Serve the page in another process; yield a client of it, its process, and its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with log.open("ab") as out, httpx.Client(base_url=address, headers=HEADERS, timeout=60) as page:
        running = program("serve", data, port, stdout=out, stderr=out)
        try:
            wait_for(page, running, log)
            yield page, running, address
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()


def wait_for(page, running, log):
    """Wait until the page answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and running.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if page.get(f"{API}/health").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"the page did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def measured(page, files):
    """Upload files, a name and a path each, and return the document once they are measured."""
    given = [("files", (name, path.read_bytes())) for name, path in files]
    answer = page.post(f"{API}/exams", files=given, data={"ga": "23w4d"})
    answer.raise_for_status()
    return settled(page, answer.json()["id"])


def settled(page, exam):
    """Return the document of an exam that is no longer being measured."""
    end = time.monotonic() + START_S
    while (document := page.get(f"{API}/exams/{exam}").json())["state"] == "measuring":
        assert time.monotonic() < end
        time.sleep(0.02)
    return document


if __name__ == "__main__":
    {"serve": serve, "review": review}[sys.argv[1]](*sys.argv[2:])
