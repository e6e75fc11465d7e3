"""What is answered, for the OpenAPI document. The documents themselves are made in `document`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Names are those of JSON; more may be added to any of them."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class Health(Answer):
    """Whether the page works, with what, and how the node is."""

    status: str
    software: str
    models: list[str]
    node: dict[str, Any] | None


class Waiting(Answer):
    """One exam of the worklist: new, open or signed; from the folder or the node."""

    key: str
    label: str
    images: int
    when: str
    state: str
    origin: str = Field(alias="from")
    patient: dict[str, str] | None
    exam: str | None


class Worklist(Answer):
    """What waits."""

    items: list[Waiting]


class Listed(Answer):
    """One exam in short."""

    id: str
    label: str
    created: str
    patient: dict[str, str] | None
    state: str
    images: int
    revision: int
    signed: dict[str, str] | None


class Exams(Answer):
    """All exams, the newest first."""

    items: list[Listed]


class Finding(Answer):
    """A structure in a frame: its plane, how good, what it measures, and what was proposed."""

    frame: int
    plane: str
    plane_probability: float | None
    quality: float
    fetus: str
    rejected: bool
    counts: bool
    edited: bool
    placed: bool
    plane_chosen: bool
    flags: list[dict[str, str]]
    ellipse: dict[str, Any] | None
    points_px: dict[str, Any]
    outline_px: list[list[float]]
    measurements: list[dict[str, Any]]
    criteria: list[dict[str, Any]]
    proposal: dict[str, Any] | None


class Image(Answer):
    """A file: how many frames of which size, how large a pixel is, and what was found."""

    image: int
    name: str
    frames: int
    width: int
    height: int
    best_frame: int | None
    spacing_mm: list[float] | None
    spacing_source: str | None
    may_calibrate: bool
    fetus: str
    rejected: bool
    problems: list[dict[str, Any]]
    findings: list[Finding]


class Exam(Answer):
    """All of an exam: what counts, what it means by fetus, what was refused, who signed."""

    id: str
    label: str
    created: str
    patient: dict[str, str] | None
    state: str
    reason: str
    revision: int
    progress: dict[str, int]
    images: list[Image]
    selected: list[dict[str, Any]]
    growth: dict[str, dict[str, Any]]
    problems: list[dict[str, Any]]
    signed: dict[str, str] | None
    edits: int
    dates: dict[str, Any]
    previous: list[dict[str, Any]]


class Audit(Answer):
    """All that was done, in its order; nothing is ever missing."""

    revision: int
    edits: list[dict[str, Any]]
    signatures: list[dict[str, Any]]


class Sent(Answer):
    """What the PACS answered."""

    sent: bool
    to: str
    files: list[str]
    status: str


class Ok(Answer):
    """It is done."""

    ok: bool
