"""What the page is started with: where it listens, what it keeps where, and its limits."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fetometry.errors import UsageError
from fetometry.growth import Profile
from fetometry.serve.node.settings import parse_peer

#: Names of the own machine, which nobody else can reach.
LOCAL = ("127.0.0.1", "localhost", "::1")

#: What stands for every address of this machine.
EVERY = ("0.0.0.0", "::")

#: Addresses that no machine has (RFC 5737, 3849): the way to them is that to all others.
_AFAR = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}

#: Letters that a token has at least: one that people guess is none.
SHORTEST_TOKEN = 16

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """How much of anything is taken: files and bytes of an upload, seconds of a measuring, exams.

    `body_bytes` is the longest body that is no upload.
    """

    files: int = 200
    upload_bytes: int = 512 * MEGABYTE
    body_bytes: int = 64 * 1024
    measure_s: float = 600.0
    exams: int = 1000


@dataclass(frozen=True)
class WebSettings:
    """How a page is served.

    `data` holds what is kept; `folder` is one whose exams are offered, `store` that of a running
    node; `forward` is the PACS as HOST:PORT:AET. `public_url` is where a proxy shows the page by
    TLS. Without a `token` everybody is let in who reaches the address, so that only this machine's
    own may do without.

    Raises:
        UsageError: a token is missing or too short, the port is none, a folder is not there.
    """

    data: Path
    host: str = LOCAL[0]
    port: int = 8765
    folder: Path | None = None
    store: Path | None = None
    forward: str = ""
    profile: Profile | None = None
    model: str | None = None
    token: str = ""
    public_url: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.public_url:
            object.__setattr__(self, "public_url", _checked_url(self.public_url))
        self._check_token()
        if not 0 < self.port < 65536:
            raise UsageError(f"--port {self.port}: a port is 1 to 65535")
        if self.forward:
            parse_peer(self.forward)
        for option, path in (("--folder", self.folder), ("--store", self.store)):
            if path is not None and not path.is_dir():
                raise UsageError(f"{option} {path}: no such folder")

    def _check_token(self) -> None:
        if self.public_url and not self.token:
            raise UsageError("--public-url: others can reach it, so that a token is needed")
        if self.host not in LOCAL and not self.token:
            raise UsageError(f"--host {self.host}: others can reach it, so that a token is needed")
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(f"the token must have {SHORTEST_TOKEN} letters or more")

    @property
    def address(self) -> str:
        """Where a browser finds the page: that of another machine, where others may come."""
        if self.public_url:
            return f"{self.public_url}/"
        host = _seen_from_afar(self.host) if self.host in EVERY else self.host
        return f"http://{_bracketed(host)}:{self.port}/"

    def knows_host(self, header: str) -> bool:
        """Tell whether a Host header is one of this page's own names.

        Any other is that of a foreign site whose name was made to lead here (DNS rebinding).
        """
        if self.is_public(header):
            return True
        name, port = _parted(header)
        if port != self.port:
            return False
        if self.host in LOCAL:
            return name in LOCAL
        return name in {self.host.lower(), *_own_names()} or _is_address(name)

    def is_public(self, header: str) -> bool:
        """Tell whether a Host header is that of the proxy's URL."""
        host = self.public_url.removeprefix("https://")
        return bool(host) and header.lower() in (host, f"{host}:443")

    def knows_origin(self, origin: str, host: str) -> bool:
        """Tell whether an Origin header is this page's own, beside a Host header."""
        own = () if self.is_public(host) else (f"http://{host.lower()}",)
        return origin.lower() in ((*own, self.public_url) if self.public_url else own)


def _checked_url(text: str) -> str:
    """Return the URL of a proxy as browsers write its origin: without a slash, and without :443."""
    try:
        parts = urlsplit(text.strip().lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = not (parts.username or parts.query or parts.fragment or parts.path.strip("/"))
    if parts.scheme != "https" or not parts.hostname or not plain:
        raise UsageError(f"--public-url {text}: it is https://HOST or https://HOST:PORT, no more")
    shown = _bracketed(parts.hostname)
    return f"https://{shown}" if port in (None, 443) else f"https://{shown}:{port}"


def _seen_from_afar(every: str) -> str:
    """Return the address by which others find this machine, else its name; nothing is sent."""
    family = socket.AF_INET6 if ":" in every else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((_AFAR[family], 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _parted(header: str) -> tuple[str, int]:
    name, colon, port = header.lower().rpartition(":")
    if not colon or header.endswith("]"):
        name, port = header.lower(), "80"
    return name.removeprefix("[").removesuffix("]"), int(port) if port.isdecimal() and len(
        port
    ) < 6 else 0


def _own_names() -> set[str]:
    return {*LOCAL, socket.gethostname().lower(), socket.getfqdn().lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
