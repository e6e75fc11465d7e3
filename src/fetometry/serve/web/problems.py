"""Refusals as RFC 9457 has them: `application/problem+json`, a sentence that says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

#: The longest text of a person's own that an answer repeats.
MOST_LETTERS = 300


class ProblemDocument(BaseModel):
    """What went wrong: its kind, the status, a sentence, and the field that it is about."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


class Refusal(Exception):
    """A request that is not answered, with its status and the reason in plain words."""

    def __init__(self, status: int, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field


def problem(
    status: int, detail: str, field: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that refuses a request."""
    title = HTTPStatus(status).phrase
    document: dict[str, Any] = {
        "type": "about:blank", "title": title, "status": status, "detail": detail,
    }  # fmt: skip
    if field:
        document["field"] = field
    # a lone surrogate that somebody sent has no UTF-8
    body = json.dumps(document, ensure_ascii=True)
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the refusals of a route for its OpenAPI."""
    schema = ProblemDocument.model_json_schema()
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def _refused(_: Request, error: Exception) -> Response:
    known = cast(Refusal, error)
    return problem(known.status, known.detail, known.field)


def _http(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    headers = dict(known.headers or {})
    if known.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request) or headers.get("Allow", "")
    return problem(known.status_code, str(known.detail), headers=headers)


def nothing_here(request: Request) -> Response:
    """Answer what no route of the API does: the path is none, or does not know the method."""
    methods = _allowed(request)
    if methods:
        return problem(405, f"this takes {methods}", headers={"Allow": methods})
    return problem(404, "there is nothing here")


def _allowed(request: Request) -> str:
    """Return the methods of all routes of a path: the router names those of the first alone."""
    for template, methods in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.url.path):
            known = {name.upper() for name in methods}
            return ", ".join(sorted(known | ({"HEAD"} if "GET" in known else set())))
    return ""


def _invalid(_: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    detail = f"{where}: {first['msg']}" if where else str(first["msg"])
    return problem(422, detail[:MOST_LETTERS], where[:MOST_LETTERS])


def _fault(_: Request, __: Exception) -> Response:
    return problem(500, "a fault of this program; its log says where")


def install(app: FastAPI) -> None:
    """Let an application answer all refusals in this way."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fault)
