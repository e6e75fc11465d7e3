"""What goes into the store and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

#: `Received.kind`: an image is measured; a report was fetched, is kept for the patient alone.
IMAGE, REPORT = "image", "report"

#: An image that is measured no more.
ASIDE = "aside"


class Accepted(Enum):
    """What became of an object that was received."""

    NEW = "new"
    #: The same instance with the same bytes: it is here already, nothing changes.
    SAME = "same"
    #: The same instance with other bytes: the first one stays, this one is not kept.
    DIFFERS = "differs"


@dataclass(frozen=True)
class Received:
    """One object as it came: `patient` is id + NUL + issuer, of which only a hash is kept.

    `digest` is the SHA-256 of the data set as it was encoded, without preamble and file meta;
    `size` is in bytes.
    """

    sop_class: str
    sop_uid: str
    study_uid: str
    patient: str
    calling: str
    digest: str
    size: int
    kind: str = IMAGE


@dataclass(frozen=True)
class Job:
    """A study to be measured, with all images that it has now: its generation counts them."""

    study: str
    folder: Path
    generation: int
    attempts: int
    patient: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Result:
    """One file of a measured study; `path` is relative to the store.

    A result without `sop_uid` is kept, and sent to nobody.
    """

    sop_uid: str
    sop_class: str
    path: Path
    digest: str
    kind: str


@dataclass(frozen=True)
class Send:
    """One result that is still to be sent; `path` is whole, `queued` seconds since 1970."""

    id: int
    study: str
    path: Path
    sop_uid: str
    sop_class: str
    attempts: int
    queued: float


@dataclass(frozen=True)
class Forgotten:
    """How many studies and objects in quarantine were old.

    `unsent` is the number of results that the peer never took, for each study that had some.
    """

    studies: int
    quarantined: int
    unsent: Mapping[str, int]


@dataclass(frozen=True)
class Again:
    """How many refused results are sent again, and failed studies measured again."""

    results: int
    studies: int


@dataclass(frozen=True)
class Stranger:
    """A caller that was refused: its title, how often, and when it was the last time."""

    calling: str
    count: int
    last: float


@dataclass(frozen=True)
class Status:
    """The store in numbers, without anything of a patient; times are seconds since 1970."""

    objects: int
    reports: int
    waiting: int
    answered: int
    nothing: int
    failed: int
    queued: int
    sent: int
    refused: int
    oldest_queued_s: float | None
    errors: tuple[str, ...]
    quarantined: int
    free_bytes: int
    last_receipt: float | None
    strangers: tuple[Stranger, ...] = ()
