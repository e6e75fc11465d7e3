"""Which study of which server, and who asks: the URL and the environment, checked."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from fetometry.errors import UsageError

#: What stands before `://` on the command line, and what is spoken then.
SCHEMES = {"dicomweb+https": "https", "dicomweb+http": "http"}

#: A bearer token; or a name and password for basic authentication.
TOKEN_VARIABLE, AUTH_VARIABLE = "FETOMETRY_DICOMWEB_TOKEN", "FETOMETRY_DICOMWEB_AUTH"
#: Set to 1, plain HTTP is spoken to other machines, too.
INSECURE_VARIABLE = "FETOMETRY_DICOMWEB_INSECURE"

SHAPE = "dicomweb+https://HOST/PATH/studies/STUDY-UID"

_UID = re.compile(r"\d+(\.\d+)+")
_LONGEST_UID = 64


@dataclass(frozen=True)
class Study:
    """One study: its UID, and the address of DICOMweb on the server that has it.

    `service` is such as `https://pacs.example/dicom-web`, without a slash at the end.
    """

    service: str
    uid: str

    @property
    def host(self) -> str:
        """The server's name and port, to speak of it."""
        return urlsplit(self.service).netloc


def is_uid(text: str) -> bool:
    """Tell whether this can be a UID, and so stand in a file name and a URL as it is."""
    return len(text) <= _LONGEST_UID and _UID.fullmatch(text) is not None


def parse_study(text: str, environment: Mapping[str, str]) -> Study:
    """Return the study that `dicomweb+https://HOST/PATH/studies/UID` names.

    Plain HTTP (`dicomweb+http`) is for this machine alone, unless the environment allows it.

    Raises:
        UsageError: it is no such URL, holds a password, or would send data in plain to others.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(f"this URL has no host and port that can be read: write {SHAPE}") from None
    # the text is not repeated before this: it may hold a password
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "a name or password in the URL would be seen by others on this machine: put "
            f"NAME:PASSWORD into the environment variable {AUTH_VARIABLE}"
        )
    if parts.query or parts.fragment:
        raise UsageError(f"nothing may stand behind the study in the URL: write {SHAPE}")
    scheme = SCHEMES.get(parts.scheme.lower())
    prefix, study, uid = parts.path.rstrip("/").rpartition("/studies/")
    if scheme is None or not host or not study or not is_uid(uid):
        raise UsageError(f"{text}: is no study of a DICOMweb server: write {SHAPE}")
    if scheme == "http" and not _is_here(host) and environment.get(INSECURE_VARIABLE) != "1":
        raise UsageError(
            f"{text}: plain HTTP shows patient data to the network: write dicomweb+https://, or "
            f"set {INSECURE_VARIABLE}=1 where the way to {host} is safe"
        )
    return Study(f"{scheme}://{_place(parts, port)}{prefix}", uid)


def _place(parts: SplitResult, port: int | None) -> str:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def authorization(environment: Mapping[str, str]) -> str | None:
    """Return the value of the header Authorization that the environment asks for, if any.

    Raises:
        UsageError: two kinds are set, or what is set cannot be sent; the value is not repeated.
    """
    token, pair = environment.get(TOKEN_VARIABLE), environment.get(AUTH_VARIABLE)
    if token and pair:
        raise UsageError(f"two credentials: set {TOKEN_VARIABLE} or {AUTH_VARIABLE}, not both")
    if token:
        if not re.fullmatch(r"[!-~]+", token):
            raise UsageError(f"{TOKEN_VARIABLE}: a token is printable ASCII without spaces")
        return f"Bearer {token}"
    if pair:
        if ":" not in pair:
            raise UsageError(f"{AUTH_VARIABLE}: write NAME:PASSWORD")
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return None
