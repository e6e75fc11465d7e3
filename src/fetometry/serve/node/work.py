"""Takes studies that have been quiet, has them measured, and commits what came out."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pydicom

from fetometry.errors import DataError, OutputError
from fetometry.serve.node.measuring import (
    CRASHED,
    NOT_WRITTEN,
    STOPPED,
    Measurer,
    NotMeasured,
    Request,
)
from fetometry.serve.node.reported import patient_of
from fetometry.serve.node.store import MAX_ATTEMPTS, Job, Result, Store

#: How often is looked for a study that has been quiet.
LOOK_S = 0.5

#: After a full disk, how long until the study is tried again.
FULL_S = 30.0

#: How the folder begins that a study is measured into before it is committed.
WORKING = ".work-"

#: What a result is for the store, by the end of its name.
KINDS = {".sr.dcm": "sr", ".sr1500.dcm": "sr1500", ".seg.dcm": "seg", ".sc.dcm": "sc"}

#: Those of which a new one names the one before.
REPORTS = (".sr.dcm", ".sr1500.dcm")

#: Images that are left out at the last attempt, each because the child died of it.
MOST_LEFT_OUT = 3

#: Why an image is put aside.
FATAL = "crashes-measuring"

Log = Callable[..., None]


@dataclass
class Worker:
    """Measures one study after another until it is to end.

    `folder` is the store's, `fetch` brings earlier reports of a study's patient, and `log` takes an
    event with what there is to say of it.
    """

    store: Store
    folder: Path
    measurer: Measurer
    quiet_s: float
    limit_s: float
    stop: threading.Event
    log: Log
    fetch: Callable[[Job], None] | None = None
    _not_before: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Measure what is quiet, until `stop`.

        Raises:
            FetometryError: the model or the profile cannot be used.
        """
        self._start()
        try:
            while not self.stop.wait(LOOK_S):
                self.step()
        finally:
            self.measurer.end()

    def step(self) -> None:
        """Measure each study that is quiet now, once."""
        seen: set[str] = set()
        while (job := self._next(seen)) is not None and not self.stop.is_set():
            seen.add(job.study)
            self._tried(job)

    def _next(self, seen: Set[str]) -> Job | None:
        """Return a study that is quiet at this moment: measuring the one before took its time."""
        try:
            jobs = self.store.quiet_studies(self.quiet_s)
        except OutputError as error:
            self.log("store-not-read", reason=type(error).__name__)
            return None
        now = time.monotonic()
        waiting = (job for job in jobs if job.study not in seen)
        return next((job for job in waiting if self._not_before.get(job.study, 0.0) <= now), None)

    def _start(self) -> None:
        """Start the child before the first study comes: what is wrong is known at once."""
        try:
            self.measurer.start(self.limit_s)
        except NotMeasured as error:  # a slow machine: the first study starts it again
            if error.code == STOPPED:  # the node ends, for a reason of its own
                return
            self.log("measurer-not-started", reason=error.code)

    def _tried(self, job: Job) -> None:
        """Measure a study; where that fails, count it, unless the disk is full."""
        self._not_before.pop(job.study, None)
        try:
            self._measure(job)
        except DataError as error:  # the study has been forgotten meanwhile
            self.log("study-not-stored", study=job.study, reason=type(error).__name__)
        except (OutputError, OSError) as error:
            self._not_before[job.study] = time.monotonic() + FULL_S
            self.log("study-waits", study=job.study, reason=type(error).__name__)

    def _measure(self, job: Job) -> None:
        if self.fetch is not None:
            self.fetch(job)
        try:
            self._measured_without_the_worst(job)
        except NotMeasured as error:
            if error.code == STOPPED:
                return
            if error.code == NOT_WRITTEN:
                # no fault of the study: it waits for room, whatever the disk says is free
                raise OutputError("a result could not be written") from None
            self.store.fail(job, error.code)
            code, attempt = error.code, job.attempts + 1
            self.log("study-not-measured", study=job.study, reason=code, attempt=attempt)

    def _measured_without_the_worst(self, job: Job) -> None:
        """Measure a study; at the last attempt without the images that the child dies of."""
        begun, left = time.monotonic(), job
        for _ in range(MOST_LEFT_OUT):
            try:
                return self._measured(left, job, begun)
            except NotMeasured as error:
                files = tuple(file for file in left.files if str(file) != error.file)
                last = job.attempts + 1 >= MAX_ATTEMPTS
                if error.code != CRASHED or files in ((), left.files) or not last:
                    raise
                left = replace(left, files=files)
        return self._measured(left, job, begun)

    def _measured(self, job: Job, whole: Job, begun: float) -> None:
        """Measure a study, or what is left of the whole of it, and commit what came out."""
        target = self.store.results_folder(job)
        work = target.parent / f"{WORKING}{uuid4().hex}"
        work.mkdir(parents=True)
        try:
            self._with_predecessors(job, work)
            request = Request(
                str(work),
                tuple(map(str, job.files)),
                tuple(map(str, self.store.earlier_exams(job.patient, job.study))),
                tuple(str(path) for path in self._reports(job) if path.parent.name != job.study),
            )
            answer = self.measurer.measure(request, self.limit_s)
            found = list(_results(work))
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        results = [
            Result(uid, sop_class, (target / path).relative_to(self.folder), digest, kind)
            for uid, sop_class, path, digest, kind in found
        ]
        for file in whole.files:
            if file not in job.files:
                self.store.put_aside(job, file, FATAL)
                self.log("image-put-aside", study=job.study, reason=FATAL)
        self.store.finish(job, results, answer.outcome)
        self.log(
            f"study-{answer.outcome}",
            study=job.study,
            images=len(job.files),
            measured=answer.measured,
            refused=answer.refused,
            earlier=answer.earlier,
            results=len(results),
            seconds=round(time.monotonic() - begun, 1),
        )

    def _reports(self, job: Job) -> Iterator[Path]:
        """Yield the reports that were fetched for a patient, also those that name no issuer."""
        yield from self.store.reports_of(job.patient)
        patient = patient_of(job.files[0])
        if patient.id and patient.issuer:
            yield from self.store.reports_of(self.store.patient_key(f"{patient.id}\0"))

    def _with_predecessors(self, job: Job, work: Path) -> None:
        """Put the reports that were committed last into the folder: new ones name them."""
        for ending in REPORTS:
            last = self.store.last_result(job.study, KINDS[ending])
            if last is None:
                continue
            base = self.folder / "results" / job.study
            before = base / last.relative_to(base).parts[0]
            for report in before.rglob(f"*{ending}"):
                copy = work / report.relative_to(before)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(report, copy)


def _results(folder: Path) -> Iterator[tuple[str, str, Path, str, str]]:
    """Yield UID, class, place, digest and kind of each DICOM file, the report last.

    A viewer that opens the report finds its images there.
    """
    files = sorted(folder.rglob("*.dcm"), key=lambda path: (path.name.endswith(".sr.dcm"), path))
    for path in files:
        header = pydicom.dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        kind = next(kind for end, kind in KINDS.items() if path.name.endswith(end))
        uid, sop_class = str(header.SOPInstanceUID), str(header.SOPClassUID)
        yield uid, sop_class, path.relative_to(folder), digest, kind
