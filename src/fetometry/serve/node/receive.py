"""Receives objects: C-ECHO and C-STORE, for the AE titles that may call."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.transport import ThreadedAssociationServer

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.serve.node import classes, inspecting
from fetometry.serve.node.keys import is_uid
from fetometry.serve.node.logs import Log
from fetometry.serve.node.retention import Room
from fetometry.serve.node.settings import NodeSettings, Tls
from fetometry.serve.node.spool import NO_ROOM, NOT_WRITTEN, TOO_LARGE, Spool
from fetometry.serve.node.store import Accepted, NoRoom, Received, Store
from fetometry.serve.node.strangers import Strangers

SUCCESS, DUPLICATE, OUT_OF_RESOURCES = 0x0000, 0x0111, 0xA700
NOT_UNDERSTOOD, OVERSIZE = 0xC000, 0xC001

#: The status for each reason to refuse an object (PS3.4 B.2.3, PS3.7 C).
STATUSES = {
    NO_ROOM: OUT_OF_RESOURCES,
    NOT_WRITTEN: OUT_OF_RESOURCES,
    TOO_LARGE: OVERSIZE,
    "differs": DUPLICATE,
}

_MB = 1_000_000

#: Of one PDU that is offered to peers, and that a peer may ever announce: a request for an
#: association has no limit of its own, and a stranger's first bytes must not fill the memory.
MAX_PDU, _MAX_ANNOUNCED = 65536, 1_048_576

#: A request's command set has some hundred bytes.
_MAX_COMMAND = 65536

#: How long a peer may be silent: within a PDU, and between them.
_CALL_S, _SILENCE_S = 30.0, 120.0

#: Callers of which is remembered what they offer in vain.
_MOST_CALLERS = 100

#: How long peers have to hang up when the node ends.
_FAREWELL_S = 1.0


class Receiver:
    """The listening half of the node."""

    def __init__(self, store: Store, settings: NodeSettings, log: Log) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._strangers = Strangers(store)
        self._contexts: dict[str, frozenset[str]] = {}
        self._room = Room(store.folder, settings.reserve_mb)
        self._limit = settings.max_object_mb * _MB
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Listen, in threads of its own.

        Raises:
            UsageError: the port is taken or may not be used, or a certificate cannot be read.
        """
        settings = self._settings
        classes.register()
        entity = AE(ae_title=settings.aet)
        entity.maximum_associations = settings.max_associations
        entity.maximum_pdu_size = MAX_PDU
        entity.acse_timeout, entity.network_timeout = _CALL_S, _SILENCE_S
        if settings.callers is not None:
            entity.require_calling_aet = sorted(settings.callers)
        entity.add_supported_context(classes.VERIFICATION)
        for taken in classes.IMAGES:
            entity.add_supported_context(taken, classes.syntaxes())
        for taken in classes.REPORTS if settings.earlier else ():
            entity.add_supported_context(taken, list(classes.NATIVE))
        context = server_context(settings.tls) if settings.tls else None
        try:
            self._server = entity.start_server(
                (settings.host, settings.port),
                block=False,
                ssl_context=context,
                evt_handlers=cast(Any, self._handlers()),
            )
        except OSError as error:
            raise UsageError(
                f"--port: {settings.host}:{settings.port} cannot be listened on "
                f"({error.strerror or error}); stop what uses it, or give another port"
            ) from error

    def stop(self) -> None:
        """Listen no longer; open associations are aborted, and nothing answered is lost."""
        if self._server is None:
            return
        self._server.shutdown()
        self._strangers.flush()
        open_ones = self._server.active_associations
        self._server = None
        for association in open_ones:
            if association.is_established:
                association.abort(block=False)
        ends = time.monotonic() + _FAREWELL_S
        while time.monotonic() < ends and any(one.dul.is_alive() for one in open_ones):
            time.sleep(0.01)
        for association in open_ones:  # silent ones, which would hold the process for their time
            association.dul.kill_dul()
            if association.dul.socket is not None:
                association.dul.socket.close()

    def _handlers(self) -> list[tuple[Any, Callable[[Event], Any]]]:
        return [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_PDU_RECV, self._pdu),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store_object),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_ABORTED, self._broken_off),
            (evt.EVT_CONN_CLOSE, self._broken_off),
        ]

    # --- associations

    def _opened(self, event: Event) -> None:
        """Bound what the peer may make us wait for, and read, before we know who it is."""
        connection = event.assoc.dul.socket
        if connection is None or connection.socket is None:
            return
        # pynetdicom leaves a socket open whose peer went away first
        weakref.finalize(event.assoc, connection.socket.close)
        connection.socket.settimeout(_CALL_S)
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receive, acknowledge = connection.recv, _acknowledger(connection.socket)

        def bounded(count: int) -> bytearray:
            if count > _MAX_ANNOUNCED:
                self._log("pdu-refused", reason=TOO_LARGE, size=count)
                raise OSError("a PDU is larger than any may be")
            got = self._greeted(connection.socket, receive, count)
            acknowledge()
            return got

        setattr(connection, "recv", bounded)  # noqa: B010 - it is a method of its class

    def _greeted(
        self, line: socket.socket | None, receive: Callable[[int], bytearray], count: int
    ) -> bytearray:
        """Read; of the first read by TLS, which shakes hands, tell why it fails.

        Who hangs up without a word is not told: a monitor that looks whether the port is open.
        """
        try:
            return receive(count)
        except (ssl.SSLError, TimeoutError) as error:
            greeting = isinstance(line, ssl.SSLSocket) and line.version() is None
            if greeting and not isinstance(error, ssl.SSLEOFError):
                self._log("tls-refused", reason=_tls_reason(error))
            raise

    def _rejected(self, event: Event) -> None:
        calling = _calling(event)
        callers = self._settings.callers
        unknown = callers is not None and calling not in callers
        reason = "unknown-calling-aet" if unknown else "too-many-associations"
        self._log("association-refused", calling=calling, reason=reason)
        if unknown:
            self._strangers.note(calling)

    def _accepted(self, event: Event) -> None:
        """Tell what a caller offers in vain: once, and again when it changes."""
        contexts, calling = event.assoc.rejected_contexts, _calling(event)
        offered = frozenset(str(context.abstract_syntax) for context in contexts)
        if offered and self._contexts.get(calling) != offered:
            self._log("contexts-refused", calling=calling, count=len(contexts))
        if len(self._contexts) >= _MOST_CALLERS:
            self._contexts.clear()
        self._contexts[calling] = offered

    def _echo(self, event: Event) -> int:
        self._log("echo", calling=_calling(event))
        return SUCCESS

    # --- one object

    def _pdu(self, event: Event) -> None:
        """Before a message's first fragment is taken, put a spool where its data set will go."""
        if not isinstance(event.pdu, P_DATA_TF):
            return
        service = event.assoc.dimse
        message = service.message
        if message is None:
            message = service.message = DIMSEMessage()
            message.data_set = self._spool(event.assoc, message)
        spool = message.data_set
        if not isinstance(spool, Spool) or spool.hopeless:
            return
        if spool.overflow > self._limit or message.encoded_command_set.tell() > _MAX_COMMAND:
            spool.hopeless = True  # what is on its way already comes still
            self._log("association-aborted", reason=TOO_LARGE, calling=_calling(event))
            event.assoc.abort()

    def _spool(self, association: Association, message: DIMSEMessage) -> Spool:
        return Spool(
            self._store.incoming(), lambda: _preamble(association, message), self._limit, self._room
        )

    def _broken_off(self, event: Event) -> None:
        message = event.assoc.dimse.message
        spool = message.data_set if message is not None else None
        if isinstance(spool, Spool) and spool.break_off():
            calling = _calling(event)
            self._log("object-broken-off", calling=calling, size=spool.size)

    def _store_object(self, event: Event) -> int:
        """Answer a C-STORE: Success only for what is on the disk."""
        calling = _calling(event)
        spool = cast(C_STORE, event.request).DataSet
        if not isinstance(spool, Spool):  # fragments of two messages came at once
            spool = self._spooled(event, spool)
        try:
            return self._judge(event, spool, calling)
        except (OutputError, OSError) as error:
            return self._refuse(NO_ROOM if isinstance(error, NoRoom) else NOT_WRITTEN, calling)
        finally:
            spool.discard()

    def _spooled(self, event: Event, data: BytesIO | None) -> Spool:
        request = cast(C_STORE, event.request)
        uids = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
        head = _file_meta(str(uids[0]), str(uids[1]), str(event.context.transfer_syntax))
        spool = Spool(self._store.incoming(), lambda: head, self._limit, self._room)
        spool.write(data.getvalue() if data else b"")
        return spool

    def _judge(self, event: Event, spool: Spool, calling: str) -> int:
        if not spool.finish():
            if spool.fault in (NO_ROOM, NOT_WRITTEN):
                return self._refuse(spool.fault, calling, size=spool.size)
            return self._put_aside(spool, spool.fault, calling)
        request = cast(C_STORE, event.request)
        asked = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        syntax = UID(event.context.transfer_syntax)
        try:
            said = inspecting.inspect(spool.path, spool.start, syntax, asked)
        except inspecting.UnfitError as error:
            return self._put_aside(spool, error.reason, calling)
        return self._keep(said, spool, calling)

    def _keep(self, said: inspecting.Said, spool: Spool, calling: str) -> int:
        study = self._store.study_key(said.study_uid)
        is_report = said.sop_class in classes.REPORTS
        if said.ours and said.sop_class == classes.CAPTURE:
            self._log("own-object-passed-over", study=study, calling=calling)
            return SUCCESS
        received = Received(
            sop_class=said.sop_class,
            sop_uid=said.sop_uid,
            study_uid=said.study_uid,
            patient=said.patient,
            calling=calling,
            digest=spool.digest,
            size=spool.size,
            kind="report" if is_report else "image",
        )
        try:
            accepted = self._store.accept(received, spool.path)
        except DataError:
            return self._put_aside(spool, inspecting.UIDS_MISSING, calling)
        if accepted is Accepted.DIFFERS:
            return self._refuse("differs", calling, study=study)
        self._log(
            "received", study=study, calling=calling, kind=received.kind, size=spool.size,
            again=accepted is Accepted.SAME or None,
        )  # fmt: skip
        return SUCCESS

    def _put_aside(self, spool: Spool, reason: str, calling: str) -> int:
        file = spool.path if spool.path.is_file() else None
        try:
            self._store.quarantine(file, reason, calling)
        except OutputError:
            self._log("quarantine", reason=NOT_WRITTEN)
        return self._refuse(reason, calling, size=spool.size)

    def _refuse(self, reason: str, calling: str, **more: object) -> int:
        status = STATUSES.get(reason, NOT_UNDERSTOOD)
        self._log("refused", reason=reason, status=f"{status:04X}", calling=calling, **more)
        return status


