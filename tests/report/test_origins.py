"""What was not measured and why, and where numbers come from."""

from dataclasses import replace

from fetometry.report.origins import MOST_REASONS, provenance, remarks_of, unmeasured
from fetometry.types import Problem
from tests.report.examples import exam, femur, head, selected
from tests.report.growth_examples import grown, grown_exam


def told(shown):
    blocks = unmeasured(shown)
    return dict(blocks[1].rows) if blocks else {}


def test_a_plane_without_an_image_is_named():
    shown = exam(head(), femur(), selected=selected(head(), femur()))
    assert told(shown) == {"abdomen (AC)": "no image that was given was measured as an abdomen"}


def test_a_whole_exam_has_nothing_to_say():
    shown = grown_exam()
    assert unmeasured(replace(shown, growth={"": replace(grown(), refused=())})) == []


def test_what_growth_refused_stands_with_its_reason():
    said = told(grown_exam(grown(names=("HC", "FL"))))
    assert said["weight by hadlock1985_efw_hc_ac_fl"] == (
        "no formula of the house has all of its sizes"
    )


def test_a_reason_that_images_share_is_said_once_without_their_folders():
    problems = [Problem(f"in/{name}.png", None, f"in/{name}.png: not an image") for name in "abcde"]
    said = told(grown_exam(problems=tuple(problems)))
    assert said["a.png, b.png, c.png and 2 more"] == "not an image"


def test_many_images_of_other_planes_are_counted():
    problems = [Problem(f"{k}.png", 1, f"no plane ({k} %)", "other-plane") for k in range(9)]
    said = told(grown_exam(problems=tuple(problems)))
    assert said["0.png, 1.png, 2.png and 6 more"] == "they show no plane that is measured"


def test_beyond_a_dozen_reasons_the_rest_is_counted():
    problems = [Problem(f"{k}.png", None, f"reason {k}") for k in range(MOST_REASONS + 5)]
    said = told(grown_exam(problems=tuple(problems)))
    assert said["and 5 more reasons"] == "all are in the exam's JSON document"


def test_a_remark_is_said_once_with_all_that_it_is_about():
    (_, remarks) = remarks_of(grown_exam(grown(None)))
    circular = [text for text in remarks.items if "circular" in text]
    assert len(circular) == 1
    assert circular[0].startswith("HC, AC, FL, EFW: circular")


def test_a_model_stands_with_its_licence_and_its_hash():
    _, table = provenance(grown_exam(), {})
    model = head().model
    assert ("model", f"{model.name}; weights under {model.licence}; SHA-256 {model.sha256}") in (
        table.rows
    )
