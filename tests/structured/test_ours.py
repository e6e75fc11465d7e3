"""What `measure --write sr` writes is read back whole, and the checker accepts it."""

import json

import pytest

from fetometry.structured import check, compare, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The report of three phantom planes of one fetus, and the exam's own document."""
    from typer.testing import CliRunner

    from fetometry.cli import app

    folder = tmp_path_factory.mktemp("exam")
    for plane in ("head", "abdomen", "femur"):
        made = CliRunner().invoke(app, ["phantom", plane, "--out", str(folder / f"{plane}.dcm")])
        assert made.exit_code == 0, made.output
    out = folder / "out"
    asked = ["measure", str(folder), "--write", "sr,json", "--ga", "27w0d", "--out", str(out)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return out / "report.sr.dcm", json.loads((out / "exam.json").read_text(encoding="utf-8"))


def test_the_checker_finds_nothing_in_it(written):
    found = check(written[0])
    assert found.faults == ()
    assert dict(found.rules)["TID 5006 row 3"] == 1


def test_every_value_that_counts_comes_back(written):
    report, exam = read(written[0]), written[1]
    (fetus,) = report.fetuses
    selected = {one["name"]: one["value"] for one in exam["selected"]}
    assert set(selected) == {"HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"}
    back = {name: fetus.chosen(name).value for name in selected}
    assert {name: value.value for name, value in back.items()} == pytest.approx(selected, abs=1e-3)
    assert all(value.method and value.selection and value.shapes for value in back.values())
    assert report.remarks == ()


def test_the_points_come_back_in_our_own_coordinates(written):
    (fetus,) = read(written[0]).fetuses
    (line,) = fetus.chosen("FL").value.shapes
    (femur,) = [f for f in written[1]["findings"] if f["plane"] == "femur"]
    ends = [femur["points_px"][name] for name in ("FL_1", "FL_2")]
    assert [list(point) for point in line.points] == [pytest.approx(end, abs=1e-3) for end in ends]
    (ellipse,) = fetus.chosen("HC").value.shapes
    assert (ellipse.graphic, len(ellipse.points)) == ("ELLIPSE", 4)


def test_it_agrees_with_itself_within_the_limits_between_observers(written):
    report = read(written[0])
    found = compare(report, report).differences
    assert {d.name for d in found if d.within} == {"HC", "AC", "FL"}
    assert {d.difference for d in found} == {0.0}
