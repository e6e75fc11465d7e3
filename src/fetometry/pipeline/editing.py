"""What edits make of an exam: the proposal of the models, and what a person changed, in order.

Nothing is changed in place, and nothing is measured by other rules than the models' findings:
`edited` gives the same exam for the same edits, whoever asks. A file is read again only by
`frames`, and a model runs only where a person says that an image shows another plane.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fetometry.errors import MeasurementError, SpacingError, UsageError
from fetometry.geometry import Points
from fetometry.measure import CALLIPERS, Placed, measure_placed
from fetometry.pipeline.edit_dates import dates_known, sources_of
from fetometry.pipeline.edit_values import check_form, check_place, picture_for, rejected_of
from fetometry.pipeline.edit_wanted import APPLY, Wanted
from fetometry.pipeline.growing import with_growth
from fetometry.pipeline.looking_again import looked_again
from fetometry.pipeline.selecting import SIZES_DISAGREE, Place, decide
from fetometry.pipeline.settings import Settings
from fetometry.pipeline.writing_edited import write_edited
from fetometry.review import OF_FILE, PLANE_CHOSEN, Edit, Review, standing
from fetometry.types import NO_PLANE, Exam, Finding, Image, Problem, SizeInterval, Spacing

#: Reads a frame of a source; the caller remembers what was read.
Frames = Callable[[str, int], Image]

NO_PLANE_SEEN = "a reviewer says that it shows no plane that is measured"
REJECTED = "a reviewer rejected it"
NO_MM = "the size of a pixel is not known: the numbers are in pixels"
NOTHING_PLACED = "no model saw the {} here: it counts once a reviewer has placed it"


@dataclass(frozen=True)
class FrameReview:
    """One frame as its reviewer sees it.

    `finding` is there of a rejected image, too, and where it is yet `to_place`: neither counts.
    `with_file`: it is rejected as the whole file is. `edited`: a person placed it, or named its
    plane; a size of a pixel is neither. `chosen` is the number of the edit that made this frame
    count, 0 of no such; of two of a plane the higher holds. `criteria` are those that were ticked
    or unticked.
    """

    source: str
    frame: int
    proposal: Finding | None
    finding: Finding | None
    plane: str
    rejected: bool = False
    reason: str = ""
    to_place: bool = False
    edited: bool = False
    with_file: bool = False
    chosen: int = 0
    criteria: Mapping[str, bool] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether its finding is among those of the exam."""
        return self.finding is not None and not self.rejected and not self.to_place


def _places(proposal: Exam) -> dict[Place, Finding | None]:
    """Return every frame of an exam with what the model proposed for it."""
    found: dict[Place, Finding | None] = {(f.source, f.frame): f for f in proposal.findings}
    for problem in proposal.problems:
        if problem.frame is not None:
            found.setdefault((problem.source, problem.frame), None)
    return found


def _meant(edit: Edit, places: Iterable[Place]) -> list[Place]:
    """Return the frames that an edit is of: all of a file where it names none, or cannot."""
    whole = edit.frame is None or edit.action in OF_FILE
    found = [p for p in places if p[0] == edit.source and (whole or p[1] == edit.frame)]
    if not found and edit.frame is not None:
        found = [(edit.source, edit.frame)]
    return found


def _wanted(places: Iterable[Place], edits: Iterable[Edit]) -> dict[Place, Wanted]:
    found: dict[Place, Wanted] = {}
    known = list(places)
    for edit in edits:
        apply = APPLY.get(edit.action)
        for place in _meant(edit, known) if apply else ():
            if apply:
                found[place] = apply(found.get(place, Wanted()), edit)
    return found


def frame_reviews(
    proposal: Exam, edits: Sequence[Edit], settings: Settings, frames: Frames
) -> dict[Place, FrameReview]:
    """Return every frame of an exam by (source, frame), as it is under the edits.

    Raises:
        UsageError: an edit does not go together with what is there.
        ModelError: a plane was changed, and the model cannot be used.
    """
    places = _places(proposal)
    wanted = _wanted(places, standing(edits))
    for place in wanted:
        places.setdefault(place, None)
    return {
        place: _review(place, before, wanted[place], settings, frames)
        if place in wanted
        else FrameReview(*place, before, before, before.plane if before else "")
        for place, before in places.items()
    }


