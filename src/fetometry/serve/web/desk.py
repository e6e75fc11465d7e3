"""What lies on the reviewers' desk: exams measured one after another, with all that was changed."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from fetometry import __version__
from fetometry.errors import FetometryError
from fetometry.pipeline import Settings, editing, visits_of
from fetometry.pipeline.edit_dates import dates_known
from fetometry.pipeline.editing import FrameReview
from fetometry.pipeline.previous import Earlier, histories, visits_in
from fetometry.review import Edit, Review, standing
from fetometry.serve.node.status import as_json
from fetometry.serve.node.store import Store as NodeStore
from fetometry.serve.web import proposals
from fetometry.serve.web.asked import settings_of
from fetometry.serve.web.changes import Asked, checked, edit_of, entry_of, next_edit
from fetometry.serve.web.document import Page, Place, document
from fetometry.serve.web.opened import (
    Json,
    Opened,
    Reviewed,
    names_of,
    patient_of,
    several,
    studies_of,
    unreadable,
    who,
    without_paths,
)
from fetometry.serve.web.pictures import Frames
from fetometry.serve.web.problems import Refusal
from fetometry.serve.web.proposals import Seen
from fetometry.serve.web.settings import WebSettings
from fetometry.serve.web.store import FAILED, MEASURING, READY, Kept, New, Store, Trail
from fetometry.serve.web.uploads import Files
from fetometry.types import Exam

log = logging.getLogger("fetometry.serve")

#: Exams whose proposal stays in memory.
MOST_OPEN = 64

NOT_MEASURED = "the exam is not measured yet, or could not be"

UNEXPECTED = "the measuring stopped; the log says where"


class Desk:
    """All exams of a store. Any thread may ask; one of its own measures."""

    def __init__(self, settings: WebSettings, house: Settings, store: Store) -> None:
        self.settings, self.house, self.store = settings, house, store
        self.frames = Frames()
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.RLock()
        self._writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._measuring = ThreadPoolExecutor(1, "measuring")
        for kept in reversed(store.exams()):  # those that the last run did not finish
            if kept.state == MEASURING:
                self.measure(kept.id)

    def close(self) -> None:
        """Let the exam that is being measured end, and no other begin."""
        self._measuring.shutdown(cancel_futures=True)
        self.store.close()

    # ---- beginning

    def begin(
        self,
        put: Callable[[Path], Files],
        said: Mapping[str, str],
        *,
        label: str = "",
        origin: str = "",
    ) -> Kept:
        """Take a new exam onto the desk: `put` puts its files into a folder.

        Raises:
            Refusal: what was said cannot be, or the files are not one patient's.
        """
        settings_of(said, self.house)  # refused before anything is kept
        exam, folder = self.store.new_folder()
        kept = None
        try:
            files = put(folder)
            paths = [folder / name for _, name in files]
            visits = visits_of(paths)
            if len(visits) > 1:
                raise Refusal(422, several(visits, files), "files")
            most = self.settings.limits.exams
            patient = self.store.pseudonym(who(paths))
            study = " ".join(sorted({self.store.pseudonym(text) for text in studies_of(paths)}))
            new = New(tuple(files), dict(said), label, origin, patient, study)
            kept = self.store.add(exam, new, most)
        finally:
            if kept is None:
                self.store.drop(exam)
        self.measure(exam)
        return kept

    def health(self, *, everything: bool) -> Json:
        """Return how the page is; `everything` also with what it works."""
        return {
            "status": "ok",
            "software": f"fetometry {__version__}",
            "models": [self.house.predictor.info.ref.name] if everything else [],
            "node": self._node() if everything else None,
            "forward": everything and bool(self.settings.forward),
        }

    def _node(self) -> Json | None:
        if self.settings.store is None:
            return None
        try:
            looked = NodeStore.look(self.settings.store)
        except FetometryError as error:
            return {"reason": str(error)}
        with looked:
            return as_json(looked.status())

    # ---- measuring

    def measure(self, exam: str) -> None:
        """Measure an exam as soon as those before it are done."""
        self._measuring.submit(self._measure, exam).add_done_callback(_unexpected)

    def _measure(self, exam: str) -> None:
        state, reason = FAILED, UNEXPECTED
        try:
            kept, opened = self._opened(exam)
            seen = [self._look(opened, path) for path in opened.paths]
            if not any(one.frames for one in seen):
                raise Refusal(409, unreadable(seen, kept, opened.paths))
            opened.earlier, unread = proposals.earlier(self.store.folder_of(exam))

            def done(count: int) -> None:
                opened.done = count

            files = [Path(path) for path in opened.paths]
            limit_s = self.settings.limits.measure_s
            found = proposals.measured(files, opened.settings, limit_s, done)
            found = replace(found, name=kept.label, problems=(*found.problems, *unread))
            proposals.write_proposal(found, self.store.folder_of(exam), names_of(kept))
            opened.done = len(files)
            state, reason = READY, ""
        except (FetometryError, Refusal) as error:
            reason = str(error)
        finally:
            self.store.measured(exam, state, reason)

    def _look(self, opened: Opened, path: str) -> Seen:
        if path not in opened.seen:
            opened.seen[path] = proposals.look(Path(path), self.frames)
        return opened.seen[path]

    # ---- reading

    def _opened(self, exam: str) -> tuple[Kept, Opened]:
        kept = self.store.exam(exam)
        with self._lock:
            if exam not in self._open:
                folder = self.store.folder_of(exam)
                paths = tuple(str(folder / name) for name in names_of(kept))
                settings = settings_of(kept.asked, self.house)
                self._open[exam] = Opened(settings, paths, kept.asked)
            self._open.move_to_end(exam)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return kept, self._open[exam]

    def _proposal(self, kept: Kept, opened: Opened) -> Exam | None:
        if kept.state != READY:
            return None
        if opened.proposal is None:
            folder = self.store.folder_of(kept.id)
            opened.proposal = proposals.read_proposal(folder, names_of(kept))
            opened.earlier, _ = proposals.earlier(folder)
            opened.done = len(opened.paths)
        return opened.proposal

    def _edited(self, opened: Opened, edits: Sequence[Edit]) -> Exam:
        if opened.proposal is None:
            raise Refusal(409, NOT_MEASURED)
        try:
            return editing.edited(opened.proposal, edits, opened.settings, self.frames)
        except FetometryError as error:
            raise Refusal(422, without_paths(str(error), opened.paths), "value") from None

    def _page(self, exam: str, extra: Asked | None = None) -> Page:
        kept, opened = self._opened(exam)
        trail = self.store.trail(exam)
        proposal = self._proposal(kept, opened)
        edits = [edit_of(entry, opened.paths) for entry in trail.entries]
        if proposal is None and extra is not None:
            raise Refusal(409, NOT_MEASURED)
        now = None
        if proposal is not None:
            now = self._latest(opened, trail, edits)
            if extra is not None:
                edit = self._next(opened, now, edits, extra)
                edits = [*edits, edit]
                now = self._edited(opened, edits)
        return Page(
            kept=kept,
            trail=trail,
            files={path: self._look(opened, path) for path in opened.paths},
            patient=patient_of(opened.paths),
            exam=now,
            edits=edits,
            reviews=self._reviews(opened, edits),
            past=histories(now, self._earlier(kept, opened)) if now else {},
            done=opened.done,
        )

    def _latest(self, opened: Opened, trail: Trail, edits: Sequence[Edit]) -> Exam:
        if opened.latest is None or opened.latest[0] != trail.revision:
            opened.latest = (trail.revision, self._edited(opened, edits))
        return opened.latest[1]

    def _next(self, opened: Opened, now: Exam, edits: Sequence[Edit], asked: Asked) -> Edit:
        """Return the edit that is asked for, as the next one.

        Raises:
            Refusal: it cannot be.
        """
        asked = checked(asked, opened.paths)
        source = "" if asked.image is None else opened.paths[asked.image]
        if opened.proposal is None:
            raise Refusal(409, NOT_MEASURED)
        try:
            edit = next_edit(asked, now, edits, source, opened.said)
            editing.checked_edit(opened.proposal, edit, self.frames)
        except FetometryError as error:
            raise Refusal(422, without_paths(str(error), opened.paths), "value") from None
        return edit

    def _earlier(self, kept: Kept, opened: Opened) -> tuple[Earlier, ...]:
        """Return the earlier exams: what was uploaded, and what was signed here."""
        found = list(opened.earlier)
        for before in self.store.before(kept):
            trail = self.store.trail(before.id)
            if trail.signed:
                found.append(self._as_earlier(before, trail))
        return tuple(found)

    def _as_earlier(self, before: Kept, trail: Trail) -> Earlier:
        """Return an exam that was signed here as one that others are compared with."""
        _, opened = self._opened(before.id)
        if opened.signed is None or opened.signed[0] != trail.revision:
            self._proposal(before, opened)
            edits = [edit_of(entry, opened.paths) for entry in trail.entries]
            exam = self._latest(opened, trail, edits)
            date = dates_known(exam, standing(edits), opened.settings).dates.exam
            when = date.isoformat() if date else ""
            earlier = Earlier(before.label, exam.growth, visits_in(exam), when)
            opened.signed = (trail.revision, earlier)
        return opened.signed[1]

    def _reviews(self, opened: Opened, edits: Sequence[Edit]) -> Mapping[Place, FrameReview]:
        if opened.proposal is None:
            return {}
        return editing.frame_reviews(opened.proposal, edits, opened.settings, self.frames)

    def document(self, exam: str, extra: Asked | None = None) -> Json:
        """Return the document of an exam; with `extra` as it would be after that edit.

        Raises:
            Refusal: there is no such exam, or the edit cannot be.
        """
        return document(self._page(exam, extra))

    def picture(self, exam: str, image: int, frame: int) -> Any:
        """Return one frame of one image.

        Raises:
            Refusal: there is none.
        """
        _, opened = self._opened(exam)
        if image >= len(opened.paths):
            raise Refusal(404, f"the exam has {len(opened.paths)} images, counted from 0")
        path = opened.paths[image]
        if not self._look(opened, path).frames:
            raise Refusal(404, "this file cannot be shown; the exam's document says why")
        try:
            return self.frames(path, frame)
        except FetometryError as error:
            raise Refusal(404, without_paths(str(error), opened.paths)) from None

    # ---- changing

    def edit(self, exam: str, asked: Asked, revision: int | None) -> Json:
        """Keep an edit, and return the exam's document with it.

        Raises:
            Refusal: the edit cannot be, or somebody else was first.
        """
        self.store.exam(exam)
        with self._writing[exam]:  # what is checked is what is kept: no edit comes between
            page = self._page(exam, asked)
            sources, edit = list(page.files), page.edits[-1]
            self.store.add_edit(exam, entry_of(edit, sources), revision)
            return self.document(exam)

    def undo(self, exam: str, revision: int | None) -> Json:
        """Take the last edit back, and return the exam's document without it.

        Raises:
            Refusal: there is none, or somebody else was first.
        """
        self.store.exam(exam)
        with self._writing[exam]:
            self.store.undo(exam, revision)
        return self.document(exam)

    def sign(self, exam: str, reviewer: str, revision: int | None) -> Json:
        """Sign an exam off, and return its document.

        Raises:
            Refusal: it is not measured, or somebody else was first.
        """
        self.store.exam(exam)
        with self._writing[exam]:
            self.store.sign(exam, reviewer, revision)
        return self.document(exam)

    def listed(self) -> list[Json]:
        """Return all exams in short, the newest first."""
        return [self._short(kept) for kept in self.store.exams()]

    def _short(self, kept: Kept) -> Json:
        trail = self.store.trail(kept.id)
        signed = trail.signed
        folder = self.store.folder_of(kept.id)
        return {
            "id": kept.id,
            "label": kept.label,
            "created": kept.created,
            "patient": patient_of([str(folder / name) for name in names_of(kept)]),
            "state": "signed" if signed else kept.state,
            "images": len(kept.files),
            "revision": trail.revision,
            "signed": {"reviewer": signed.reviewer, "at": signed.at} if signed else None,
        }

    def delete(self, exam: str) -> None:
        """Remove an exam's files; what was done to it is kept.

        Raises:
            Refusal: there is no such exam.
        """
        _, opened = self._opened(exam)
        self.store.delete(exam)
        self.frames.forget(set(opened.paths))
        with self._lock:
            self._open.pop(exam, None)

    def reviewed(self, exam: str) -> Reviewed:
        """Return an exam with its review, to be written.

        Raises:
            Refusal: there is none, or it is not measured.
        """
        page = self._page(exam)
        _, opened = self._opened(exam)
        if page.exam is None:
            raise Refusal(409, NOT_MEASURED)
        signed = page.trail.signed
        review = Review(
            signed.reviewer if signed else "", signed.at if signed else "", tuple(page.edits)
        )
        found = replace(page.exam, review=review)
        earlier = self._earlier(page.kept, opened)
        return Reviewed(found, opened.settings, page.names, earlier)


def _unexpected(future: Future[None]) -> None:
    """Say where a fault of our own was, and nothing of the exam."""
    if not future.cancelled() and (error := future.exception()) is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        log.error("measuring stopped: %s at %s", type(error).__name__, line)
