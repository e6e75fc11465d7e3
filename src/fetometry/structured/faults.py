"""What the checker found: faults with their path, what was checked, and what was not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fetometry.structured.items import Item

SCHEMA = "fetometry-sr-check/1"

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Fault:
    """One departure from the standard.

    `path` is the position in the tree (1.9.1), `where` the titles on the way there, `rule` the
    part of the standard. `severity` is "error" or, where our knowledge of the rule or the harm is
    small, "warning".
    """

    path: str
    where: str
    rule: str
    text: str
    severity: str = ERROR


@dataclass(frozen=True)
class Checked:
    """The result of a check: sound where no fault is an error.

    `rules` counts how often each rule was applied, `unchecked` says what was not looked at and
    why, `remarks` what is allowed and yet worth knowing, such as a manufacturer's own codes.
    """

    source: str
    template: str
    faults: tuple[Fault, ...]
    rules: tuple[tuple[str, int], ...]
    unchecked: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether there is no error; warnings may be there."""
        return not any(fault.severity == ERROR for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"schema": SCHEMA, "sound": self.sound, **dataclasses.asdict(self)}


@dataclass
class Findings:
    """What was found so far, while a tree is walked."""

    titles: dict[tuple[int, ...], str]
    faults: list[Fault] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)
    unchecked: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def where(self, item: Item) -> str:
        """Return the titles from below the root down to an item."""
        steps = [item.position[:k] for k in range(2, len(item.position) + 1)]
        return " > ".join(self.titles.get(step, "?") for step in steps) or "the report itself"

    def error(self, item: Item, rule: str, text: str) -> None:
        """Note a departure from a rule that is known for certain."""
        self.faults.append(Fault(item.path, self.where(item), rule, text))

    def warn(self, item: Item, rule: str, text: str) -> None:
        """Note what may be wrong."""
        self.faults.append(Fault(item.path, self.where(item), rule, text, WARNING))

    def note(self, item: Item, text: str) -> None:
        """Note what is allowed and yet worth knowing."""
        self.remarks.append(f"{item.path} {self.where(item)}: {text}")

    def applied(self, rule: str) -> None:
        """Count that a rule was applied."""
        self.rules[rule] += 1
