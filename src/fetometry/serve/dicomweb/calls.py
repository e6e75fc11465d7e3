"""One request and its answer; whatever goes wrong on the way, in words."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from fetometry.errors import FetometryError
from fetometry.serve.dicomweb.address import AUTH_VARIABLE, TOKEN_VARIABLE, Study

#: Seconds without a sign of the server.
TIMEOUT_S = 60.0
#: A list of instances, or of what was stored, that is longer is not read.
MOST_JSON_BYTES = 1 << 26

JSON = "application/dicom+json"
OK, ACCEPTED, EMPTY, CONFLICT = 200, 202, 204, 409

_ASK = f"set {TOKEN_VARIABLE}, or {AUTH_VARIABLE} to NAME:PASSWORD"

#: What an HTTP status means here.
_STATUS = {
    404: "has no such study, or no DICOMweb at this address (404)",
    406: "does not give DICOM files as they are stored (406)",
    413: "takes no file of this size (413)",
    415: "does not take DICOM files (415)",
    429: "is asked too much at present (429): try again later",
    503: "is too busy at present (503): try again later",
}


class DicomwebError(FetometryError):
    """A DICOMweb server cannot be reached, refuses, or answers what is not DICOMweb."""


class Server:
    """The DICOMweb server of a study.

    No redirection is followed: it would take patient data and credentials elsewhere.
    """

    def __init__(
        self, study: Study, authorization: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.study = study
        self._authorization = authorization
        self._timeout_s = timeout_s
        self._opener = urllib.request.OpenerDirector()
        plain = study.service.startswith("http:")  # for this machine: no proxy may see it
        proxies = urllib.request.ProxyHandler({} if plain else None)
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        for handler in (proxies, urllib.request.HTTPHandler(), secure):
            self._opener.add_handler(handler)

    @contextmanager
    def asked(
        self,
        path: str,
        accept: str,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[HTTPResponse]:
        """Send a request (a POST where it has a body), and give the answer, whatever its status.

        `path` stands behind the address of the study. Read the answer with `read`.

        Raises:
            DicomwebError: there is no answer.
        """
        url = f"{self.study.service}/studies/{self.study.uid}{path}"
        # data given later would make urllib forget the Content-Length
        request = urllib.request.Request(
            url, data=body, headers={"Accept": accept, **(headers or {})}
        )
        if self._authorization is not None:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.URLError as error:
            raise self.failure(self._in_words(error.reason)) from None
        except (OSError, HTTPException) as error:
            raise self.failure(self._in_words(error)) from None
        with answer:
            yield answer

    def read(self, answer: HTTPResponse, most: int) -> bytes:
        """Return the next bytes of an answer, none at its end.

        Raises:
            DicomwebError: the connection is lost.
        """
        try:
            return answer.read(most)
        except (OSError, HTTPException) as error:
            raise self.failure(self._in_words(error)) from None

    def failure(self, what: str) -> DicomwebError:
        """Return an error that names the server."""
        return DicomwebError(f"{self.study.host} {what}")

    def refusal(self, answer: HTTPResponse) -> DicomwebError:
        """Return the error that the status of an answer means."""
        status = answer.status
        if status in (401, 403):
            given = self._authorization is not None
            what = f"does not accept the credentials of the environment: {_ASK}"
            return self.failure(
                f"{what if given else f'wants to know who asks: {_ASK}'} ({status})"
            )
        if 300 <= status < 400:
            where = urlsplit(answer.headers.get("Location", ""))
            to = f" to {where.scheme}://{where.hostname}" if where.hostname else ""
            return self.failure(f"sends on{to} ({status}), which is not followed: use its new URL")
        if status in _STATUS:
            return self.failure(_STATUS[status])
        what = "failed" if status >= 500 else "refused the request"
        return self.failure(f"{what} ({status})")

    def json(self, answer: HTTPResponse) -> Any:
        """Return the JSON of an answer.

        Raises:
            DicomwebError: it is none.
        """
        text = self.read(answer, MOST_JSON_BYTES + 1)
        if len(text) > MOST_JSON_BYTES:
            raise self.failure("answers with a list that is too long to be one study")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            kind = answer.headers.get_content_type()
            raise self.failure(f"does not answer as DICOMweb does: {kind} is not {JSON}") from None

    def _in_words(self, error: object) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                return (
                    f"has a TLS certificate that is not trusted ({error.verify_message}): name the "
                    "file of its authority in the environment variable SSL_CERT_FILE"
                )
            case ssl.SSLError():
                return f"does not speak TLS as it should ({error.reason or 'no reason given'})"
            case TimeoutError():
                return f"does not answer within {self._timeout_s:g} s"
            case socket.gaierror():
                return "is no known host"
            case ConnectionRefusedError():
                return "refuses the connection: nothing listens there"
            case ConnectionError():
                return "broke the connection"
            case OSError():
                return f"cannot be reached: {error.strerror or 'no reason given'}"
        return "does not answer as a web server does"
