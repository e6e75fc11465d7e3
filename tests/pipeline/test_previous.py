"""Earlier exams: which are read, which can be compared."""

from dataclasses import replace

import pytest

from fetometry.errors import DataError, UsageError
from fetometry.pipeline.previous import Earlier, histories, read_previous
from fetometry.report import write
from tests.report.growth_examples import grown, grown_exam


def save(folder, growth, fetus=""):
    write(replace(grown_exam(), growth={fetus: growth}), folder, ["json"])


def test_every_exam_below_a_folder_is_read_and_other_documents_are_passed_over(tmp_path):
    save(tmp_path / "2026-01", grown(140))
    save(tmp_path / "2026-02", grown(168))
    (tmp_path / "head.truth.json").write_text('{"hc_mm": 250}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")
    found = read_previous(tmp_path)
    assert [exam.source for exam in found] == ["2026-01/exam.json", "2026-02/exam.json"]
    assert [exam.growth[""].age.days for exam in found] == [140, 168]


def test_a_folder_without_an_exam_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no exam\.json in"):
        read_previous(tmp_path)


def test_an_exam_of_another_version_is_an_error(tmp_path):
    (tmp_path / "exam.json").write_text('{"schema": "fetometry-exam/99"}')
    with pytest.raises(DataError, match="schema"):
        read_previous(tmp_path)


def test_an_exam_that_was_cut_short_is_told_and_not_passed_over(tmp_path):
    save(tmp_path, grown(140))
    (tmp_path / "exam.json").write_bytes((tmp_path / "exam.json").read_bytes()[:2000])
    with pytest.raises(DataError, match="cut short"):
        read_previous(tmp_path)


def test_exams_that_can_be_compared_are_put_in_the_order_of_age_with_their_velocity():
    earlier = [Earlier("b", {"": grown(154, 1.1)}), Earlier("a", {"": grown(140)})]
    (history,) = histories(grown_exam(grown(168, 1.2)), earlier).values()
    assert history.sources == ("a", "b")
    assert [growth.age.days for growth in history.growths] == [140, 154]
    hc = [change for change in history.changes if change.name == "HC"]
    # 175.0 x 0.1 mm in 2 weeks
    assert [change.per_week for change in hc] == pytest.approx([8.75, 8.75])
    assert history.left_out == ()


@pytest.mark.parametrize(
    ("now", "before", "reason"),
    [
        (grown(168), {}, "it has no growth of this fetus, or no age"),
        (grown(168), {"A": grown(140)}, "it has no growth of this fetus, or no age"),
        (grown(168), {"": grown(None)}, "its age was estimated from its measurements"),
        (grown(168), {"": grown(168)}, "its age is not below that of this exam"),
        (grown(None), {"": grown(100)}, "the age at this exam is not known from dates"),
    ],
)
def test_an_exam_that_cannot_be_compared_is_left_out_with_its_reason(now, before, reason):
    (history,) = histories(grown_exam(now), [Earlier("old/exam.json", before)]).values()
    assert history.left_out == (("old/exam.json", reason),)
    assert (history.growths, history.changes) == ((), ())


def test_an_exam_of_the_same_visit_is_no_earlier_one_of_itself():
    now = grown_exam(grown(168))
    visit = frozenset({"visit-1"})
    now = replace(now, findings=tuple(replace(f, exam="visit-1") for f in now.findings))
    same, other = (
        Earlier(k, {"": grown(140)}, v) for k, v in (("same", visit), ("b", frozenset()))
    )
    (history,) = histories(now, [same, replace(other, when="2026-01-01")]).values()
    assert (history.sources, history.whens) == (("b",), ("2026-01-01",))
    assert history.left_out == (("same", "its images are of the visit of this exam itself"),)
