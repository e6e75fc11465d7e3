"""The HTTP API: what is answered to what. The page uses the same one."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from fetometry.pipeline import ASKED_PLANES
from fetometry.serve.web import answers, outputs, sending, uploads, worklist
from fetometry.serve.web.changes import MOST_NAME, Asked
from fetometry.serve.web.desk import Desk
from fetometry.serve.web.pictures import png
from fetometry.serve.web.problems import Refusal, responses
from fetometry.serve.web.security import COOKIE, Sessions
from fetometry.serve.web.store import Trail
from fetometry.types import FETUSES

ID = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="an exam")]
Number = Annotated[int, Path(ge=0, le=10_000, description="an image, from 0")]
Frame = Annotated[int, Path(ge=1, le=1_000_000, description="a frame, from 1")]
Name = Annotated[str, Path(max_length=100, json_schema_extra={"enum": list(outputs.OUTPUTS)})]
Width = Annotated[int | None, Query(ge=16, le=4096, description="narrower than it is")]

#: A frame never changes under its address; it is kept by the browser that was let in.
FRAME_CACHE = "private, max-age=3600, immutable"


class Kept(BaseModel):
    """An edit to be kept; with `revision` only if nobody was faster."""

    model_config = ConfigDict(extra="forbid", strict=True)

    edit: Asked
    revision: int | None = Field(None, ge=0, le=2**31)


class Previewed(BaseModel):
    """An edit to be looked at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    edit: Asked


class Undone(BaseModel):
    """With `revision` only if nobody was faster."""

    model_config = ConfigDict(extra="forbid", strict=True)

    revision: int | None = Field(None, ge=0, le=2**31)


class Signed(BaseModel):
    """Who signs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reviewer: str = Field(min_length=1, max_length=MOST_NAME)
    revision: int | None = Field(None, ge=0, le=2**31)


class Session(BaseModel):
    """The token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(max_length=1000)


def _json(document: Any, status: int = 200) -> Response:
    # escaped: a letter that is none, out of a damaged file, has no UTF-8
    body = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Response(body, status, media_type="application/json")


def _route(status: int, model: type[BaseModel], *refusals: int) -> dict[str, Any]:
    """Return what the OpenAPI says of a route; the documents are answered as they are."""
    return {
        "status_code": status,
        "response_model": None,
        "responses": {
            status: {"model": model},
            **responses(*sorted({400, 401, 403, 413, 415, 421, 422, *refusals})),
        },
    }


def _file(media_type: str) -> dict[str, Any]:
    kind: dict[str, str] = {"type": "string", "format": "binary"}
    schema = {"type": "object"} if media_type == "application/json" else kind
    return {"description": "the file", "content": {media_type: {"schema": schema}}}


def _with_files(*media_types: str, refusals: tuple[int, ...] = (404,)) -> dict[str, Any]:
    said = {"description": "the file", "content": {}}
    for media_type in media_types:
        said["content"].update(_file(media_type)["content"])  # type: ignore[attr-defined]
    return {
        "response_class": Response,
        "response_model": None,
        "responses": {200: said, **responses(400, 401, 403, 421, 422, *refusals)},
    }


UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "additionalProperties": False,
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        },
                        **{name: {"type": "string"} for name in uploads.FIELDS},
                        "plane": {"type": "string", "enum": list(ASKED_PLANES)},
                        "fetus": {"type": "string", "enum": ["", *FETUSES]},
                    },
                }
            }
        },
    }
}


def exam_routes(desk: Desk) -> APIRouter:
    """Return the routes of exams: begun, looked at, removed."""
    router = APIRouter(tags=["exams"])

    @router.post("/exams", openapi_extra=UPLOAD_BODY, **_route(201, answers.Exam, 409, 507))
    async def upload(request: Request) -> Response:
        """Upload images and DICOM files of one patient's exam; they are measured at once."""
        async with uploads.received(request, desk.settings.limits) as came:
            kept = await run_in_threadpool(
                desk.begin, lambda folder: uploads.keep(folder, came.given), came.said
            )
        return _json(await run_in_threadpool(desk.document, kept.id), 201)

    @router.get("/exams", **_route(200, answers.Exams))
    def exams() -> Response:
        """List all exams, the newest first."""
        return _json({"items": desk.listed()})

    @router.get("/exams/{exam}", **_route(200, answers.Exam, 404))
    def look(exam: ID) -> Response:
        """Return an exam with all that is known and was done."""
        return _json(desk.document(exam))

    @router.delete("/exams/{exam}", **_route(200, answers.Ok, 404))
    def delete(exam: ID) -> Response:
        """Remove an exam's files; what was done to it is kept."""
        desk.delete(exam)
        return _json({"ok": True})

    return router


