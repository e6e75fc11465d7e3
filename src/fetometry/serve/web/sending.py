"""The report of a reviewed exam, sent to the PACS by C-STORE."""

from __future__ import annotations

import io
import time
from typing import Any

import pydicom

from fetometry.serve.node.peer import UNREACHABLE, PeerError, association
from fetometry.serve.node.send import TAKEN
from fetometry.serve.node.settings import NodeSettings, parse_peer
from fetometry.serve.web.desk import Desk
from fetometry.serve.web.outputs import made
from fetometry.serve.web.problems import Refusal

REPORT = "report.sr.dcm"

#: After an answer that was lost, how long until the same bytes are sent again; then it is given up.
PAUSES_S = (3.0, 6.0)

#: How long the PACS may take to answer: a person waits.
ANSWER_S = 30.0


def send(desk: Desk, exam: str) -> dict[str, Any]:
    """Send the report of a signed exam, and say what the PACS answered.

    Raises:
        Refusal: there is no PACS, the exam is not signed, the report cannot be made or is not
            taken.
    """
    if not desk.settings.forward:
        raise Refusal(409, "no PACS is known: start the page with --forward HOST:PORT:AET")
    reviewed = desk.reviewed(exam)
    if reviewed.exam.review is None or not reviewed.exam.review.signed:
        raise Refusal(409, "the exam is not signed: what is sent was signed by somebody")
    content = made(desk, reviewed, REPORT)
    peer = parse_peer(desk.settings.forward)
    settings = NodeSettings(folder=desk.store.folder, forward=peer)
    code = _sent(settings, pydicom.dcmread(io.BytesIO(content)))
    if code not in TAKEN:
        raise Refusal(502, f"the PACS did not take the report: status {code:04X}")
    return {"sent": True, "to": desk.settings.forward, "files": [REPORT], "status": f"{code:04X}"}


def _sent(settings: NodeSettings, data: pydicom.Dataset) -> int:
    """Send a data set until its status comes: one whose answer was lost is sent again.

    Raises:
        Refusal: the PACS is away, does not want it, or is silent again and again.
    """
    lost = False
    for pause_s in (*PAUSES_S, 0.0):
        try:
            code = _once(settings, data)
        except PeerError as error:
            if not (lost and error.code == UNREACHABLE):
                raise Refusal(502, f"the PACS was not reached: {error.code}") from None
            code = None
        if code is not None:
            return code
        lost = True
        time.sleep(pause_s)
    raise Refusal(
        502, "the PACS did not answer, so that it may have the report or not: send it again later"
    )


def _once(settings: NodeSettings, data: pydicom.Dataset) -> int | None:
    """Send a data set once; return the status, or None where none came."""
    with association(settings, [data.SOPClassUID]) as opened:
        opened.dimse_timeout = ANSWER_S
        try:
            code = opened.send_c_store(data).get("Status")
        except RuntimeError:  # the PACS has closed the association
            return None
        except ValueError:
            raise Refusal(502, "the PACS does not take reports of this kind") from None
    return None if code is None else int(code)