def _review(
    place: Place, before: Finding | None, wanted: Wanted, settings: Settings, frames: Frames
) -> FrameReview:
    try:
        finding, seen = _finding(place, before, wanted, settings, frames)
    except MeasurementError as error:
        raise UsageError(str(error).replace(f" ({place[0]})", "")) from None
    if finding is not None and wanted.fetus is not None:
        finding = replace(finding, fetus=wanted.fetus)
    plane = finding.plane if finding else wanted.plane
    return FrameReview(
        *place,
        before,
        finding,
        plane,
        rejected=wanted.rejected,
        reason=wanted.reason,
        to_place=finding is not None and not (seen or _is_placed(plane, wanted.placed)),
        edited=bool(wanted.placed or wanted.plane),
        with_file=wanted.with_file,
        chosen=wanted.chosen if wanted.chosen_for == plane else 0,
        criteria=wanted.criteria,
    )


def _is_placed(plane: str, placed: Placed) -> bool:
    """Tell whether a person placed what the plane is measured by."""
    return "FL" in placed.ends_px if plane == "femur" else placed.ellipse is not None


def _finding(
    place: Place, before: Finding | None, wanted: Wanted, settings: Settings, frames: Frames
) -> tuple[Finding | None, bool]:
    """Return what stands in a frame, and whether a model saw it."""
    if wanted.plane == NO_PLANE:
        return None, False
    base, seen = before, True
    if wanted.plane and (before is None or wanted.plane != before.plane):
        image = picture_for(frames, *place)
        base, seen = looked_again(image, wanted.plane, wanted.spacing, settings)
    if base is None:
        if wanted.placed:
            raise UsageError("say first which plane the image shows")
        return None, False
    if wanted.plane:
        base = _named(base) if seen else base
    if wanted.placed or (wanted.spacing is not None and base.spacing != wanted.spacing):
        _check_lines(base.plane, wanted.placed)
        image = picture_for(frames, *place)
        spacing = wanted.spacing or _spacing_now(image, base, wanted.placed, settings)
        base = measure_placed(image, base, wanted.placed, spacing, _intervals(base, settings))
    if (base.source, base.frame) != place:  # the reader of frames may call it otherwise
        base = replace(base, source=place[0], frame=place[1])
    return base, seen


def _intervals(base: Finding, settings: Settings) -> Mapping[str, SizeInterval]:
    """Return the intervals of the model that saw something, where it is the one that is open."""
    info = settings.predictor.info
    return info.intervals if info.ref == base.model else {}


def _check_lines(plane: str, placed: Placed) -> None:
    """Refuse to place in one plane what belongs to another.

    Raises:
        UsageError: it does.
    """
    other = [name for name in placed.ends_px if name not in CALLIPERS[plane]]
    if other:
        raise UsageError(f"{other[0]} is not measured in the plane {plane}")
    if plane == "femur" and placed.ellipse is not None:
        raise UsageError("a femur has a line between its ends, and no ellipse")


def _without(finding: Finding, flag: str) -> Finding:
    """Return a finding without one flag."""
    if not any(flag in m.flags for m in finding.measurements):
        return finding
    kept = (
        replace(m, flags=tuple(name for name in m.flags if name != flag))
        for m in finding.measurements
    )
    return replace(finding, measurements=tuple(kept))


def _named(finding: Finding) -> Finding:
    """Return what a model drew in the plane that a person named: nobody doubts which one it is."""
    sure = _without(finding, "low-plane-probability")
    measured = (
        replace(m, flags=tuple(dict.fromkeys((*m.flags, PLANE_CHOSEN)))) for m in sure.measurements
    )
    return replace(sure, measurements=tuple(measured))


def _spacing_now(image: Image, base: Finding, placed: Placed, settings: Settings) -> Spacing | None:
    """Return the spacing that holds where something was placed: a file may have several."""
    if not image.regions or settings.spacing is not None:
        return base.spacing
    ellipse = placed.ellipse or base.ellipse
    points = base.outline_px if ellipse is None else ellipse.points()
    if base.plane == "femur" and "FL" in placed.ends_px:
        points = placed.ends_px["FL"]
    try:
        return image.spacing_at(points)
    except SpacingError:
        # of an ellipse that the edge of its region cuts, the middle says which region it is
        return _spacing_at_middle(image, points)


def _spacing_at_middle(image: Image, points: Points) -> Spacing | None:
    try:
        return image.spacing_at(points.mean(axis=0)[None])
    except SpacingError:
        return None


