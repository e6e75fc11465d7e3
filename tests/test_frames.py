"""Exams as data frames; where pandas is absent, a class stands in that keeps what it is given."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from fetometry.errors import UsageError
from fetometry.frames import growth_frame, measurements_frame, selected_frame
from tests.report.examples import exam, full_exam, growth


class Kept:
    """As much of a data frame as these tests look at."""

    def __init__(self, rows, columns):
        self.columns = columns
        self._rows = [{name: row[name] for name in columns} for row in rows]

    def __len__(self):
        return len(self._rows)

    def to_dict(self, kind):
        return self._rows


@pytest.fixture(autouse=True)
def pandas(monkeypatch):
    if importlib.util.find_spec("pandas") is None:
        monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=Kept))


def rows(frame):
    return frame.to_dict("records")


def test_every_measurement_is_a_row_in_its_unit():
    shown = full_exam()
    found = rows(measurements_frame(shown))
    assert len(found) == sum(len(finding.measurements) for finding in shown.findings)
    assert (found[0]["exam"], found[0]["name"], found[0]["unit"]) == ("ward 3", "HC", "mm")
    assert found[0]["value"] == shown.findings[0].measurements[0].value
    assert found[0]["flags"] == "cut-by-edge;unusual-shape"
    assert (found[0]["low"], found[0]["high"]) == (80.0, 90.0)
    assert {row["unit"] for row in found if row["source"] == "three.png"} == {"px"}


def test_the_values_that_count_are_rows_with_their_repeats():
    found = rows(selected_frame(full_exam()))
    assert [row["name"] for row in found] == ["HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"]
    assert (found[3]["fetus"], found[3]["how"], found[3]["count"]) == ("A", "mean", 3)


def test_each_size_on_each_chart_is_a_row_with_its_range():
    placed = growth().placements[0]
    row = rows(growth_frame(full_exam()))[0]
    assert (row["fetus"], row["name"], row["chart"]) == ("A", "AC", placed.chart)
    assert (row["centile"], row["z"]) == (placed.centile, placed.z)
    assert (row["centile_low"], row["centile_high"]) == placed.centile_interval
    assert (row["ga_days"], row["ga_source"], row["ga_estimated"]) == (placed.ga_days, "crl", False)
    assert row["circular"] is False


def test_several_exams_follow_each_other_and_none_has_its_columns():
    one = len(measurements_frame(full_exam()))
    assert len(measurements_frame([full_exam(), full_exam()])) == 2 * one
    empty = growth_frame(exam())
    assert len(empty) == 0
    assert "centile" in list(empty.columns)


def test_without_pandas_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"fetometry\[frames\]"):
        growth_frame(exam())
