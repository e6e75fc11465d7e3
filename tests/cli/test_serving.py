"""`fetometry serve` says where the page is, once it is there; a failure comes alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from fetometry.cli import main; main()", "serve", "--no-open"]
TOKEN = "a token of thirty-two letters ok"


@pytest.fixture
def taken():
    """A port that somebody has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def started(*options, **environment):
    said = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [*COMMAND, *map(str, options)],
        cwd=ROOT, env=said, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_it_says_where_the_page_is_once_it_answers(tmp_path):
    port = free_port()
    running = started("--data", tmp_path / "data", "--port", port)
    try:
        line = running.stdout.readline()
        assert line.startswith(f"the page is at http://127.0.0.1:{port}/")
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=5).status_code == 200
    finally:
        running.kill()
        running.communicate()


@pytest.mark.slow
def test_a_port_that_is_taken_is_told_and_nothing_else(tmp_path, taken):
    done = started("--data", tmp_path / "data", "--port", taken)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f"port {taken}" in err
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_data_that_another_page_has_is_told_and_nothing_else(tmp_path):
    first = started("--data", tmp_path, "--port", free_port())
    try:
        assert first.stdout.readline()
        second = started("--data", tmp_path, "--port", free_port())
        out, err = second.communicate(timeout=60)
        assert second.returncode != 0
        assert out == ""
        assert "page" in err
    finally:
        first.kill()
        first.communicate()


@pytest.mark.slow
def test_behind_a_proxy_the_address_is_that_of_the_proxy_and_a_token_is_made_up(tmp_path):
    running = started(
        "--data", tmp_path, "--port", free_port(), "--public-url", "https://fetus.example/",
        FETOMETRY_TOKEN="",
    )  # fmt: skip
    try:
        assert running.stdout.readline().startswith("the page is at https://fetus.example/ ")
        assert "research use" in running.stderr.readline()
        assert running.stderr.readline().startswith("token, shown this once: ")
    finally:
        running.kill()
        running.communicate()
