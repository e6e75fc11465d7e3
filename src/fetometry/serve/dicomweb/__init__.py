"""A study of a DICOMweb server: found (QIDO-RS), fetched (WADO-RS), results sent back (STOW-RS).

Only the standard library speaks to the server, so this needs no extra.
"""

from fetometry.serve.dicomweb.address import (
    AUTH_VARIABLE,
    INSECURE_VARIABLE,
    TOKEN_VARIABLE,
    Study,
    authorization,
    parse_study,
)
from fetometry.serve.dicomweb.calls import DicomwebError, Server
from fetometry.serve.dicomweb.study import Limits, fetch, send

__all__ = [
    "AUTH_VARIABLE",
    "INSECURE_VARIABLE",
    "TOKEN_VARIABLE",
    "DicomwebError",
    "Limits",
    "Server",
    "Study",
    "authorization",
    "fetch",
    "parse_study",
    "send",
]
