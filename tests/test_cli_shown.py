"""What the terminal shows of an exam, at 80 columns and at 140."""

from dataclasses import replace

import pytest
from rich.console import Console

from fetometry import cli
from fetometry.geometry import Ellipse
from fetometry.report import FLAG_TEXT
from fetometry.types import Exam, Problem
from tests.conftest import HEAD
from tests.report.examples import head


@pytest.fixture(params=[80, 140])
def shown(request, monkeypatch, capsys):
    """Show an exam on a terminal of a width, and return its lines."""
    monkeypatch.setattr(cli, "screen", Console(emoji=False, highlight=False, width=request.param))
    monkeypatch.setattr(cli, "err", Console(stderr=True, emoji=False, width=request.param))

    def show(exam):
        cli._show(exam)
        printed = capsys.readouterr()
        assert all(len(line) <= request.param for line in printed.out.splitlines())
        return printed.out.splitlines(), printed.err.splitlines()

    return show


LONG = "/a/very/long/way/to/the/examinations/of/the/year/2024/{}/training_set/{:03d}_HC.webp"


def test_the_end_of_a_long_path_is_shown_with_its_numbers(shown):
    findings = [
        head(source=LONG.format(ward, 1), spacing_source="table:training_set_pixel_size_and_HC.csv")
        for ward in ("w1", "w2")
    ]
    lines, _ = shown(Exam(tuple(findings)))
    for line, finding in zip(lines[1:3], findings, strict=True):
        assert "001_HC.webp" in line
        for measurement in finding.measurements:
            assert f" {measurement.value:.1f}" in line
        assert " mm " in line
        assert "size_and_HC.csv" in line


def test_the_numbers_of_images_stand_below_their_names(shown):
    lines, _ = shown(Exam((head(source="a.png"), head(source="頭部/long/name.png"))))
    ends = {title: lines[0].index(title) + len(title) for title in ("HC", "BPD", "OFD")}
    hc, bpd, ofd = (f"{m.value:.1f}" for m in head().measurements)
    assert [lines[1].index(value) + len(value) for value in (hc, bpd, ofd)] == [
        ends["HC"], ends["BPD"], ends["OFD"],
    ]  # fmt: skip


def test_a_flag_is_said_in_words_with_the_images_that_carry_it(shown):
    names = "abcdef"
    findings = [head(source=f"{n}.png", flags=("cut-by-edge",) if n > "a" else ()) for n in names]
    lines, _ = shown(Exam((*findings, head(source="g.png", flags=("a-new-flag",)))))
    text = " ".join(" ".join(lines).split())
    assert "! cut-by-edge " + FLAG_TEXT["cut-by-edge"] in text
    assert "5 of 7: b.png, c.png, d.png and 2 more" in text
    assert "! a-new-flag 1 of 7: g.png" in text
    assert [" ! " in line for line in lines[1:8]] == [False, *[True] * 6]


def test_without_flags_there_is_no_legend(shown):
    lines, _ = shown(Exam((head(),)))
    assert len(lines) == 2


def test_pixels_are_called_pixels(shown):
    lines, _ = shown(Exam((head(mm=None),)))
    assert " px " in lines[1]
    assert " mm" not in lines[1]


def test_many_images_are_summed_up(shown):
    sizes = [Ellipse(HEAD.center, (a, a * 0.8), 0.0) for a in range(200, 241)]
    heads = tuple(head(ellipse, source=f"{i}.png") for i, ellipse in enumerate(sizes))
    low, middle, high = (sizes[i].scaled(0.1, 0.1).circumference for i in (0, 20, 40))
    lines, _ = shown(Exam(heads))
    assert lines == [f"41 measured, HC {low:.1f} to {high:.1f}, median {middle:.1f} mm"]
    pixels = tuple(replace(head(mm=None), source=f"{i}.png") for i in range(2))
    lines, _ = shown(Exam((*heads, *pixels)))
    assert lines[1].startswith("2 measured, HC ")
    assert lines[1].endswith(" px")


def test_one_reason_for_many_images_is_said_once(shown):
    problems = [Problem(f"in/{i}.png", 1, "no millimetres: none known") for i in range(9)]
    own = Problem("bad.png", None, "bad.png: the file is empty")
    _, lines = shown(Exam((), (*problems, own)))
    assert lines == [
        "refused: 9 images (0.png, 1.png, 2.png and 6 more): no millimetres: none known",
        "refused: bad.png: the file is empty",
    ]


@pytest.mark.parametrize("source", ["a", "1", "n"])
def test_a_refused_file_is_named_however_short_its_name(source, shown):
    _, lines = shown(Exam((), (Problem(source, 12, "nothing was found"),)))
    assert lines == [f"refused: {source} frame 12: nothing was found"]


def test_a_flood_of_reasons_ends_with_where_to_read_them(shown):
    problems = [Problem(f"{i}.png", None, f"{i}.png: fault {i}") for i in range(50)]
    _, lines = shown(Exam((), tuple(problems)))
    assert len(lines) == cli.MOST_REFUSALS + 1
    assert lines[-1] == "and 30 more reasons: all are in exam.json"


def test_brackets_in_a_name_are_no_markup(shown):
    found = head(source="[bold]x.png", flags=("cut-by-edge",))
    lines, refused = shown(
        Exam((found, head(source="y.png")), (Problem("[red]z.png", None, "[green]nothing"),))
    )
    assert lines[1].startswith("[bold]x.png ")
    assert refused == ["refused: [red]z.png: [green]nothing"]
    assert any("1 of 2: [bold]x.png" in line for line in lines[3:])
