"""What is refused, and what no answer and no log holds."""

import logging
import socket

import pytest

from fetometry.errors import UsageError
from fetometry.serve.web import settings as settings_module
from fetometry.serve.web.settings import Limits, WebSettings
from tests.conftest import dataset, save, save_dicom
from tests.serve.web.conftest import ADDRESS, API

TOKEN = "a token of thirty-two letters ok"


def test_every_answer_forbids_foreign_scripts_and_frames(page):
    for path in ("/", f"{API}/health", f"{API}/nothing"):
        headers = page.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_what_is_about_patients_is_never_stored_by_a_browser(page, exam):
    for path in ("/exams", f"/exams/{exam['id']}", f"/exams/{exam['id']}/edits", "/worklist"):
        assert page.get(f"{API}{path}").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1", "[::1", ""])
def test_a_foreign_name_that_leads_here_is_refused(page, host):
    assert page.get(f"{API}/exams", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Fetometry": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_post_of_another_site_is_refused(page, files, headers):
    given = [("files", ("head.dcm", files[0][1].read_bytes()))]
    answer = page.post(f"{API}/exams", files=given, headers=headers)
    assert answer.status_code == 403
    assert page.get(f"{API}/exams").json() == {"items": []}


def test_a_post_of_the_page_itself_is_taken(page, files):
    given = [("files", ("head.dcm", files[0][1].read_bytes()))]
    headers = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}
    assert page.post(f"{API}/exams", files=given, headers=headers).status_code == 201


def test_a_form_that_any_site_can_send_is_refused(page):
    answer = page.post(f"{API}/session", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_without_the_token_nothing_is_told(open_page):
    page = open_page(token=TOKEN)
    for path in ("/exams", "/worklist", "/corrections.zip"):
        answer = page.get(f"{API}{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert page.get(f"{API}/health").json()["models"] == []
    assert page.get("/").status_code == 200


def test_the_token_lets_in_by_header_or_once_by_cookie(open_page):
    page = open_page(token=TOKEN)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert page.get(f"{API}/exams", headers=bearer).status_code == 200
    assert page.get(f"{API}/exams", headers={"Authorization": "Bearer x"}).status_code == 401
    assert page.post(f"{API}/session", json={"token": "wrong"}).status_code == 401
    given = page.post(f"{API}/session", json={"token": TOKEN})
    cookie = given.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert page.get(f"{API}/exams").status_code == 200


def test_other_addresses_than_the_own_need_a_token(tmp_path):
    with pytest.raises(UsageError, match="a token is needed"):
        WebSettings(tmp_path, host="0.0.0.0")
    with pytest.raises(UsageError, match="16 letters"):
        WebSettings(tmp_path, token="short")


def test_the_address_for_others_is_one_that_they_can_use(tmp_path):
    address = WebSettings(tmp_path, host="0.0.0.0", token=TOKEN).address
    assert address.startswith("http://")
    assert address.endswith(":8765/")
    assert not any(own in address for own in ("127.0.0.1", "0.0.0.0", "localhost"))
    assert WebSettings(tmp_path).address == "http://127.0.0.1:8765/"


def test_without_a_way_to_others_the_address_is_the_name_of_the_machine(tmp_path, monkeypatch):
    def offline(*_):
        raise OSError("no network")

    monkeypatch.setattr(socket, "socket", offline)
    monkeypatch.setattr(socket, "gethostname", lambda: "scanner")
    assert WebSettings(tmp_path, host="::", token=TOKEN).address == "http://scanner:8765/"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Fetus.Example/", "https://fetus.example"),
        ("https://fetus.example:443", "https://fetus.example"),
        ("https://fetus.example:8443", "https://fetus.example:8443"),
        ("https://[2001:db8::7]", "https://[2001:db8::7]"),
    ],
)
def test_the_url_of_a_proxy_is_as_browsers_write_an_origin(tmp_path, given, kept):
    settings = WebSettings(tmp_path, token=TOKEN, public_url=given)
    assert settings.public_url == kept
    assert settings.address == f"{kept}/"


@pytest.mark.parametrize(
    "url",
    ["http://fetus.example", "fetus.example", "https://", "https://a/page", "https://a@b",
     "https://a:b", "https://a?b", "https://a:99999"],
)  # fmt: skip
def test_another_url_of_a_proxy_is_refused(tmp_path, url):
    with pytest.raises(UsageError, match="--public-url"):
        WebSettings(tmp_path, token=TOKEN, public_url=url)


def test_behind_a_proxy_a_token_is_needed(tmp_path):
    with pytest.raises(UsageError, match="a token is needed"):
        WebSettings(tmp_path, public_url="https://fetus.example")


def test_behind_a_proxy_its_host_and_its_origin_are_the_pages_own(open_page):
    page = open_page(token=TOKEN, public_url="https://fetus.example")

    def status(host, origin):
        headers = {"Host": host, "Origin": origin}
        return page.post(f"{API}/session", json={"token": TOKEN}, headers=headers).status_code

    assert status("fetus.example", "https://fetus.example") == 200
    assert status("fetus.example:443", "https://fetus.example") == 200
    assert status("127.0.0.1:8765", "https://fetus.example") == 200  # a proxy that changes Host
    assert status("127.0.0.1:8765", ADDRESS) == 200
    assert status("fetus.example", "http://fetus.example") == 403
    assert status("fetus.example", "https://evil.example") == 403
    assert status("fetus.example:8765", "https://fetus.example") == 421
    assert status("evil.example", "https://fetus.example") == 421


def test_the_cookie_goes_by_tls_alone_where_a_proxy_has_it(open_page):
    for url, secure in (("https://fetus.example", True), ("", False)):
        page = open_page(token=TOKEN, public_url=url)
        cookie = page.post(f"{API}/session", json={"token": TOKEN}).headers["set-cookie"]
        assert ("secure" in cookie.lower()) is secure
        page.app.desk.close()


def test_an_address_for_others_is_known_by_its_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_module, "_own_names", lambda: {"scanner.local"})
    known = WebSettings(tmp_path, host="0.0.0.0", token=TOKEN).knows_host
    assert known("10.0.0.7:8765")
    assert known("scanner.local:8765")
    assert not known("evil.example:8765")


