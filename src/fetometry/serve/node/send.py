"""Sends results to the peer by C-STORE, again and again until it has them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    ComprehensiveSRStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom.association import Association

from fetometry.errors import OutputError
from fetometry.image.dicom import PYDICOM_RAISES
from fetometry.serve.node.peer import PeerError, association
from fetometry.serve.node.settings import NodeSettings
from fetometry.serve.node.store import Send, Store

#: How often is looked for something to send.
LOOK_S = 0.5

#: After a full disk, how long until the next try.
FULL_S = 30.0

#: Results that go through one association: a peer may close one that never ends.
AT_ONCE = 50

#: How often a peer may say that it does not want a result before the others of its study need not
#: wait for it any more, and before it is given up for what can never work.
MOST_REFUSALS = 3

#: For how long at least a peer has to say so where a person may still allow it.
REFUSING_S = 3600.0

#: Statuses (PS3.4 B.2.3, PS3.7 C): taken, taken before (0111), taken with a remark.
TAKEN = (0x0000, 0x0111, 0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000))

#: Statuses that can never change: no such SOP class, data set and SOP class do not fit.
_NEVER = (0x0122, *range(0xA900, 0xAA00))

#: The peer has no room: for no result, so that they wait in order.
_NO_ROOM = range(0xA700, 0xA800)

_DAY_S = 86400.0

#: What the results are.
CLASSES = (SecondaryCaptureImageStorage, SegmentationStorage, ComprehensiveSRStorage)

NO_ANSWER, NO_CONTEXT, NO_FILE = "no-answer", "class-not-accepted", "result-unreadable"

Log = Callable[..., None]


@dataclass
class _Refusals:
    """How often the peer would not have a result, and since when."""

    since: float
    count: int = 0


@dataclass
class Sender:
    """Sends what is due, until it is to end; waits longer after each failure in a row.

    What the peer refuses is tried on until the days are over that a study is kept, as a peer's
    database may be away for hours; what can never work is given up.
    """

    store: Store
    settings: NodeSettings
    stop: threading.Event
    log: Log
    now: Callable[[], float] = time.time
    _failures: int = 0
    _refusals: dict[int, _Refusals] = field(default_factory=dict)

    def run(self) -> None:
        """Send what is due, until `stop`."""
        wait_s = LOOK_S
        while not self.stop.wait(wait_s):
            try:
                due = self.store.due_sends()
                wait_s = self._pause_s() if due and not self._sent(due[0]) else LOOK_S
            except OutputError:  # the disk is full: what was sent is sent again, the same bytes
                self.log("store-not-written")
                wait_s = FULL_S

    def _pause_s(self) -> float:
        """Return how long to wait: twice as long each time, and never all nodes at once."""
        first, longest = self.settings.retry_s
        doubled = first * 2.0 ** min(self._failures - 1, 30)
        return float(min(longest, doubled) * random.uniform(0.8, 1.0))

    def _sent(self, first: Send) -> bool:
        """Send what is due through one association; tell whether the peer was there."""
        try:
            with association(self.settings, CLASSES) as peer:
                broken = self._send_all(peer)
        except PeerError as error:
            self._failures += 1
            self.store.retry(first, error.code, 0.0)
            self.log("peer-away", reason=error.code, failures=self._failures)
            return False
        self._failures = self._failures + 1 if broken else 0
        return not broken

    def _send_all(self, peer: Association) -> bool:
        """Send one result after another; tell whether the association broke.

        The store gives of each study the next result only.
        """
        count = 0
        while count < AT_ONCE and (due := self.store.due_sends()):
            for send in due:
                if self.stop.is_set():
                    return False
                status, reason = self._send(send, peer)
                self._note(send, status, reason)
                count += 1
                if not peer.is_established:
                    return True
        return False

    def _note(self, send: Send, status: int | None, reason: str) -> None:
        if status not in TAKEN:
            self._not_taken(send, status, reason)
            return
        self.store.sent(send)
        self._refusals.pop(send.id, None)
        self.log("result-sent", study=send.study, status=reason)

    def _send(self, send: Send, peer: Association) -> tuple[int | None, str]:
        """Send one result; return the status, or None and why there is none."""
        try:
            dataset = pydicom.dcmread(send.path)
        except (InvalidDicomError, *PYDICOM_RAISES):
            return None, NO_FILE
        try:
            answer = peer.send_c_store(dataset)
        except RuntimeError:  # the peer has closed the association
            return None, NO_ANSWER
        except ValueError:
            return None, NO_CONTEXT
        if "Status" not in answer:
            return None, NO_ANSWER
        return int(answer.Status), f"status-{int(answer.Status):04X}"

    def _not_taken(self, send: Send, status: int | None, reason: str) -> None:
        first, longest = self.settings.retry_s
        refusals = self._refused(send, status, reason)
        if refusals is not None and self._is_given_up(send, refusals, status, reason):
            del self._refusals[send.id]
            self.store.refused(send, reason)
            self.log("result-refused", study=send.study, reason=reason)
            return
        after_s = min(longest, first * 2.0 ** min(send.attempts, 30))
        # where no association has this class, the others need not wait to hear so again
        often = refusals is not None and refusals.count >= MOST_REFUSALS
        self.store.retry(send, reason, after_s, aside=often or reason == NO_CONTEXT)
        self.log("result-not-sent", study=send.study, reason=reason, attempt=send.attempts + 1)

    def _refused(self, send: Send, status: int | None, reason: str) -> _Refusals | None:
        """Count a refusal of the result itself; return nothing where all had to wait."""
        if reason == NO_ANSWER or status in _NO_ROOM:
            return None
        refusals = self._refusals.setdefault(send.id, _Refusals(self.now()))
        refusals.count += 1
        return refusals

    def _is_given_up(
        self, send: Send, refusals: _Refusals, status: int | None, reason: str
    ) -> bool:
        if refusals.count < MOST_REFUSALS:
            return False
        if reason == NO_FILE or status in _NEVER:
            return True
        now = self.now()
        old = now - send.queued >= self.settings.keep_days * _DAY_S
        return now - refusals.since >= REFUSING_S and (old or reason == NO_CONTEXT)
