"""What the node is told: every value is checked before anything starts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from fetometry.errors import UsageError

#: In `NodeSettings.allow`: whoever calls may store.
ANYBODY = "any"

#: What may be sent back for a measured study.
KINDS = ("sr", "sc", "seg", "sr1500")

_MAX_PORT = 65535
_MAX_AET = 16
_AET = re.compile(r"[\x20-\x5b\x5d-\x7e]+")  # printable ASCII without the backslash


def check_aet(aet: str, option: str) -> None:
    """Refuse what is no AE title.

    Raises:
        UsageError: it is empty, too long, or has a letter that DICOM does not allow.

    References:
        DICOM PS3.5 6.2, value representation AE.
    """
    if not (aet.strip() and len(aet) <= _MAX_AET and _AET.fullmatch(aet)):
        raise UsageError(
            f"{option}: {aet!r} is no AE title; it has 1 to {_MAX_AET} letters, digits or signs of "
            "ASCII, no backslash, and not spaces alone"
        )


def check_port(port: int, option: str) -> None:
    """Refuse what is no TCP port.

    Raises:
        UsageError: it is outside 1 to 65535.
    """
    if not 1 <= port <= _MAX_PORT:
        raise UsageError(f"{option}: {port} is no port; give 1 to {_MAX_PORT}")


@dataclass(frozen=True)
class Peer:
    """Another application entity, to which results go."""

    host: str
    port: int
    aet: str

    def __post_init__(self) -> None:
        if not self.host or any(letter.isspace() for letter in self.host):
            raise UsageError(f"--forward: {self.host!r} is no host; give HOST:PORT:AET")
        check_port(self.port, "--forward")
        check_aet(self.aet, "--forward")


def parse_peer(text: str) -> Peer:
    """Return the peer that HOST:PORT:AET says; an IPv6 address stands in brackets.

    Raises:
        UsageError: it is written in another way.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]]+)):([0-9]{1,5}):(.+)", text.strip())
    if found is None:
        raise UsageError(
            f"--forward: {text!r} is no peer; give HOST:PORT:AET, such as pacs.local:104:PACS"
        )
    return Peer(found[1] or found[2], int(found[3]), found[4])


@dataclass(frozen=True)
class Tls:
    """Files in PEM: the node's certificate and key, and the authority that signs its peers.

    With an authority, who calls has to show a certificate of it.
    """

    cert: Path
    key: Path
    ca: Path | None = None

    def __post_init__(self) -> None:
        for option, path in (("--tls-cert", self.cert), ("--tls-key", self.key)):
            if not path.is_file():
                raise UsageError(f"{option}: {path} is no file; give one in PEM")
        if self.ca is not None and not self.ca.is_file():
            raise UsageError(f"--tls-ca: {self.ca} is no file; give one in PEM")


@dataclass(frozen=True)
class NodeSettings:
    """All that the node is told; `folder` is its store.

    Whoever is not in `allow` may not store: AE titles, or `ANYBODY`. Without any it is the peer
    that results are forwarded to. `retry_s` is the wait after the first failure, which doubles,
    and the longest.
    """

    folder: Path
    port: int = 11112
    host: str = "0.0.0.0"
    aet: str = "FETOMETRY"
    forward: Peer | None = None
    allow: frozenset[str] = frozenset()
    quiet_s: float = 30.0
    keep_days: float = 30.0
    kinds: tuple[str, ...] = ("sr", "sc")
    earlier: bool = False
    max_object_mb: int = 512
    max_associations: int = 10
    reserve_mb: int = 500
    tls: Tls | None = None
    forward_tls: bool = False
    retry_s: tuple[float, float] = (5.0, 900.0)
    measure_s: float = 600.0
    profile: Path | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        self._check_who()
        self._check_numbers()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise UsageError(
                f"--kinds: {', '.join(unknown) or 'nothing'} cannot be sent; give one or more of "
                + ", ".join(KINDS)
            )
        if self.profile is not None and not self.profile.is_file():
            raise UsageError(f"--profile: {self.profile} is no file; give a profile in TOML")
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"--store: {self.folder} is a file; give a folder")

    def _check_who(self) -> None:
        check_port(self.port, "--port")
        check_aet(self.aet, "--aet")
        for aet in self.allow:
            check_aet(aet, "--allow")
        if not self.allow and self.forward is None:
            raise UsageError(
                "--allow: nobody may send to this node; give the AE titles that may, or the peer "
                "that results go to with --forward, or --allow any"
            )
        if self.earlier and self.forward is None:
            raise UsageError(
                "--earlier: earlier exams are asked of the peer that results go to; give it with "
                "--forward"
            )
        if self.forward_tls and self.forward is None:
            raise UsageError("--forward-tls: there is nobody to send to; give --forward")

    def _check_numbers(self) -> None:
        first, longest = self.retry_s
        for option, value, least in (
            ("--quiet", self.quiet_s, 0.0),
            ("--keep-days", self.keep_days, 0.0),
            ("--max-object-mb", self.max_object_mb, 1),
            ("--max-associations", self.max_associations, 1),
            ("--reserve-mb", self.reserve_mb, 0),
            ("--retry", first, 0.01),
            ("--retry", longest, first),
            ("--measure-limit", self.measure_s, 1.0),
        ):
            if not (math.isfinite(value) and value >= least):
                raise UsageError(f"{option}: {value:g} is too small; give at least {least:g}")

    @property
    def callers(self) -> frozenset[str] | None:
        """The AE titles that may call, without the spaces around them; None: everybody."""
        if ANYBODY in self.allow:
            return None
        if self.allow:
            return frozenset(aet.strip() for aet in self.allow)
        return frozenset({self.forward.aet.strip()}) if self.forward else frozenset()
