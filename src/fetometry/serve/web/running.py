"""Runs the page until it is told to end, and writes a log without anything of a patient."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable

import uvicorn

from fetometry.errors import OutputError, UsageError
from fetometry.serve.web.app import make_app
from fetometry.serve.web.settings import WebSettings

#: How long answers that have begun may still take at the end.
END_S = 5


class Plain(logging.Formatter):
    """A line of a log; of a fault its kind and place alone: its words may name a patient."""

    def formatException(self, ei: object) -> str:
        """Return the kind of an exception and where it was raised."""
        if not isinstance(ei, tuple) or ei[0] is None:
            return ""
        trace = ei[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        return f"{ei[0].__name__}{line}"


def _log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(message)s"))
    for name in ("fetometry.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # others' remarks may repeat what a file says
    logging.captureWarnings(capture=True)
    for name in ("py.warnings", "pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Announced(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def run(settings: WebSettings, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the page until Ctrl+C; `ready` is called once it answers.

    Raises:
        FetometryError: the folder or the model cannot be used, or the port is taken.
    """
    with _listening(settings) as opened:
        app = make_app(settings)
        _log()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=END_S,
        )
        server = Announced(config, ready)
        with contextlib.suppress(KeyboardInterrupt):
            server.run([opened])
        if not server.started:
            raise OutputError("the page could not begin to answer; its log says why")


def _listening(settings: WebSettings) -> socket.socket:
    """Return a socket that has the port; nobody is answered yet.

    Raises:
        UsageError: the port is taken, or there is no such address.
    """
    opened = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((settings.host, settings.port))
        opened.listen()
    except OSError as error:
        opened.close()
        raise UsageError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
        ) from None
    return opened