@pytest.mark.parametrize(
    "name",
    ["../../evil.png", "/etc/cron.d/x.png", "..\\..\\evil.png", "a\0b.png", "<img src=x>.png"],
)
def test_a_name_leads_nowhere_and_is_shown_as_it_is(page, tmp_path, name):
    exam = page.measured([(name, save(tmp_path / "head.png"))])
    shown = exam["images"][0]["name"]
    assert "/" not in shown
    assert "\\" not in shown
    assert "\0" not in shown
    names = {p.name for p in (tmp_path / "data" / "uploads" / exam["id"]).iterdir()}
    assert names == {"0.png", "proposal.json"}
    assert not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/%2e%2e/settings.py",
        "/..%2fsettings.py",
        f"{API}/exams/../../etc",
        f"{API}/exams/%2e%2e%2f%2e%2e",
        f"{API}/exams/0123456789abcdef/outputs/..%2f..%2freview.sqlite",
    ],
)
def test_no_path_leads_out_of_its_folder(page, path):
    assert page.get(path).status_code in (404, 422)


def test_a_method_that_a_path_does_not_take_is_named_with_those_that_it_does(page):
    answer = page.put(f"{API}/exams")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert page.get(f"{API}/session").status_code == 405
    assert page.get(f"{API}/nothing").status_code == 404


def test_more_than_the_limits_is_refused(open_page, files):
    page = open_page(limits=Limits(files=2, upload_bytes=400_000, exams=1))
    given = [("files", (f"{k}.dcm", b"x")) for k in range(3)]
    many = page.post(f"{API}/exams", files=given)
    assert many.status_code == 413
    assert "2 files" in many.json()["detail"]
    large = page.post(f"{API}/exams", files=[("files", ("a.dcm", b"x" * 500_000))])
    assert large.status_code == 413

    def drops():
        for _ in range(50):
            yield b"x" * 10_000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert page.post(f"{API}/exams", content=drops(), headers=kind).status_code in (400, 413)
    page.measured(files[:1])
    full = page.upload(files[:1])
    assert full.status_code == 409
    assert "1 exams already" in full.json()["detail"]


def test_a_long_body_that_is_no_upload_is_refused(page):
    assert page.post(f"{API}/session", json={"token": "x" * 100_000}).status_code == 413


def test_nothing_is_left_of_a_refused_upload(page, tmp_path, files):
    other = dataset(PatientID="other", StudyInstanceUID="1.2.3")
    two = [*files[:1], ("other.dcm", save_dicom(tmp_path / "other.dcm", other))]
    answer = page.upload(two)
    assert answer.status_code == 422
    assert "2 patients" in answer.json()["detail"]
    assert page.upload(files, ga="soon").json()["field"] == "ga"
    assert page.upload(files, colour="red").status_code == 422
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_a_script_in_a_tag_stays_text(page, tmp_path):
    made = dataset(PatientName="<script>alert(1)</script>")
    exam = page.measured([("head.dcm", save_dicom(tmp_path / "head.dcm", made))])
    assert exam["patient"]["name"] == "<script>alert(1)</script>"
    answer = page.get(f"{API}/exams/{exam['id']}")
    assert answer.headers["content-type"] == "application/json"


def test_the_log_tells_routes_and_no_name_id_or_body(page, files, caplog):
    caplog.set_level(logging.INFO, "fetometry.serve")
    exam = page.measured(files)
    page.edit(exam["id"], "criteria", {"cavum": True})
    page.get(f"{API}/exams/{exam['id']}/images/0/frames/1.png", params={"width": 99})
    text = caplog.text
    assert "/exams/{exam}/edits" in text
    for secret in (exam["id"], "Doe", "J1", "head.dcm", "Early", "width"):
        assert secret not in text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 50_000,
        b'{"edit": {"action": "reject", "image": 0, "value": {"reason": "\\ud800"}}}',
        b'{"edit": {"action": "spacing", "image": 0, "value": {"mm_per_px": NaN}}}',
        b'{"edit": {"action": "ellipse", "image": 99999999999999999999, "value": {}}}',
        b'{"edit": {"action": "plane", "image": 0, "frame": 77, "value": {"plane": "head"}}}',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_strange_body_is_refused_without_a_fault(page, exam, body):
    path = f"{API}/exams/{exam['id']}/edits"
    answer = page.post(path, content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
