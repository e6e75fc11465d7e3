"""Requests by hand, against a page that listens."""

import contextlib
import re
import socket
import threading
import time

import uvicorn

from fetometry.serve.web.app import make_app
from fetometry.serve.web.settings import WebSettings
from tests.serve.web.conftest import API

KIND = "Content-Type: multipart/form-data; boundary=b"

#: What no refusal may hold: places on disk, code, libraries.
INNER = re.compile(r'Traceback|File "|\.py\b|/tmp/|/home/|/root/|site-packages|sqlite|pydantic')


@contextlib.contextmanager
def listening(tmp_path, **settings):
    """Let a page listen on a port of its own; yield the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = make_app(WebSettings(**{"data": tmp_path / "live", "port": port, **settings}))
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(20)
        app.desk.close()


def said_to(port, *pieces):
    """Send bytes as they are, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        answered = b""
        with contextlib.suppress(ConnectionError):  # it need not take all of it
            for piece in pieces:
                line.sendall(piece)
            while piece := line.recv(65536):
                answered += piece
    return answered


def head_of(port, *lines, path="/exams", method="POST"):
    first = [f"{method} {API}{path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "X-Fetometry: 1"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def multipart(pieces, piece=b"x" * 10_000):
    yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    for _ in range(pieces):
        yield piece
    yield b"\r\n--b--\r\n"