def _problems(
    proposal: Exam, reviews: Mapping[Place, FrameReview], edits: Sequence[Edit]
) -> Iterator[Problem]:
    """Yield what still stands in the way, and what a person rejected."""
    whole = _whole(reviews.values(), edits)
    for problem in proposal.problems:
        review = reviews.get((problem.source, problem.frame or 0))
        if problem.source in whole and problem.frame is None:
            continue
        if review is None or _still(review):
            yield problem
    exams = {problem.source: problem.exam for problem in proposal.problems}
    exams |= {finding.source: finding.exam for finding in proposal.findings}
    for source, reason in whole.items():  # said once, however many frames it has
        yield Problem(source, None, _words(reason), "rejected", exams.get(source, ""))
    for review in reviews.values():
        said = _said(review)
        if said and review.source not in whole:
            exam = next((f.exam for f in (review.finding, review.proposal) if f), "")
            yield Problem(review.source, review.frame, *said, exam)


def _whole(reviews: Collection[FrameReview], edits: Sequence[Edit]) -> dict[str, str]:
    """Return the files that are rejected with all of their frames, and why."""
    last = {e.source: e for e in edits if e.action == "reject" and e.frame is None}
    told = {source: rejected_of(edit.value) for source, edit in last.items()}
    single = {review.source for review in reviews if not review.with_file}
    return {
        source: reason
        for source, (rejected, reason) in told.items()
        if rejected and source not in single
    }


def _still(review: FrameReview) -> bool:
    """Tell whether what stood in the way of a proposal still does."""
    if review.rejected or review.plane == NO_PLANE:
        return False
    if review.finding is None or review.finding is review.proposal:
        return True
    return review.proposal is not None and review.finding.spacing is None


def _said(review: FrameReview) -> tuple[str, str] | None:
    """Return why a frame does not count because of a person, and of what kind that is."""
    if review.rejected:
        return _words(review.reason), "rejected"
    if review.plane == NO_PLANE:
        return NO_PLANE_SEEN, "other-plane"
    if review.to_place:
        return NOTHING_PLACED.format(review.plane), "refused"
    if review.edited and review.finding and review.finding.spacing is None:
        return (NO_MM, "refused") if review.proposal is None else None
    return None


def _words(reason: str) -> str:
    return f"{REJECTED}: {reason}" if reason else REJECTED


def edited(proposal: Exam, edits: Sequence[Edit], settings: Settings, frames: Frames) -> Exam:
    """Return the exam that edits make of what the models proposed.

    Edits that were undone do nothing; the others are taken in the order of their numbers. Which
    values count, and what they mean, is decided anew. A frame that was rejected is among the
    problems; one that is yet to be placed counts for nothing.

    Raises:
        UsageError: an edit does not go together with what is there, most of what was placed lies
            outside the picture, or no fetus has such a size.
        ModelError: a plane was changed, and the model cannot be used.
    """
    standing_ = standing(edits)
    reviews = frame_reviews(proposal, standing_, settings, frames)
    counting = [r for r in reviews.values() if r.counts]
    findings = [_without(r.finding, SIZES_DISAGREE) for r in counting if r.finding]
    chosen = sorted((r for r in counting if r.chosen), key=lambda r: r.chosen)
    places = [(review.source, review.frame) for review in chosen]
    found, selected = decide(findings, settings.selection, places)
    exam = replace(
        proposal,
        findings=found,
        selected=selected,
        problems=tuple(_problems(proposal, reviews, standing_)),
        review=Review(edits=tuple(edits)),
    )
    return with_growth(exam, dates_known(proposal, standing_, settings), settings.house)


def checked_edit(proposal: Exam, edit: Edit, frames: Frames) -> None:
    """Refuse an edit that is none: its value, its place in the picture, its image.

    Whether it goes together with the edits before it, and whether a fetus has such a size, is
    what `edited` says.

    Raises:
        UsageError: in plain words, why.
    """
    check_form(edit)
    if edit.action == "dates":
        return
    if edit.source not in sources_of(proposal):
        raise UsageError("there is no such image in this exam")
    if edit.frame is not None or edit.action == "spacing":
        frame = edit.frame or min((f for s, f in _places(proposal) if s == edit.source), default=1)
        check_place(edit, picture_for(frames, edit.source, frame))


__all__ = ["FrameReview", "Frames", "checked_edit", "edited", "frame_reviews", "write_edited"]
