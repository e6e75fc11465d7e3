"""One study measured into a folder, beside the patient's earlier exams: what the child does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fetometry import pipeline, report
from fetometry.errors import FetometryError
from fetometry.growth import age_of, read_profile
from fetometry.report.dicom_out import SC
from fetometry.report.exam_json import exam_json
from fetometry.report.reports import CHART
from fetometry.serve.node.measuring import (
    ANSWERED,
    NOT_WRITTEN,
    NOTHING,
    Answer,
    Asked,
    NotMeasured,
    Request,
)
from fetometry.serve.node.reported import exam_of_report, patient_of
from fetometry.types import Exam

#: Always written: what the next exam of the patient is compared with.
JSON = "json"

#: Beside exam.json: the day from which the age counts, which tells one pregnancy from another.
PREGNANCY, STARTED = "pregnancy.json", "started"

#: Two exams are of one pregnancy where their first days are no further apart: redating moves the
#: day by up to three weeks, and a next pregnancy begins later than that.
SAME_PREGNANCY = timedelta(days=21)

#: Ages that are no further apart are one exam's, which two documents tell of.
SAME_EXAM_DAYS = 0.5


@dataclass(frozen=True)
class _Now:
    """The age at this exam, from dates, and the first day of the pregnancy by it."""

    age_days: float
    started: date


class Studies:
    """Measures studies with one model, one profile and one choice of outputs.

    Raises:
        FetometryError: the model or the profile cannot be used.
    """

    def __init__(self, asked: Asked) -> None:
        house = read_profile(None if asked.profile is None else Path(asked.profile))
        self._settings = pipeline.Settings(model=asked.model, profile=house)
        self._kinds = report.checked_kinds(asked.kinds) | {JSON}
        self._predictor = self._settings.predictor  # loaded before the first study

    def measure(self, request: Request) -> Answer:
        """Measure one study into its folder.

        Raises:
            NotMeasured: a result could not be written.
            FetometryError: there is no image, or the dates contradict each other.
        """
        folder, files = Path(request.folder), [Path(file) for file in request.files]
        now = self._now(files)
        with tempfile.TemporaryDirectory(prefix="fetometry-") as temporary:
            before = self._earlier(request, now) if now else []
            for k, exam in enumerate(before):
                text = exam_json(exam).encode("utf-8", "backslashreplace")
                (Path(temporary) / f"{k}.json").write_bytes(text)
            exams, _ = pipeline.measure_into(
                folder,
                files,
                self._settings,
                kinds=self._kinds | {CHART} if before else self._kinds,
                previous=Path(temporary) if before else None,
            )
        if now is not None:
            (folder / PREGNANCY).write_text(json.dumps({STARTED: now.started.isoformat()}))
        return _answer(exams, folder, len(before))

    def _now(self, files: Sequence[Path]) -> _Now | None:
        """Return the age at the exam of one patient, where the files say it by dates."""
        if len(pipeline.visits_of(files)) > 1:
            return None
        known, house = pipeline.dated(files, self._settings).dates, self._settings.house
        age = age_of(known, house.dating, house.known)
        if age is None or known.exam is None:
            return None
        return _Now(age.days, known.exam - timedelta(days=age.days))

    def _earlier(self, request: Request, now: _Now) -> list[Exam]:
        """Return the earlier exams of this pregnancy, each once, those of this node first."""
        if SC not in self._kinds or not patient_of(Path(request.files[0])).id:
            return []
        taken: dict[float, Exam] = {}
        for exam, started in (*_own(request.exams), *self._reported(request.reports)):
            days = _days_of(exam)
            known = any(abs(days - other) < SAME_EXAM_DAYS for other in taken)
            same = abs(started - now.started) <= SAME_PREGNANCY
            if 0 < days < now.age_days and same and not known:
                taken[days] = exam
        return list(taken.values())

    def _reported(self, paths: Iterable[str]) -> Iterable[tuple[Exam, date]]:
        for path in paths:
            try:
                found = exam_of_report(Path(path), self._settings.house)
            except FetometryError:  # somebody else's report: the exam goes on without it
                continue
            if found is not None:
                yield found


def _own(paths: Iterable[str]) -> Iterable[tuple[Exam, date]]:
    """Yield the exams that this node measured, as far as their age came from dates."""
    for path in map(Path, paths):
        try:
            said = json.loads(path.with_name(PREGNANCY).read_bytes())
            yield report.read_exam(path), date.fromisoformat(said[STARTED])
        except (FetometryError, LookupError, OSError, TypeError, ValueError):
            continue  # without a date, or damaged: the exam goes on without it


def _days_of(exam: Exam) -> float:
    """Return the age at an exam in days; 0 where dates do not say it."""
    ages = [g.age.days for g in exam.growth.values() if g.age is not None and not g.age.estimated]
    return ages[0] if ages else 0.0


def _answer(exams: Sequence[Exam], folder: Path, earlier: int) -> Answer:
    refused = [p for exam in exams for p in exam.problems if p.kind == "refused"]
    if any(Path(problem.source).is_relative_to(folder) for problem in refused):
        raise NotMeasured(NOT_WRITTEN)
    measured = sum(len(exam.findings) + len(exam.volumes) for exam in exams)
    return Answer(ANSWERED if measured else NOTHING, measured, len(refused), earlier)
