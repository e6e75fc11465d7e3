"""Peers that misbehave, and peers that encrypt."""

import contextlib
import io
import shutil
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage

from fetometry.errors import UsageError
from fetometry.serve.node.logs import Log
from fetometry.serve.node.settings import NodeSettings, Tls
from fetometry.serve.node.store import Store
from tests.serve.node.listening import Listen, Listening, soon
from tests.serve.node.objects import (
    HERE,
    NAME,
    PATIENT_ID,
    associated,
    calling,
    encoded,
    image,
    send,
    send_bytes,
)

pytest.importorskip("pynetdicom", reason="needs the extra serve")

from pynetdicom import AE
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA

from fetometry.serve.node import receive
from fetometry.serve.node.receive import Receiver

SUCCESS = 0x0000


def test_an_object_that_is_broken_off_leaves_nothing(listen: Listen) -> None:
    node = listen()
    with calling(node.port) as association:
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID = UltrasoundImageStorage
        request.AffectedSOPInstanceUID = image().SOPInstanceUID
        request.DataSet = io.BytesIO(encoded(image()))
        message = C_STORE_RQ()
        message.primitive_to_message(request)
        parts: list[P_DATA] = list(message.encode_msg(1, 200))
        for part in parts[:-1]:
            association.dul.send_pdu(part)
        assert soon(lambda: node.files("incoming"))
        association.abort()
    assert soon(lambda: node.events("object-broken-off"))
    assert node.files("incoming") == []
    assert node.files("objects") == []


def test_a_stranger_that_announces_gigabytes_is_hung_up_on(listen: Listen) -> None:
    node = listen()
    with socket.create_connection((HERE, node.port), timeout=10) as stranger:
        stranger.sendall(b"\x01\0" + struct.pack(">L", 0xFFFFFFF0) + b"\0" * 10)
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(100) == b""
    assert node.events("pdu-refused")[0]["size"] == 0xFFFFFFF0
    with calling(node.port) as association:
        assert association.is_established


def test_data_that_pynetdicom_collected_in_memory_are_taken_too(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Receiver, "_pdu", lambda *_: None)
    node = listen(in_memory=True)
    with calling(node.port) as association:
        assert send(association, image()) == SUCCESS
    assert node.files("objects")[0].read_bytes().endswith(encoded(image()))


def test_nothing_of_a_patient_is_logged_or_printed(
    listen: Listen, capfd: pytest.CaptureFixture[str]
) -> None:
    node = listen()
    with calling(node.port) as association:
        send(association, image(1))
        send_bytes(association, encoded(image(2))[:-1], image(2))
    said = node.said + "".join(capfd.readouterr())
    assert "received" in said
    for secret in (NAME, "Musterfrau", PATIENT_ID, image(1).SOPInstanceUID[:12], "2.25."):
        assert secret not in said


def test_a_port_that_is_taken_is_refused_in_words(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HERE, 0))
        other.listen()
        settings = NodeSettings(
            tmp_path / "store", port=other.getsockname()[1], host=HERE, allow=frozenset({"any"})
        )
        with Store.open(settings.folder) as store, pytest.raises(UsageError, match="--port"):
            Receiver(store, settings, Log(io.StringIO())).start()


def test_a_silent_caller_does_not_hold_the_end_of_the_node(tmp_path: Path) -> None:
    node = Listening(tmp_path)
    with socket.create_connection((HERE, node.port)), calling(node.port) as association:
        assert association.is_established
        begun = time.monotonic()
        node.close()
        assert time.monotonic() - begun < 5
        assert soon(lambda: not association.is_established)


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def _by_tls(port: int, cert: Path, key: Path | None = None) -> int | None:
    context = ssl.create_default_context(cafile=cert)
    if key is not None:
        context.load_cert_chain(cert, key)
    entity = AE(ae_title="PACS")
    entity.acse_timeout = 5
    entity.add_requested_context(UltrasoundImageStorage, ExplicitVRLittleEndian)
    with associated(entity, port, tls_args=(context, HERE)) as association:
        if not association.is_established:
            return None
        return send(association, image())


def test_with_tls_plain_callers_and_those_without_a_certificate_are_not_heard(
    listen: Listen, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    node = listen(tls=Tls(cert, key, cert))
    with calling(node.port) as plain:
        assert not plain.is_established
    assert _by_tls(node.port, cert) is None
    assert _by_tls(node.port, cert, key) == SUCCESS
    reasons = {one["reason"] for one in node.events("tls-refused")}
    assert reasons == {"wrong-version-number", "peer-did-not-return-a-certificate"}


def test_a_caller_that_does_not_trust_the_certificate_is_logged_and_an_open_port_is_not(
    listen: Listen, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    node = listen(tls=Tls(cert, key))
    with socket.create_connection((HERE, node.port)):
        pass
    with (
        socket.create_connection((HERE, node.port)) as line,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(line, server_hostname="localhost")
    assert soon(lambda: node.events("tls-refused"))
    assert _by_tls(node.port, cert) == SUCCESS
    (told,) = node.events("tls-refused")
    assert told["reason"] == "tlsv1-alert-unknown-ca"


def test_a_caller_that_never_greets_does_not_keep_others_from_being_heard(
    listen: Listen, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    node = listen(tls=Tls(cert, key))
    with socket.create_connection((HERE, node.port)):
        assert _by_tls(node.port, cert) == SUCCESS


def test_a_certificate_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="--tls-cert"):
        receive.server_context(Tls(tmp_path / "cert.pem", tmp_path / "cert.pem"))