def _acknowledger(connection: socket.socket) -> Callable[[], None]:
    """Return what acknowledges at once what was read, where the system can.

    Many senders write a command and its data apart, and hold the second part back until the first
    is acknowledged, which else takes 40 ms: for a study of 100 images, 4 s.
    """
    option = getattr(socket, "TCP_QUICKACK", None)
    if option is None:
        return lambda: None

    def acknowledge() -> None:
        with contextlib.suppress(OSError):  # the connection is closed
            connection.setsockopt(socket.IPPROTO_TCP, option, 1)

    return acknowledge


def _tls_reason(error: OSError) -> str:
    """Return OpenSSL's own word for what is wrong, such as wrong-version-number."""
    if isinstance(error, TimeoutError):
        return "time-limit"
    return str(getattr(error, "reason", None) or type(error).__name__).lower().replace("_", "-")


def _calling(event: Event) -> str:
    return str(event.assoc.requestor.ae_title).strip()


def _preamble(association: Association, message: DIMSEMessage) -> bytes:
    """Return what a file has before its data set, for the message whose command has come."""
    syntaxes = {
        context.context_id: context.transfer_syntax[0] for context in association.accepted_contexts
    }
    command = message.command_set
    return _file_meta(
        str(command.get("AffectedSOPClassUID", "")),
        str(command.get("AffectedSOPInstanceUID", "")),
        str(syntaxes.get(message.context_id, "")),
    )