def change_routes(desk: Desk) -> APIRouter:
    """Return the routes by which an exam is corrected and signed."""
    router = APIRouter(tags=["review"])

    @router.post("/exams/{exam}/preview", **_route(200, answers.Exam, 404, 409))
    def preview(exam: ID, asked: Previewed) -> Response:
        """Return the exam as it would be after an edit; nothing is kept."""
        return _json(desk.document(exam, asked.edit))

    @router.post("/exams/{exam}/edits", **_route(201, answers.Exam, 404, 409))
    def edit(exam: ID, asked: Kept) -> Response:
        """Keep an edit."""
        return _json(desk.edit(exam, asked.edit, asked.revision), 201)

    @router.get("/exams/{exam}/edits", **_route(200, answers.Audit, 404))
    def audit(exam: ID) -> Response:
        """Return all that was done to an exam, even to one that was deleted."""
        return _json(_audit(desk.store.trail(exam)))

    @router.post("/exams/{exam}/undo", **_route(200, answers.Exam, 404, 409))
    def undo(exam: ID, asked: Undone) -> Response:
        """Take the last edit back; both stay in the audit trail."""
        return _json(desk.undo(exam, asked.revision))

    @router.post("/exams/{exam}/signature", **_route(201, answers.Exam, 404, 409))
    def sign(exam: ID, asked: Signed) -> Response:
        """Sign an exam off as it is now; any later edit takes the signature back."""
        name = " ".join(asked.reviewer.split())
        if not name or not name.isprintable():
            raise Refusal(422, "who signs has a name", "reviewer")
        return _json(desk.sign(exam, name, asked.revision), 201)

    return router


def file_routes(desk: Desk) -> APIRouter:
    """Return the routes of pictures and of what is made of an exam."""
    router = APIRouter(tags=["files"])

    @router.get("/exams/{exam}/images/{image}/frames/{frame}.png", **_with_files("image/png"))
    def picture(
        request: Request, exam: ID, image: Number, frame: Frame, width: Width = None
    ) -> Response:
        """Return one frame in grey, black outside the calibrated regions."""
        tag = hashlib.sha256(f"{exam}/{image}/{frame}/{width}".encode()).hexdigest()[:16]
        headers = {"ETag": f'"{tag}"', "Cache-Control": FRAME_CACHE}
        found = desk.picture(exam, image, frame)
        if f'"{tag}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(png(found, width), media_type="image/png", headers=headers)

    media = [media_type.partition(";")[0] for _, media_type in outputs.OUTPUTS.values()]

    @router.get("/exams/{exam}/outputs/{name}", **_with_files(*media, refusals=(404, 409)))
    def output(exam: ID, name: Name) -> Response:
        """Return a file that says what the exam says now."""
        content = outputs.output(desk, exam, name)
        return _attached(content, name, outputs.OUTPUTS[name][1])

    @router.get("/corrections.zip", **_with_files("application/zip", refusals=(404, 409)))
    def corrections() -> Response:
        """Return the corrected images of all signed exams as a data set to train on."""
        return _attached(outputs.corrections(desk), "corrections.zip", "application/zip")

    @router.post("/exams/{exam}/send", **_route(200, answers.Sent, 404, 409, 502))
    def send(exam: ID) -> Response:
        """Send the report of a signed exam to the PACS."""
        return _json(sending.send(desk, exam))

    return router


def house_routes(desk: Desk, sessions: Sessions) -> APIRouter:
    """Return the routes that are about no exam: health, the session, the worklist."""
    router = APIRouter(tags=["house"])

    @router.get("/health", **_route(200, answers.Health))
    def health(request: Request) -> Response:
        """Tell whether the page works; to those who are let in also with what."""
        return _json(desk.health(everything=sessions.lets_in(request.headers)))

    @router.post("/session", **_route(200, answers.Ok))
    def session(asked: Session) -> Response:
        """Show the token once; the browser is let in from then on."""
        answer = _json({"ok": True})
        if sessions.needed:
            if not sessions.is_token(asked.token):
                raise Refusal(401, "this is not the token that was printed", "token")
            # behind a proxy with TLS the cookie never goes without it
            secure = bool(desk.settings.public_url)
            begun = sessions.begin()
            answer.set_cookie(COOKIE, begun, secure=secure, httponly=True, samesite="strict")
        return answer

    @router.get("/worklist", **_route(200, answers.Worklist))
    def waiting() -> Response:
        """List the exams that wait."""
        return _json({"items": worklist.listed(desk)})

    @router.post("/worklist/{key}", **_route(201, answers.Exam, 404, 409))
    def begin(key: ID) -> Response:
        """Take an exam of the worklist onto the desk."""
        return _json(desk.document(worklist.begin(desk, key).id), 201)

    return router


def _attached(content: bytes, name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _audit(trail: Trail) -> dict[str, Any]:
    return {
        "revision": trail.revision,
        "edits": [vars(entry) for entry in trail.entries],
        "signatures": [vars(signature) for signature in trail.signatures],
    }
