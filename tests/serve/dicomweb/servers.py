"""A DICOMweb server of one study that answers as it is told."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydicom

from tests.conftest import dataset

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
US = "1.2.840.10008.5.1.4.1.1.6.1"
SECRET = "keep-this-to-yourself"


class Answer:
    """What a server answers to one request."""

    def __init__(self, body=b"", status=200, kind="application/dicom+json", **headers):
        self.body, self.status = body, status
        self.headers = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}


def one_part(content: bytes, kind='multipart/related; type="application/dicom"; boundary=B'):
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--B--\r\n"
    return Answer(body, kind=kind)


def listed(**changes) -> Answer:
    item = {"00080016": US, "00080018": INSTANCE, "0020000E": SERIES, **changes}
    told = {tag: {"vr": "UI", "Value": [value]} for tag, value in item.items()}
    return Answer(json.dumps([told]).encode())


def image(**changes) -> bytes:
    buffer = pydicom.filebase.DicomBytesIO()
    made = dataset(
        StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=INSTANCE, **changes
    )
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's `answers` say: to a POST, a file, or a list."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("GET", "file" if "series" in self.path else "list", b"")

    def do_POST(self):
        self.answer("POST", "store", self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, method, key, body):
        rest = self.path.partition(f"/studies/{STUDY}")[2]
        self.server.seen.append((method, rest, dict(self.headers), body))
        said = self.server.answers.get(key, Answer(status=404))
        if callable(said):
            said(self)
            return
        said = said.pop(0) if isinstance(said, list) else said
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(said.body)


@contextlib.contextmanager
def serving(answers, *, context=None):
    """Serve answers: one, several in turn, or a callable that writes what it likes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.seen = answers, []
    server.handle_error = lambda *_: None
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{server.server_port}/rs", server.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
