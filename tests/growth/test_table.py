"""A table in, the same table with z scores, centiles, weights and flags out."""

import csv

import pytest

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.growth import GrowthError, Profile, catalogue, grow_table, parse_columns
from fetometry.growth import table as table_module

HEADING = "id,hc_mm,ac_mm,fl_mm,ga_days"
GOOD = "a,175,150,32,140"


@pytest.fixture
def grown(tmp_path):
    """Grow a table of these lines; return its rows by column, and the report."""

    def grow(*lines, text=None, **options):
        source, target = tmp_path / "in.csv", tmp_path / "out.csv"
        source.write_bytes((text or "\n".join(lines) + "\n").encode())
        report = grow_table(source, target, **options)
        assert not (tmp_path / "out.csv.part").exists()
        with target.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream)), report

    return grow


def test_a_row_gets_its_z_scores_centiles_and_weight(grown):
    rows, report = grown(HEADING, GOOD)
    assert list(rows[0]) == [
        *HEADING.split(","),
        "hc_z", "hc_centile", "ac_z", "ac_centile", "fl_z", "fl_centile",
        "efw_g", "efw_centile", "flags",
    ]  # fmt: skip
    known = catalogue()
    expected = known.chart("intergrowth21_hc").place(175, 140)
    assert float(rows[0]["hc_z"]) == pytest.approx(expected.z, abs=0.0005)
    assert float(rows[0]["hc_centile"]) == pytest.approx(expected.centile, abs=0.005)
    assert rows[0]["efw_g"] == "331"
    assert rows[0]["flags"] == ""
    assert (report.rows, report.bad_count, report.bad_rows) == (1, 0, ())
    assert report.charts["HC"] == "intergrowth21_hc"
    assert report.weight_formula == "hadlock1985_efw_hc_ac_fl"


def test_bad_rows_are_kept_and_reported_with_their_line(grown):
    rows, report = grown(
        HEADING,
        GOOD,
        "b,17.5,150,32,140",
        "c,175,wide,32,140",
        "d,175,150,32,20",
        "e,175,150,32,",
        "",
        "f,175,150,32,300",
        "g,175,150",
        "h,175,150,32,140,more",
        '"two\nlines",175,150,32,140',
        "i,1,150,32,140",
    )
    assert [row["id"] for row in rows] == [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "two\nlines",
        "i",
    ]
    assert [(bad.line, bad.flags[0]) for bad in report.bad_rows] == [
        (3, "hc-centimetres"),
        (4, "ac-not-a-number"),
        (5, "age-in-weeks"),
        (6, "age-missing"),
        (8, "hc-age-outside"),
        (9, "cells"),
        (10, "cells"),
        (13, "hc-implausible"),
    ]
    assert report.bad_count == 8
    assert report.counts["cells"] == 2
    assert rows[1]["hc_z"] == rows[1]["efw_g"] == ""
    assert float(rows[1]["ac_centile"]) > 50
    assert rows[7]["ga_days"] == "140,more"


@pytest.mark.parametrize("empty", ["", "NA", "nan", "None", " null "])
def test_a_missing_size_is_empty_and_no_mistake(grown, empty):
    rows, report = grown(HEADING, f"a,175,150,{empty},140")
    assert (rows[0]["fl_z"], rows[0]["efw_g"], rows[0]["flags"]) == ("", "", "")
    assert rows[0]["hc_z"]
    assert report.bad_count == 0


def test_columns_of_other_names_and_centimetres(grown):
    columns = parse_columns("hc=Head, ga=Days")
    rows, _ = grown("Head,Days,note", '17.5,140,"x, y"', columns=columns, units="cm")
    assert float(rows[0]["hc_z"]) == pytest.approx(0.339, abs=0.001)
    assert rows[0]["note"] == "x, y"


def test_millimetres_called_centimetres_are_flagged(grown):
    rows, _ = grown("hc_mm,ga_days", "175,140", units="cm")
    assert rows[0]["flags"] == "hc-tenfold"


def test_beyond_a_chart_of_curves_only_the_side_is_given(grown):
    rows, _ = grown(HEADING, "a,140,150,45,140", profile=Profile().with_charts("who2017"))
    assert (rows[0]["hc_z"], rows[0]["hc_centile"]) == ("", "<1")
    assert (rows[0]["fl_z"], rows[0]["fl_centile"]) == ("", ">99")


