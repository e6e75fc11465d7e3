"""Requests of others: without the token, from another site, under another name, by hand."""

import json
import logging
import re
import socket

import pytest

from fetometry.serve.web.app import STATIC
from tests.serve.web.by_hand import INNER, head_of, listening
from tests.serve.web.conftest import ADDRESS, API, Browser

TOKEN = "a token of thirty-two letters ok"

#: On every answer, whatever it is.
POLICY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


def test_every_answer_has_every_header(open_page, files, monkeypatch):
    page = open_page(token=TOKEN)
    client = Browser(page.app, ADDRESS, raise_server_exceptions=False)
    bearer = {"Authorization": f"Bearer {TOKEN}", "X-Fetometry": "1"}
    asked = [
        (200, "GET", "/", {}),
        (200, "GET", "/main.js", {}),
        (404, "GET", "/nothing", {}),
        (405, "POST", "/", {}),
        (200, "GET", f"{API}/exams", bearer),
        (401, "GET", f"{API}/exams", {}),
        (403, "POST", f"{API}/session", {"Origin": "http://evil.example"}),
        (404, "GET", f"{API}/nothing", bearer),
        (405, "PUT", f"{API}/exams", bearer),
        (413, "POST", f"{API}/session", {"X-Fetometry": "1", "Content-Length": "999999"}),
        (415, "POST", f"{API}/session", {"X-Fetometry": "1", "Content-Length": "2"}),
        (421, "GET", "/", {"Host": "evil.example"}),
        (422, "GET", f"{API}/exams/x", bearer),
    ]
    for status, method, path, headers in asked:
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == status, (method, path)
        assert {name: answer.headers[name] for name in POLICY} == POLICY
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        if path.startswith("/api/") and status != 421:
            assert answer.headers["cache-control"] == "no-store"
    monkeypatch.setattr(type(page.app.desk), "listed", lambda self: 1 / 0)
    fault = client.get(f"{API}/exams", headers=bearer)
    assert fault.status_code == 500
    assert {name: fault.headers[name] for name in POLICY} == POLICY
    assert fault.headers["content-type"] == "application/problem+json"
    assert not re.search(r"division|ZeroDivision", fault.text)
    assert not INNER.search(fault.text)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", f"{API}/exams", f"{API}/health", f"{API}/corrections.zip"])
def test_a_method_that_is_not_known_does_nothing(page, exam, method, path):
    answer = page.request(method, path)
    assert answer.status_code in (404, 405)
    assert page.exam(exam["id"]) == exam


def test_a_session_of_another_page_or_a_made_up_one_lets_nobody_in(open_page, tmp_path):
    one, other = open_page(token=TOKEN), open_page(token=TOKEN[::-1], data=tmp_path / "other")
    given = one.post(f"{API}/session", json={"token": TOKEN})
    cookie = given.headers["set-cookie"]
    flags = {part.strip().lower().partition("=")[0] for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite", "path"} <= flags
    assert "domain" not in flags
    value = cookie.partition(";")[0]
    assert one.get(f"{API}/exams", headers={"Cookie": value}).status_code == 200
    assert other.get(f"{API}/exams", headers={"Cookie": value}).status_code == 401
    for made_up in ("fetometry_session=", "fetometry_session=x", f"fetometry_session={TOKEN}"):
        one.cookies.clear()
        assert one.get(f"{API}/exams", headers={"Cookie": made_up}).status_code == 401
        for kind in ("", "Bearer ", "Basic "):
            headers = {"Authorization": f"{kind}{made_up}"}
            assert one.get(f"{API}/exams", headers=headers).status_code == 401


def test_the_token_is_taken_from_no_address_and_is_in_no_log(open_page, files, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    page = open_page(token=TOKEN)
    for query in ({"token": TOKEN}, {"access_token": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}):
        assert page.get(f"{API}/exams", params=query).status_code == 401
    page.post(f"{API}/session", json={"token": TOKEN})
    page.post(f"{API}/session", json={"token": TOKEN + "x"})
    page.get(f"{API}/exams", headers={"Authorization": f"Bearer {TOKEN}"})
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("fetometry")]
    assert len(ours) == 6
    assert not [line for line in ours if TOKEN in line or "token" in line.lower()]
    assert not [p for p in (tmp_path / "data").rglob("*") if _holds(p, TOKEN.encode())]
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js"))
    assert not re.search(r"[?&]token=|sessionStorage|document\.cookie", scripts)
    stored = re.findall(r"localStorage\.\w+\(([^)]*)\)", scripts)
    assert set(stored) <= {"STORED", "STORED, name"}  # of a person nothing but the name


def _holds(path, text):
    return path.is_file() and text in path.read_bytes()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", ""]
)
@pytest.mark.parametrize("path", ["/edits", "/signature", "/undo"])
def test_a_body_that_a_foreign_form_can_send_changes_nothing(page, exam, path, kind):
    body = json.dumps({"reviewer": "Dr. Evil"}).encode()
    headers = {"Content-Type": kind, "Origin": "http://evil.example", "X-Fetometry": ""}
    at = f"{API}/exams/{exam['id']}{path}"
    assert page.post(at, content=body, headers=headers).status_code == 403
    headers = {"Content-Type": kind}
    assert page.post(at, content=body, headers=headers).status_code == 415
    assert page.exam(exam["id"]) == exam


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.evil.example:8765", "evil.example#127.0.0.1:8765", "127.0.0.1:8765@evil.example",
     "2130706433:8765", "127.0.0.1:08765", "127.1:8765", "localhost.:8765", "127.0.0.1:8765, x"],
)  # fmt: skip
def test_a_host_that_only_looks_like_ours_is_refused(page, host):
    answer = page.get(f"{API}/exams", headers={"Host": host})
    if host == "127.0.0.1:08765":  # the same port
        assert answer.status_code == 200
    else:
        assert answer.status_code == 421


def test_what_a_proxy_would_say_is_not_believed(page):
    lies = {"X-Forwarded-Host": "127.0.0.1:8765", "Forwarded": "host=127.0.0.1:8765"}
    answer = page.get(f"{API}/exams", headers={"Host": "evil.example", **lies})
    assert answer.status_code == 421


def test_a_socket_is_not_opened(three_planes, tmp_path):
    with listening(tmp_path) as port:
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        lines = head_of(port, *upgrade, key, method="GET", path="/health")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(lines)
            assert b" 101 " not in line.recv(4096)
