"""Every operation of the API with much that is right and much that is wrong: no fault of ours."""

import random
import re
import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fetometry.review import ACTIONS
from fetometry.serve.web import outputs
from fetometry.serve.web.app import make_app
from fetometry.serve.web.settings import WebSettings
from tests.conftest import save, save_dicom
from tests.serve.web.conftest import ADDRESS, API, Browser

#: Always the same cases, of which a failing one is shown as it is.
SAME = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

#: Of each operation: cases with every part made up, and cases at an exam that is there.
MADE_UP, AT_AN_EXAM = 8, 8

CALLED = {"X-Fetometry": "1", "Host": ADDRESS.removeprefix("http://")}

PROBLEM = "application/problem+json"


@pytest.fixture
def page(three_planes, tmp_path):
    """A page that answers a fault with 500, as it does to a browser."""
    save_dicom(tmp_path / "ward" / "a.dcm")
    app = make_app(WebSettings(data=tmp_path / "data", folder=tmp_path / "ward"))
    client = Browser(app, ADDRESS, headers={"X-Fetometry": "1"}, raise_server_exceptions=False)
    yield client
    app.desk.close()


def _schema(page):
    loaded = schemathesis.openapi.from_dict(page.get(f"{API}/openapi.json").json())
    loaded.app = page.app
    return loaded


def _called(operation, count, path_parameters):
    """Call an operation with cases that it allows and that it forbids; return the statuses."""
    seen = []

    def call(case):
        if case.path_parameters is not None and path_parameters is not None:
            case.path_parameters.update(path_parameters)
        answer = case.call(base_url=ADDRESS, headers=CALLED)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [PROBLEM]
        seen.append(answer.status_code)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        strategy = operation.as_strategy(generation_mode=mode)
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
            continue  # nothing of it can be wrong
        settings(SAME, max_examples=count)(given(case=strategy)(call))()
    return seen


def test_no_call_is_answered_with_a_fault_or_with_what_is_not_declared(page, files):
    one, other = (page.measured(files, ga="23w4d")["id"] for _ in range(2))
    page.post(f"{API}/exams/{one}/signature", json={"reviewer": "Dr. Early"})
    key = page.get(f"{API}/worklist").json()["items"][0]["key"]
    operations = [result.ok() for result in _schema(page).get_all_operations()]
    # what is deleted cannot be looked at any more
    operations.sort(key=lambda operation: operation.method == "delete")
    calls = 0
    for operation in operations:
        exam = other if operation.method == "delete" else one
        real = {"exam": exam, "image": 0, "frame": 1, "name": "exam.json", "key": key}
        known = {name: value for name, value in real.items() if f"{{{name}}}" in operation.path}
        statuses = _called(operation, MADE_UP, None)
        if known:
            deep = _called(operation, AT_AN_EXAM, known)
            assert set(deep) - {404} or operation.path.endswith("/send"), operation.label
            statuses += deep
        calls += len(statuses)
    document = page.get(f"{API}/openapi.json").json()
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    assert calls > 15 * len(operations)


def test_no_call_at_the_edge_of_what_is_declared_is_answered_with_a_fault(page, files):
    """The least and the most of everything, what is missing, wrong types, wrong methods."""
    one = page.measured(files, ga="23w4d")["id"]
    schema, calls, methods = _schema(page), 0, set()
    generation = schema.config.generation
    for operation in (result.ok() for result in schema.get_all_operations()):
        for case in schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=generation
        ):
            if case.path_parameters and calls % 2 and operation.method != "delete":
                known = {"exam": one, "image": 0, "frame": 1}
                case.path_parameters.update(
                    {name: known[name] for name in case.path_parameters if name in known}
                )
            answer = case.call(base_url=ADDRESS, headers=CALLED)
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code < 400 or answer.headers["content-type"] == [PROBLEM]
            methods.add(case.method)
            calls += 1
    assert calls > 300
    assert {"GET", "POST", "DELETE", "PUT", "TRACE"} <= methods
    assert page.exam(one)["images"]


def test_every_output_and_every_refusal_is_declared(page, exam):
    schema = _schema(page)
    operation = schema[f"{API}/exams/{{exam}}/outputs/{{name}}"]["GET"]
    for name in (*outputs.OUTPUTS, "passwords.txt"):
        answer = page.get(f"{API}/exams/{exam['id']}/outputs/{name}")
        declared = operation.definition.raw["responses"][str(answer.status_code)]["content"]
        assert answer.headers["content-type"].partition(";")[0] in declared


# ---- edits that are nearly right

