"""Chromium before a page whose server is the real one; it may ask nobody else."""

import shutil
from dataclasses import dataclass, field

import pytest

from fetometry import predict
from tests.serve.web.browser import running

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def chromium():
    """Debian's Chromium, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as begun:
        browser = begun.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    pytest.importorskip("fastapi", reason="needs the serve extra")
    pytest.importorskip("uvicorn", reason="needs the serve extra")
    path = predict.catalogue()[predict.default_model("auto")].path
    if not path.is_file():
        pytest.skip(f"{path.name} is not in this checkout")
    with running.Serve(tmp_path_factory.mktemp("serve")) as begun:
        yield begun


@pytest.fixture(scope="package")
def files(tmp_path_factory):
    """DICOM files of the three planes of one exam."""
    return running.three_planes(tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="package")
def repeats(files, tmp_path_factory):
    """The same exam with a second image of the head."""
    return [*files, running.second_head(tmp_path_factory.mktemp("repeat"))]


@pytest.fixture(scope="package")
def loop(files, tmp_path_factory):
    """A cine loop of the head."""
    return running.loop(files[0], tmp_path_factory.mktemp("loop"))


@pytest.fixture(scope="package")
def picture(tmp_path_factory):
    """A picture of the head that does not say how large a pixel is."""
    return running.picture(tmp_path_factory.mktemp("picture"))


@pytest.fixture(scope="package")
def measured(server, files):
    """An exam that is only looked at."""
    return server.measured(files, ga="25w0d")["id"]


@pytest.fixture(scope="package")
def uncalibrated(server, picture):
    """An exam whose picture does not say how large a pixel is; it is only looked at."""
    return server.measured([picture])["id"]


@pytest.fixture(scope="package")
def looped(server, loop, files):
    """An exam with a cine loop, of twins; it is only looked at."""
    exam = server.measured([loop, *files[1:]], ga="25w0d")["id"]
    edit = {"action": "fetus", "image": 0, "frame": None, "value": {"fetus": "A"}}
    answer = server.client.post(
        f"/exams/{exam}/edits", json={"edit": {**edit, "reviewer": "Dr. E"}}
    )
    assert answer.status_code == 201, answer.text
    return exam


@pytest.fixture(scope="package")
def signed(server, files):
    """An exam that was corrected and signed off, and is only looked at."""
    exam = server.measured(files, ga="25w0d")
    ticks = {one["id"]: True for one in exam["images"][0]["findings"][0]["criteria"][:4]}
    for action, value in (
        ("ellipse", running.truth_of(files[0])["ellipse"]),
        ("criteria", ticks),
    ):
        edit = {"action": action, "image": 0, "frame": 1, "value": value, "reviewer": "Dr. Early"}
        made = server.client.post(f"/exams/{exam['id']}/edits", json={"edit": edit})
        assert made.status_code == 201, made.text
    server.sign(exam["id"], "Dr. Early")
    return exam["id"]


@dataclass
class Heard:
    """What a page asked for and complained of."""

    asked: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@pytest.fixture
def open_page(chromium, server):
    """Open pages that may ask nobody but the server; none may complain or try to."""
    opened = []

    def own(address):
        return address.startswith((f"{server.address}/", "data:", f"blob:{server.address}"))

    def make(exam="", *, viewport=WIDE, scheme="light", reviewer="", **more):
        context = chromium.new_context(
            viewport=viewport, color_scheme=scheme, reduced_motion="reduce", **more
        )
        heard = Heard()
        opened.append((context, heard))

        def note(request):
            (heard.asked if own(request.url) else heard.foreign).append(request.url)

        context.on("request", note)
        context.route(lambda address: not own(address), lambda route: route.abort())
        if reviewer:
            stored = f"localStorage.setItem('fetometry-reviewer', '{reviewer}')"
            context.add_init_script(stored)
        page = context.new_page()
        page.heard = heard
        page.on("pageerror", lambda error: heard.faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and heard.faults.append(said.text))
        page.goto(f"{server.address}/#{exam}")
        if exam:
            page.locator("table.values").first.wait_for()
        return page

    yield make
    for context, heard in opened:
        context.close()
        assert heard.foreign == []
        assert heard.faults == []


@pytest.fixture
def page(open_page):
    return open_page()
