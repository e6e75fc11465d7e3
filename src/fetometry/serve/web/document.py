"""An exam as the page has it: one JSON document, made anew of what is known now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fetometry.geometry import Ellipse, Points
from fetometry.pipeline.edit_values import DATES
from fetometry.pipeline.editing import FrameReview
from fetometry.pipeline.writing_edited import renamed
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.history import History
from fetometry.review import CRITERIA, EDITED, PLANE_CHOSEN, Edit, standing
from fetometry.serve.web.charts import growth_document
from fetometry.serve.web.proposals import Seen
from fetometry.serve.web.store import Kept, Trail
from fetometry.serve.web.words import page_words
from fetometry.types import Exam, Finding, Measurement, Problem, Selected

Json = dict[str, Any]
Place = tuple[str, int]

#: Points of an outline that are sent, and their decimals: a hundredth of a pixel is not seen.
MOST_POINTS, DECIMALS = 120, 2


@dataclass(frozen=True)
class Page:
    """All that a document is made of. `exam` is None of one that is not measured.

    `files` has what is known of each file, by its path; `done` are those that were measured.
    """

    kept: Kept
    trail: Trail
    files: Mapping[str, Seen]
    patient: Json | None = None
    exam: Exam | None = None
    edits: Sequence[Edit] = ()
    reviews: Mapping[Place, FrameReview] = field(default_factory=dict)
    past: Mapping[str, History] = field(default_factory=dict)
    done: int = 0

    @property
    def names(self) -> dict[str, str]:
        """Path on disk → the name that people know the file by."""
        shown = [name for name, _ in self.kept.files]
        return dict(zip(self.files, shown, strict=True))

    @property
    def numbers(self) -> dict[str, int]:
        """Path on disk → number of the image, from 0."""
        return {path: k for k, path in enumerate(self.files)}


def document(page: Page) -> Json:
    """Return the document of an exam."""
    kept, exam = page.kept, page.exam
    signed = page.trail.signed
    told = renamed(Exam((), exam.problems), page.names).problems if exam else ()
    problems = list(zip(exam.problems if exam else (), told, strict=True))
    return {
        "id": kept.id,
        "label": kept.label,
        "created": kept.created,
        "patient": page.patient,
        "state": "signed" if signed and kept.state == "ready" else kept.state,
        "reason": page_words(kept.reason),
        "revision": page.trail.revision,
        "progress": {"done": page.done, "total": len(kept.files)},
        "images": [_image(page, path, problems) for path in page.files],
        "selected": [_selected(page, entry) for entry in exam.selected] if exam else [],
        "growth": growth_document(exam, page.past) if exam else {},
        "problems": [_problem(problem) for problem in told],
        "signed": {"reviewer": signed.reviewer, "at": signed.at} if signed else None,
        "edits": sum(1 for entry in page.trail.entries if not entry.undone),
        "dates": dates_said(kept.asked, page.edits),
        "previous": _previous(page.past),
    }


def _image(page: Page, path: str, problems: Sequence[tuple[Problem, Problem]]) -> Json:
    seen = page.files[path]
    reviews = [review for place, review in sorted(page.reviews.items()) if place[0] == path]
    known = [(review, finding) for review in reviews if (finding := _seen(review))]
    shown = [_finding(page, review, finding) for review, finding in known]
    spacing = next((finding.spacing for _, finding in known if finding.spacing), None)
    problems_of = [(problem, told) for problem, told in problems if problem.source == path]
    own = [_problem(told) for _, told in problems_of]
    if seen.reason and not own:
        own = [_problem(Problem(page.names[path], None, _named(seen.reason, page)))]
    return {
        "image": page.numbers[path],
        "name": page.names[path],
        "frames": seen.frames,
        "width": seen.width,
        "height": seen.height,
        "best_frame": _best(shown),
        "spacing_mm": list(spacing.mm) if spacing else None,
        "spacing_source": spacing.source if spacing else None,
        "may_calibrate": seen.may_calibrate,
        "fetus": _fetus(page, path, known),
        "rejected": any(p.kind == "rejected" and p.frame is None for p, _ in problems_of),
        "problems": own,
        "findings": shown,
    }


def _fetus(page: Page, path: str, known: Sequence[tuple[FrameReview, Finding]]) -> str:
    """Return whose a file is, also where nothing was found in it."""
    said = [e for e in standing(page.edits) if (e.action, e.source) == ("fetus", path)]
    if said:
        return str(said[-1].value.get("fetus", ""))
    return next((finding.fetus for _, finding in known), str(page.kept.asked.get("fetus", "")))


def _named(text: str, page: Page) -> str:
    for path, name in page.names.items():
        text = text.replace(path, name)
    return text


def _seen(review: FrameReview) -> Finding | None:
    return review.finding or review.proposal


def _best(findings: Sequence[Json]) -> int | None:
    """Return the frame that counts, else the one of best quality."""
    kept = [f for f in findings if not f["rejected"]] or findings
    if not kept:
        return None
    return int(max(kept, key=lambda f: (f["counts"], f["quality"], -f["frame"]))["frame"])


def _counts(page: Page, finding: Finding) -> bool:
    exam = page.exam
    names = {m.name for m in finding.measurements}
    return exam is not None and any(
        entry.name in names
        and entry.fetus == finding.fetus
        and entry.source in ("", finding.source)
        and entry.frame in (None, finding.frame)
        for entry in exam.selected
    )


def _finding(page: Page, review: FrameReview, finding: Finding) -> Json:
    """Return a frame as its reviewer sees it; where it shows no plane, without numbers."""
    measured = _latest(page, finding) if review.finding else replace(finding, measurements=())
    flags = dict.fromkeys(flag for m in measured.measurements for flag in m.flags)
    gone = review.finding is None
    return {
        "frame": review.frame,
        "plane": review.plane or finding.plane,
        "plane_probability": None if review.edited else finding.plane_probability,
        "quality": finding.quality,
        "fetus": finding.fetus,
        "model": finding.model.name,
        "rejected": review.rejected,
        "reason": review.reason,
        "counts": review.counts and _counts(page, measured),
        "chosen": bool(review.chosen),
        "to_place": review.to_place,
        "edited": review.edited,
        "placed": EDITED in flags,
        "plane_chosen": PLANE_CHOSEN in flags,
        "flags": [{"id": flag, "text": FLAG_TEXT.get(flag, flag)} for flag in flags],
        "ellipse": None if gone else ellipse_document(finding.ellipse),
        "points_px": {} if gone else callipers(finding.points_px),
        "outline_px": [] if gone else _outline(finding.outline_px),
        "measurements": [_measurement(m) for m in measured.measurements],
        "criteria": [
            {"id": name, "text": text, "ticked": bool(review.criteria.get(name))}
            for name, text in CRITERIA.get(review.plane, ())
        ],
        "proposal": _proposed(review.proposal),
    }


def _latest(page: Page, finding: Finding) -> Finding:
    """Return a finding as it is in the exam, where sizes that disagree are flagged."""
    place = (finding.source, finding.frame)
    there = page.exam.findings if page.exam else ()
    return next((f for f in there if (f.source, f.frame) == place), finding)


def _proposed(found: Finding | None) -> Json | None:
    if found is None:
        return None
    return {
        "plane": found.plane,
        "fetus": found.fetus,
        "ellipse": ellipse_document(found.ellipse),
        "points_px": callipers(found.points_px),
        "measurements": [_measurement(m) for m in found.measurements],
    }


def callipers(points_px: Mapping[str, tuple[float, float]]) -> dict[str, list[list[float]]]:
    """Return the two ends (row, col) of every straight measurement, by its name."""
    names = dict.fromkeys(key.rpartition("_")[0] for key in points_px)
    return {name: [list(points_px[f"{name}_{k}"]) for k in (1, 2)] for name in names}


def ellipse_document(ellipse: Ellipse | None) -> Json | None:
    """Return an ellipse as JSON has it: also what an edit of it holds."""
    if ellipse is None:
        return None
    return {
        "center_px": list(ellipse.center),
        "semi_axes_px": list(ellipse.semi_axes),
        "angle_deg": ellipse.angle_deg,
    }


def _outline(points_px: Points) -> list[list[float]]:
    step = max(1, -(-len(points_px) // MOST_POINTS))
    return [[round(float(r), DECIMALS), round(float(c), DECIMALS)] for r, c in points_px[::step]]


def _measurement(m: Measurement) -> Json:
    return {
        "name": m.name,
        "value": m.value,
        "unit": m.unit,
        "low": m.low,
        "high": m.high,
        "convention": m.convention,
        "flags": list(m.flags),
    }


def _selected(page: Page, entry: Selected) -> Json:
    return {
        "name": entry.name,
        "fetus": entry.fetus,
        "value": entry.value,
        "unit": entry.unit,
        "low": entry.low,
        "high": entry.high,
        "how": entry.how,
        "count": entry.count,
        "sd": entry.sd,
        "smallest": entry.smallest,
        "largest": entry.largest,
        "image": page.numbers.get(entry.source),
        "frame": entry.frame,
        "flags": [{"id": flag, "text": FLAG_TEXT.get(flag, flag)} for flag in entry.flags],
    }


def _problem(problem: Problem) -> Json:
    return {
        "source": problem.source,
        "frame": problem.frame,
        "reason": page_words(problem.reason),
        "kind": problem.kind,
    }


def dates_said(given: Mapping[str, str], edits: Sequence[Edit]) -> Json:
    """Return what was said of the pregnancy's dates: by the last edit, else with the upload."""
    said = [edit.value for edit in standing(edits) if edit.action == "dates"]
    return dict(said[-1]) if said else {key: given[key] for key in DATES if key in given}


def _previous(past: Mapping[str, History]) -> list[Json]:
    return [
        {
            "fetus": fetus,
            "source": source,
            "age": growth.age.text if growth.age else "",
            "when": when,
        }
        for fetus, history in past.items()
        for source, growth, when in zip(
            history.sources, history.growths, history.whens, strict=True
        )
    ]