ODD = st.sampled_from([
    *(0, -1, 1e308, -1e308, 5e-324, 10**400, -(10**400), 2**63, True, None, "", "1", [], {}),
])  # fmt: skip
NUMBER = st.one_of(st.floats(-20, 420), st.integers(-20, 420), ODD)
LENGTH = st.floats(40, 120)
RIGHT = st.lists(LENGTH, min_size=2, max_size=2)
POINT = st.one_of(RIGHT, RIGHT, st.lists(NUMBER, min_size=2, max_size=2))
TEXT = st.one_of(st.sampled_from(["", "A", "head", "abdomen", "femur", "none"]), ODD)
LINES = st.sampled_from(["BPD", "OFD", "TAD", "APAD", "FL", "zz"])
VALUES = {
    "ellipse": st.fixed_dictionaries(
        {"center_px": POINT, "semi_axes_px": POINT, "angle_deg": st.one_of(LENGTH, NUMBER)}
    ),
    "points": st.dictionaries(LINES, st.lists(POINT, min_size=2, max_size=2), max_size=2),
    "plane": st.fixed_dictionaries({"plane": TEXT}),
    "fetus": st.fixed_dictionaries({"fetus": TEXT}),
    "reject": st.fixed_dictionaries({"rejected": st.one_of(st.booleans(), ODD), "reason": TEXT}),
    "choose": st.fixed_dictionaries({"plane": TEXT, "fetus": st.one_of(st.just(""), TEXT)}),
    "criteria": st.dictionaries(
        st.sampled_from(["cavum", "midline", "stomach", "zz"]), st.one_of(st.booleans(), ODD)
    ),
    "spacing": st.fixed_dictionaries({"mm_per_px": st.one_of(st.floats(0.1, 1), NUMBER, POINT)}),
    "dates": st.dictionaries(
        st.sampled_from(["ga", "lmp", "edd", "crl_mm", "crl_date", "exam_date"]),
        st.one_of(st.sampled_from(["23w4d", "2026-01-01", "9999-12-31", "0001-01-01", 55.5]), ODD),
    ),
    "reset": st.just({}),
}


def _edits(action):
    return st.fixed_dictionaries(
        {
            "action": st.just(action),
            "image": st.integers(0, 4),
            "frame": st.sampled_from([1, 1, 1, 2, None]),
            "value": VALUES[action],
        }
    )


def _right(exam, action):
    """An edit that is right, of the head (a scale: of the picture without one)."""
    head = exam["images"][0]["findings"][0]
    values = {
        "ellipse": head["ellipse"],
        "points": {"BPD": head["points_px"]["BPD"]},
        "plane": {"plane": "none"},
        "fetus": {"fetus": "A"},
        "reject": {"rejected": True, "reason": ""},
        "choose": {"plane": "head", "fetus": ""},
        "criteria": {"cavum": True},
        "spacing": {"mm_per_px": [0.2, 0.2]},
        "dates": {"ga": "24w0d"},
        "reset": {},
    }
    image = {"spacing": 3, "dates": None}.get(action, 0)
    frame = None if action == "dates" else 1
    return {"action": action, "image": image, "frame": frame, "value": values[action]}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_edit_that_is_nearly_right_is_taken_or_refused(page, files, tmp_path, action):
    without_scale = ("head.png", save(tmp_path / "head.png"))
    exam = page.measured([*files, without_scale], ga="23w4d")
    path = f"{API}/exams/{exam['id']}/preview"
    assert page.post(path, json={"edit": _right(exam, action)}).status_code == 200
    refused = 0

    @settings(SAME, max_examples=60)
    @given(edit=_edits(action))
    def asked(edit):
        nonlocal refused
        answer = page.post(path, json={"edit": edit})
        assert answer.status_code in (200, 404, 422), answer.text
        if answer.status_code != 200:
            refused += 1
            assert answer.headers["content-type"] == PROBLEM
            assert not re.search(r"Traceback|Error\b|/uploads/", answer.text)

    asked()
    assert refused
    assert page.exam(exam["id"]) == exam


# ---- files that are nearly right


def test_a_damaged_file_is_measured_or_refused_and_never_stops_the_page(page, files):
    whole, chance = files[0][1].read_bytes(), random.Random(8)
    states = []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 5, 40))):
            damaged[chance.randrange(132, 2600)] = chance.randrange(256)
        if chance.random() < 0.2:
            damaged = damaged[: chance.randrange(len(damaged))]
        given_files = [("files", ("a.dcm", bytes(damaged))), ("files", ("b.dcm", whole))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks
            answer = page.post(f"{API}/exams", files=given_files)
            assert answer.status_code in (201, 422), answer.text
            if answer.status_code == 422:  # another patient by now
                continue
            exam = page.settled(answer.json()["id"])
        states.append(exam["state"])
        assert exam["images"][1]["findings"], "the file beside it was not measured"
        assert page.get(f"{API}/exams/{exam['id']}/images/0/frames/1.png").status_code in (200, 404)
        page.delete(f"{API}/exams/{exam['id']}")
    assert set(states) == {"ready"}
