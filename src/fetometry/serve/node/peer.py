"""Associations that the node asks for: with whom, in which classes, and the end of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from fetometry.serve.node.settings import NodeSettings

#: What the results are written in, and what every peer takes.
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]

#: How long the peer may take: to answer the call, to answer a message, to say anything at all.
CALL_S, MESSAGE_S, SILENCE_S = 15.0, 120.0, 120.0

UNREACHABLE, REFUSED = "peer-unreachable", "peer-refuses-association"

#: It talks to us, but offers nothing of what we ask for.
NOT_OFFERED = "not-offered"


class PeerError(Exception):
    """There is no association; `code` says why in a word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def association(
    settings: NodeSettings, classes: Iterable[str], call_s: float = CALL_S
) -> Iterator[Association]:
    """Open an association with the peer that results go to, for some SOP classes.

    `call_s` is how long the peer may take to answer the call. A `PeerError` within aborts it.

    Raises:
        PeerError: the peer cannot be reached, or refuses.
    """
    peer = settings.forward
    if peer is None:
        raise PeerError(UNREACHABLE)
    entity = AE(ae_title=settings.aet)
    entity.acse_timeout, entity.connection_timeout = call_s, call_s
    entity.dimse_timeout, entity.network_timeout = MESSAGE_S, SILENCE_S
    for one in dict.fromkeys(classes):
        entity.add_requested_context(one, SYNTAXES)
    told = (_context(settings), peer.host) if settings.forward_tls else None
    opened = entity.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=told)
    if not opened.is_established:
        raise PeerError(_why_not(opened))
    try:
        yield opened
    except PeerError:  # what it still has to say is for nobody
        if opened.is_established:
            opened.abort()
        raise
    finally:
        if opened.is_established:
            opened.release()


def _why_not(opened: Association) -> str:
    if opened.is_rejected:
        return REFUSED
    return NOT_OFFERED if opened.rejected_contexts else UNREACHABLE


def _context(settings: NodeSettings) -> ssl.SSLContext:
    """Return what the peer is checked by: its certificate by the authority, ours shown to it."""
    tls = settings.tls
    authority = str(tls.ca) if tls is not None and tls.ca is not None else None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
