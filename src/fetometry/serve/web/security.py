"""Who may ask, from where, and how much: stands before every route, and writes the log.

The page is for one machine or one house. A foreign site that a browser has open beside it must
not be able to read or change anything: not by a form, a script, a frame, or a name that leads
here (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from fetometry.serve.web.desk import Desk
from fetometry.serve.web.problems import problem
from fetometry.serve.web.settings import WebSettings

log = logging.getLogger("fetometry.serve")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/api/v1"
#: Answered without a token; `session` is where one is given.
OPEN = (f"{API}/health", f"{API}/session", f"{API}/openapi.json")
UPLOAD = f"{API}/exams"
COOKIE = "fetometry_session"
#: Digits of a length that a request may have.
MOST_DIGITS = 15
SAFE = ("GET", "HEAD", "OPTIONS")
BODIES = ("application/json", "multipart/form-data")

POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'"),
        *("img-src 'self' blob: data:", "connect-src 'self'", "base-uri 'none'"),
        *("form-action 'none'", "frame-ancestors 'none'"),
    )
)

#: On every answer.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Sessions:
    """Who has shown the token: a random number in a cookie, known here by its hash alone."""

    #: Browsers that may be let in at once; the oldest has to show the token again.
    MOST = 1000

    def __init__(self, token: str) -> None:
        self._token = token
        self._known: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def needed(self) -> bool:
        """Whether there is a token at all."""
        return bool(self._token)

    def is_token(self, text: str) -> bool:
        """Tell whether this is the token, in the same time whatever it is."""
        return self.needed and hmac.compare_digest(_hash(text), _hash(self._token))

    def begin(self) -> str:
        """Return a new session."""
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._known[_hash(session)] = None
            while len(self._known) > self.MOST:
                del self._known[next(iter(self._known))]
        return session

    def lets_in(self, headers: Headers) -> bool:
        """Tell whether a request comes with the token, or with a session."""
        if not self.needed:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and _hash(morsel.value) in self._known


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


class Guard:
    """The outermost layer: refuses, limits, adds the headers, and writes one line for each."""

    def __init__(self, app: App, settings: WebSettings, sessions: Sessions, desk: Desk) -> None:
        self._app, self._settings, self._sessions = app, settings, sessions
        self.desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began, answered = time.monotonic(), [500]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered[0] = message["status"]
                _dress(message, scope)
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, self._limited(scope, receive), sending)
            else:
                status, detail = refusal
                headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
                await problem(status, detail, headers=headers)(scope, receive, sending)
        finally:
            _write(scope, answered[0], began)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers, path = Headers(scope=scope), str(scope["path"])
        if not self._settings.knows_host(headers.get("host", "")):
            return 421, "this page is not known by that name"
        if path.startswith("/api/"):
            foreign = _foreign(scope, headers, self._settings)
            if foreign:
                return 403, foreign
            if path not in OPEN and not self._sessions.lets_in(headers):
                return 401, "a token is needed: it was printed where the page was started"
        return self._too_long(scope, headers)

    def _too_long(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        if not (length.isdecimal() and len(length) <= MOST_DIGITS):
            return 400, "the content length is no number"
        if int(length) > self._most(scope):
            return 413, _too_much(self._most(scope))
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in SAFE and int(length) and kind not in BODIES:
            return 415, f"a body is {' or '.join(BODIES)}"
        return None

    def _most(self, scope: Scope) -> int:
        limits = self._settings.limits
        uploads = scope["path"] == UPLOAD and scope["method"] == "POST"
        return limits.upload_bytes if uploads else limits.body_bytes

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count what comes, for a length may be missing; an upload is counted as it is read."""
        most, came = self._most(scope), 0
        if most == self._settings.limits.upload_bytes:
            return receive

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise HTTPException(413, _too_much(most))
            return message

        return counting


def _foreign(scope: Scope, headers: Headers, settings: WebSettings) -> str:
    """Return why a request is one that another site made, or nothing."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "another site asked"
    if scope["method"] in SAFE:
        return ""
    origin = headers.get("origin")
    if origin is not None and not settings.knows_origin(origin, headers.get("host", "")):
        return "another site asked"
    if headers.get("x-fetometry") != "1":
        return "what changes something needs the header X-Fetometry: 1"
    return ""


def _too_much(most: int) -> str:
    size = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 1024} kB"
    return f"this is longer than the {size} that are taken at once"


def _dress(message: Message, scope: Scope) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    if str(scope["path"]).startswith("/api/") and "cache-control" not in headers:
        headers["Cache-Control"] = "no-store"
    elif "cache-control" not in headers:
        headers["Cache-Control"] = "no-cache"


def _write(scope: Scope, status: int, began: float) -> None:
    """Write one line: the route as it is declared, so that no id or name is in it."""
    route = getattr(scope.get("route"), "path", "") or "-"
    took_ms = round(1000 * (time.monotonic() - began), 1)
    line = {"method": str(scope["method"])[:10], "route": route, "status": status, "ms": took_ms}
    log.info(json.dumps(line))