def test_a_centile_is_never_0_or_100(grown):
    rows, _ = grown("hc_mm,ga_days", "120,140", "230,140")
    assert [row["hc_centile"] for row in rows] == ["<0.01", ">99.99"]


def test_a_bpd_column_needs_its_convention(grown):
    with pytest.raises(GrowthError, match="bpd_mm: a BPD needs its convention"):
        grown("bpd_mm,ga_days", "48,140")
    rows, _ = grown("bpd_mm,ga_days", "48,140", profile=Profile().with_bpd("outer-inner"))
    assert float(rows[0]["bpd_centile"]) > 70
    rows, _ = grown("bpd_mm,hc_mm,ga_days", "48,175,140", columns={"bpd": ""})
    assert "bpd_z" not in rows[0]


def test_without_the_sizes_of_its_formula_there_is_no_weight_and_the_report_says_so(grown):
    rows, report = grown("hc_mm,ga_days", "175,140")
    assert "efw_g" not in rows[0]
    assert report.notes == ("no weights: hadlock1985_efw_hc_ac_fl needs HC, AC, FL",)
    assert report.weight_formula == ""


def test_blocks_make_no_difference(grown, monkeypatch):
    lines = [HEADING, *(f"r{k},{100 + k},{90 + k},{15 + k / 5},{98 + k}" for k in range(50))]
    whole, _ = grown(*lines)
    monkeypatch.setattr(table_module, "BLOCK", 7)
    parts, report = grown(*lines)
    assert parts == whole
    assert report.rows == 50


def test_more_bad_rows_than_are_named_are_counted(grown, monkeypatch):
    monkeypatch.setattr(table_module, "MOST_PROBLEMS", 3)
    _, report = grown(HEADING, *["a,175,150,32,20"] * 10)
    assert (report.bad_count, len(report.bad_rows)) == (10, 3)


def test_a_byte_order_mark_and_windows_line_ends_are_read(grown):
    rows, _ = grown(text="\ufeffhc_mm,ga_days\r\n175,140\r\n")
    assert rows[0]["hc_mm"] == "175"
    assert rows[0]["hc_z"] == "0.339"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hc_mm;ga_days\n175;140\n", "a column of exact days .ga_days. and one of sizes"),
        ("hc_mm\n175\n", "a column of exact days .ga_days."),
        ("ga_days\n140\n", "and one of sizes are needed, such as hc_mm"),
        ("hc_mm,hc_mm,ga_days\n1,2,3\n", "two columns are called 'hc_mm'"),
        ("hc_mm,hc_z,ga_days\n1,2,3\n", "has columns hc_z already; rename them"),
        ("", "the table is empty"),
        ('hc_mm,ga_days\n"175,140\n', "in.csv:2: not a CSV table"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_reason(grown, text, reason):
    with pytest.raises(DataError, match=reason):
        grown(text=text or "\n")


def test_a_column_that_is_asked_for_must_be_there(grown):
    with pytest.raises(DataError, match="no column 'Head'; there are hc_mm, ga_days"):
        grown("hc_mm,ga_days", "175,140", columns={"hc": "Head"})


def test_a_table_in_another_encoding_is_refused(tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes("hc_mm,ga_days,note\n175,140,ä\n".encode("latin-1"))
    with pytest.raises(DataError, match="not a CSV table in UTF-8"):
        grow_table(source, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == [source]


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        grow_table(tmp_path / "in.csv", tmp_path / "out.csv")


def test_the_output_is_never_the_input(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADING}\n{GOOD}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="the output would replace the input"):
        grow_table(source, tmp_path / "." / "in.csv")
    with pytest.raises(OutputError, match="cannot be written"):
        grow_table(source, tmp_path / "nowhere" / "out.csv")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"units": "inch"}, "units must be mm or cm"),
        ({"columns": {"crl": "x"}}, "no column can be given for 'CRL'; allowed: HC, AC"),
    ],
)
def test_unknown_options_are_refused(grown, options, reason):
    with pytest.raises(UsageError, match=reason):
        grown(HEADING, GOOD, **options)


@pytest.mark.parametrize("text", ["hc", "hc=a,ga", "xx=a"])
def test_columns_that_cannot_be_read_are_refused(text):
    with pytest.raises(UsageError):
        parse_columns(text)