def _file_meta(sop_class: str, sop_uid: str, syntax: str) -> bytes:
    """Return preamble and file meta; for a request without its UIDs, which fails later, no meta."""
    mark = b"\0" * 128 + b"DICM"
    if not all(is_uid(uid) for uid in (sop_class, sop_uid, syntax)):
        return mark
    buffer = DicomBytesIO()
    meta = create_file_meta(
        sop_class_uid=UID(sop_class), sop_instance_uid=UID(sop_uid), transfer_syntax=UID(syntax)
    )
    write_file_meta_info(buffer, meta, enforce_standard=False)
    return mark + buffer.getvalue()


class _LateGreeting(ssl.SSLContext):
    """Greets each peer in its own thread: a silent one must not keep others from being heard."""

    def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Wrap a socket; the first read shakes hands, within the time that a call has."""
        sock.settimeout(_CALL_S)
        return super().wrap_socket(sock, *args, **(options | {"do_handshake_on_connect": False}))


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return what callers are encrypted with; with an authority, they show its certificate.

    Raises:
        UsageError: a file is none in PEM, or key and certificate do not belong together.
    """
    context = _LateGreeting(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert, tls.key)
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # SSLError is one
        raise UsageError(
            f"--tls-cert, --tls-key, --tls-ca: cannot be used ({error.strerror or error}); give "
            "a certificate in PEM, the key that belongs to it, and the authority's certificate"
        ) from error
    return context
