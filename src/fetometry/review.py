"""What a person changes in an exam, and signs: edits that are added to, and never changed.

An edit says what the model proposed and what a person made of it. What it does to the numbers is
`pipeline.editing`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fetometry.errors import UsageError

#: What can be done to an image, or ("dates") to an exam.
ACTIONS = (
    "ellipse", "points", "plane", "fetus", "reject", "choose", "criteria", "spacing", "dates",
    "reset",
)  # fmt: skip

#: Actions that place something in the picture: what they make is measured as it lies.
PLACING = ("ellipse", "points", "plane")

#: Actions that hold for a whole file, whatever frame was looked at: a cine shows one fetus, and has
#: one size of a pixel.
OF_FILE = ("fetus", "spacing")

#: The flag of a measurement that a person placed.
EDITED = "edited"

#: The flag of what a model drew in the plane that a person named.
PLANE_CHOSEN = "plane-chosen"

#: How a value was taken from its repeats where a person said which one counts.
CHOSEN = "chosen"

#: Where a spacing came from that a reviewer gave.
REVIEWER = "reviewer"

#: What no model checks and a reviewer ticks, by plane: name → words.
#:
#: Salomon LJ et al. ISUOG Practice Guidelines: ultrasound assessment of fetal biometry and growth.
#: Ultrasound Obstet Gynecol 2019;53:715-723; the scores of Salomon LJ et al. Ultrasound Obstet
#: Gynecol 2006;27:34-40.
CRITERIA: Mapping[str, tuple[tuple[str, str], ...]] = {
    "head": (
        ("midline", "Both hemispheres lie symmetrically about the midline echo."),
        ("thalami", "The thalami are seen."),
        ("cavum", "The cavum septi pellucidi is seen, and interrupts the midline echo."),
        ("no-cerebellum", "The cerebellum is not seen."),
        ("fills-half", "The head fills more than half of the picture."),
        ("callipers", "The ellipse and its callipers lie where they should."),
    ),
    "abdomen": (
        ("circular", "The section is circular and symmetrical."),
        ("stomach", "The stomach bubble is seen."),
        ("portal-sinus", "The umbilical vein is seen at the level of the portal sinus."),
        ("no-kidneys", "The kidneys are not seen."),
        ("fills-half", "The abdomen fills more than half of the picture."),
        ("callipers", "The ellipse and its callipers lie where they should."),
    ),
    "femur": (
        ("both-ends", "Both ends of the ossified shaft are seen."),
        ("angle", "The femur lies at less than 45 degrees to the horizontal."),
        ("fills-half", "The femur fills more than half of the picture."),
        ("callipers", "The callipers lie on the ends of the shaft, without the epiphyses."),
    ),
}

Value = Mapping[str, Any]


@dataclass(frozen=True)
class Edit:
    """One thing that a person changed.

    `number` counts from 1 in its exam. `value` and `before` are as JSON has them. `frame` is None
    of an edit for all frames of a file; of one for the whole exam `source` is empty, too. `at` is
    in UTC, ISO 8601, to the second. `model` names the model whose proposal it corrects, with its
    SHA-256. What was undone is kept, and does nothing.

    Raises:
        UsageError: there is no such action, or the number is none.
    """

    number: int
    action: str
    source: str
    frame: int | None
    value: Value
    before: Value
    reviewer: str
    at: str
    model: str = ""
    undone: bool = False

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise UsageError(f"no edit {self.action!r}; allowed: {', '.join(ACTIONS)}")
        if self.number < 1:
            raise UsageError(f"edits are numbered from 1, got {self.number}")


@dataclass(frozen=True)
class Review:
    """Who looked at an exam, what was changed, and when it was signed.

    `signed` is in UTC, ISO 8601, and empty of an exam that is not signed off.
    """

    reviewer: str = ""
    signed: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def standing(self) -> tuple[Edit, ...]:
        """The edits that were not undone, in their order."""
        return standing(self.edits)


def standing(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Return the edits that were not undone, in the order of their numbers."""
    return tuple(sorted((e for e in edits if not e.undone), key=lambda edit: edit.number))


def ticked(edits: Sequence[Edit]) -> dict[tuple[str, int | None], dict[str, bool]]:
    """Return by (source, frame) what was ticked or unticked last."""
    found: dict[tuple[str, int | None], dict[str, bool]] = {}
    for edit in standing(edits):
        if edit.action == "criteria":
            found.setdefault((edit.source, edit.frame), {}).update(edit.value)
    return found
