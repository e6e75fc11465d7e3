"""What is listed: exams that wait, earlier exams, and the fetuses of one exam."""

import pytest

from tests.serve.web.browser.person import Person

pytestmark = pytest.mark.slow

STATES = ("signed", "new", "open")
NAMES = ("M\u00fcller^Anna", "Doe^Jane")


def waiting(count):
    """A worklist, as the server answers it."""
    return [
        {
            "key": f"{k:016x}",
            "label": f"exam {k}",
            "patient": {"name": NAMES[k % 2], "id": f"P{k}", "birth_date": ""},
            "images": 3,
            "when": f"2026-05-{k + 1:02}T10:00:00+00:00",
            "state": STATES[k % 3],
            "from": "folder",
            "exam": None,
        }
        for k in range(count)
    ]


@pytest.fixture
def listed(open_page):
    """Open a page whose worklist has so many exams."""

    def make(count):
        page = open_page()
        page.route(
            "**/api/v1/worklist", lambda route: route.fulfill(json={"items": waiting(count)})
        )
        page.reload()
        Person(page).sees("[data-key=Worklist] .item")
        return page

    return make


def rows(page):
    items = page.locator("[data-key=Worklist] .item")
    return [text.split("\n") for text in items.all_inner_texts()]


def test_new_exams_stand_first_signed_ones_last_and_each_says_its_state(listed):
    page = listed(8)
    assert page.locator("#find-worklist").count() == 0
    states = [row[1] for row in rows(page)]
    assert states == ["new"] * 3 + ["in review"] * 2 + ["signed off"] * 3
    assert [row[0].split()[-1] for row in rows(page)] == [
        "P7",
        "P4",
        "P1",
        "P5",
        "P2",
        "P6",
        "P3",
        "P0",
    ]


def test_of_many_exams_one_is_found_by_name_id_or_label(listed):
    page = listed(12)
    me = Person(page)
    for text, count in (("muller", 6), ("Anna P4", 1), ("EXAM 11", 1), ("nobody", 0), ("", 12)):
        page.fill("#find-worklist", text)
        me.until(lambda count=count: len(rows(page)) == count)
        said = page.locator("[data-key=Worklist] [role=status]").inner_text()
        assert said == (f"{count} of 12" if text else "")


def test_in_an_exam_of_twins_what_is_of_nobody_says_so(open_page, server, files):
    exam = server.measured(files, ga="25w0d")["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    assert page.locator(".fetus h3", has_text="Fetus").count() == 0
    page.get_by_role("button", name="A", exact=True).click()
    me.sees(".fetus h3", "Fetus A")
    headings = page.locator(".fetus > h3").all_inner_texts()
    assert headings == ["Fetus A", "Fetus not said"]


def test_the_dating_begins_with_what_is_known(open_page, server, files):
    exam = server.measured(files[:1], ga="25w0d")["id"]
    known = {"ga": "25w0d", "exam_date": "2026-05-04", "crl_mm": 61.5}
    page = open_page()
    page.route(
        f"**/exams/{exam}",
        lambda route: route.fulfill(json={**route.fetch().json(), "dates": known}),
    )
    page.goto(f"{server.address}/#{exam}")
    page.reload()
    Person(page).sees(".dating")
    found = {name: page.input_value(f"#date-{name}") for name in (*known, "lmp")}
    assert found == {"ga": "25w0d", "exam_date": "2026-05-04", "crl_mm": "61.5", "lmp": ""}


def test_earlier_exams_are_told_in_words_and_their_points_have_a_title(
    open_page, server, files, tmp_path
):
    before = server.measured(files, ga="20w0d")["id"]
    server.sign(before, "Dr. Early")
    exam = server.measured(files, ga="25w0d")["id"]
    told = [
        {"fetus": "", "source": "exam.json", "age": "20w0d", "when": "2026-05-04"},
        {"fetus": "", "source": "other.json", "age": "", "when": None},
    ]

    def with_past(route):
        document = route.fetch().json()
        document["previous"] = told
        for chart in document["growth"][""]["charts"]:
            earlier = {"x": 20.0, "y": 180.0, "label": "20w0d: 180.0 mm", "now": False}
            chart["points"] = [{**earlier, "circular": False}, chart["points"][-1]]
        route.fulfill(json=document)

    page = open_page()
    page.route(f"**/exams/{exam}", with_past)
    page.goto(f"{server.address}/#{exam}")
    page.reload()
    me = Person(page)
    me.sees(".earlier")
    rows = page.locator(".earlier li").all_inner_texts()
    assert rows[0].startswith("20w0d \u00b7 ")
    assert "2026" in rows[0]
    assert "exam.json" in rows[0]
    assert rows[1] == "Age not known \u00b7 other.json"
    titles = page.locator(".chart title").all_text_contents()
    assert titles[0] == "Earlier exam, 20w0d: 180.0 mm"
    assert titles[1].startswith("This exam, 25w0d")
