"""What the terminal shows of an exam, at 80 columns and at 140."""

from dataclasses import replace

import pytest
from rich.console import Console

from fetometry.cli import console, show
from fetometry.geometry import Ellipse
from fetometry.pipeline.selecting import decide
from fetometry.report import FLAG_TEXT
from fetometry.types import Exam, Problem
from tests.conftest import HEAD
from tests.report.examples import head


def exam(*findings, problems=(), how="best", name="x"):
    marked, selected = decide(findings, how)
    return Exam(marked, tuple(problems), selected=selected, name=name)


@pytest.fixture(params=[80, 140])
def shown(request, monkeypatch, capsys):
    """Show exams on a terminal of a width, and return its lines."""
    width = request.param
    monkeypatch.setattr(console, "screen", Console(emoji=False, highlight=False, width=width))
    monkeypatch.setattr(console, "err", Console(stderr=True, emoji=False, width=width))

    def run(*exams):
        show.show_exams(exams)
        printed = capsys.readouterr()
        assert all(len(line) <= width for line in printed.out.splitlines())
        return printed.out.splitlines(), printed.err.splitlines()

    return run


LONG = "/a/very/long/way/to/the/examinations/of/the/year/2024/{}/training_set/{:03d}_HC.webp"


# the values that count


def test_one_image_has_a_line_for_each_value_with_its_name_and_its_pixel_size(shown):
    found = head(source="a.png", interval=(82.0, 90.0))
    lines, _ = shown(exam(found))
    assert lines[0].split() == ["value", "95", "%", "interval", "image"]
    assert len(lines) == 4
    values = {m.name: f"{m.value:.1f}" for m in found.measurements}
    assert lines[1].split() == ["head", "HC", values["HC"], "mm", "82.0", "to", "90.0", "a.png"]
    assert lines[2].split() == ["BPD", values["BPD"], "mm", "82.0", "to", "90.0",
                                "pixel", "size:", "csv"]  # fmt: skip
    assert lines[3].split() == ["OFD", values["OFD"], "mm", "82.0", "to", "90.0"]


def test_without_intervals_there_is_no_column_for_them(shown):
    lines, _ = shown(exam(head(source="a.png")))
    assert "interval" not in lines[0]
    assert len(lines) == 4


def test_values_are_aligned_and_grouped_by_plane(shown):
    head_, abdomen, femur = planes()
    lines, _ = shown(exam(femur, abdomen, head_))
    starts = [line.split()[0] for line in lines[1:]]
    assert starts[::3] == ["head", "abdomen", "femur"]
    ends = {line.index(" mm") for line in lines[1:8]}
    assert len(ends) == 1
    assert [name for line in lines for name in line.split() if name in NAMES] == list(NAMES)


NAMES = ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL")


def planes():
    """A head of 200 mm, an abdomen and a femur that go with it."""
    found = head(source="h.png", mm=(0.25, 0.25))
    scale = 200.0 / found.measurements[0].value
    sizes = ({}, {"HC": ("AC", 0.87), "BPD": ("TAD", 1), "OFD": ("APAD", 1)}, {"HC": ("FL", 0.185)})
    made = []
    for plane, names in zip(("head", "abdomen", "femur"), sizes, strict=True):
        made.append(
            replace(
                found,
                plane=plane,
                source=f"{plane[0]}.png",
                measurements=tuple(
                    replace(m, name=names.get(m.name, (m.name, 1))[0],
                            value=m.value * scale * names.get(m.name, (m.name, 1))[1])
                    for m in found.measurements
                    if not names or m.name in names
                ),
            )
        )  # fmt: skip
    return made


def test_of_several_images_the_count_and_the_spread_are_told_and_all_are_listed(shown):
    sizes = [Ellipse(HEAD.center, (a, a * 0.8), 0.0) for a in (200, 210, 220)]
    heads = [head(e, source=f"{i}.png") for i, e in enumerate(sizes)]
    lines, _ = shown(exam(*heads, how="median"))
    assert "median of 3 ±" in lines[1]
    assert lines[1].endswith("1.png")
    assert lines[4].startswith("head ")
    assert [line.split()[0] for line in lines[5:]] == ["0.png", "1.png", "2.png"]


def test_twins_are_told_apart(shown):
    lines, _ = shown(exam(replace(head(), fetus="B"), replace(head(), fetus="A")))
    assert [" ".join(line.split()[:2]) for line in lines[1::3]] == ["head A", "head B"]


def test_a_flagged_value_is_marked(shown):
    lines, _ = shown(exam(head(flags=("cut-by-edge",)), head(source="b.png")))
    assert ["!" in line.split() for line in lines[1:4]] == [True] * 3


def test_several_exams_have_their_names_above_them(shown):
    lines, _ = shown(exam(head(), name="ward 1"), exam(head(), name="ward 2"))
    assert lines[0] == "ward 1"
    assert lines[5:7] == ["", "ward 2"]
    one, _ = shown(exam(head(), name="ward 1"))
    assert "ward 1" not in "\n".join(one)


# the images


def test_the_end_of_a_long_path_is_shown_with_its_numbers(shown):
    findings = [
        head(source=LONG.format(ward, 1), spacing_source="table:training_set_pixel_size_and_HC.csv")
        for ward in ("w1", "w2")
    ]
    lines, _ = shown(exam(*findings))
    for line, finding in zip(lines[5:7], findings, strict=True):
        assert "001_HC.webp" in line
        for measurement in finding.measurements:
            assert f" {measurement.value:.1f}" in line
        assert " mm " in line
        assert "size_and_HC.csv" in line
    alone, _ = shown(exam(findings[0]))
    assert "001_HC.webp" in alone[1]
    assert "size_and_HC.csv" in alone[2]


def test_the_numbers_of_images_stand_below_their_names(shown):
    lines, _ = shown(exam(head(source="a.png"), head(source="頭部/long/name.png")))
    heads = lines[4]
    ends = {title: heads.index(title) + len(title) for title in ("HC", "BPD", "OFD")}
    hc, bpd, ofd = (f"{m.value:.1f}" for m in head().measurements)
    assert [lines[5].index(value) + len(value) for value in (hc, bpd, ofd)] == [
        ends["HC"], ends["BPD"], ends["OFD"],
    ]  # fmt: skip


def test_a_flag_is_said_in_words_with_the_images_that_carry_it(shown):
    names = "abcdef"
    findings = [head(source=f"{n}.png", flags=("cut-by-edge",) if n > "a" else ()) for n in names]
    lines, _ = shown(exam(*findings, head(source="g.png", flags=("a-new-flag",))))
    text = " ".join(" ".join(lines).split())
    assert "! cut-by-edge " + FLAG_TEXT["cut-by-edge"] in text
    assert "5 of 7: b.png, c.png, d.png and 2 more" in text
    assert "! a-new-flag 1 of 7: g.png" in text
    assert [" ! " in line for line in lines[5:12]] == [False, *[True] * 6]


def test_without_flags_there_is_no_legend(shown):
    lines, _ = shown(exam(head()))
    assert len(lines) == 4


def test_pixels_are_called_pixels(shown):
    lines, _ = shown(exam(head(mm=None)))
    assert " px " in lines[1]
    assert not any(" mm" in line for line in lines)
    assert lines[2].endswith("pixel size: not known")


def test_many_images_are_summed_up(shown):
    sizes = [Ellipse(HEAD.center, (a, a * 0.8), 0.0) for a in range(200, 241)]
    heads = tuple(head(ellipse, source=f"{i}.png") for i, ellipse in enumerate(sizes))
    low, middle, high = (sizes[i].scaled(0.1, 0.1).circumference for i in (0, 20, 40))
    lines, _ = shown(exam(*heads))
    assert len(lines) == 5
    assert lines[4] == f"41 measured, HC {low:.1f} to {high:.1f}, median {middle:.1f} mm"
    pixels = tuple(replace(head(mm=None), source=f"{i}.png") for i in range(2))
    lines, _ = shown(exam(*heads, *pixels))
    assert lines[5].startswith("2 measured, HC ")
    assert lines[5].endswith(" px")


def test_many_images_are_summed_up_by_plane(shown):
    lines, _ = shown(exam(*(replace(f, source=f"{i}.png") for i in range(11) for f in planes())))
    told = [line.split(",")[1].split()[0] for line in lines if line.startswith("11 measured")]
    assert told == ["HC", "AC", "FL"]


# what was not measured


def test_one_reason_for_many_images_is_said_once(shown):
    problems = [Problem(f"in/{i}.png", 1, "no millimetres: none known") for i in range(9)]
    own = Problem("bad.png", None, "bad.png: the file is empty")
    _, lines = shown(Exam((), (*problems, own)))
    assert lines == [
        "refused: 9 images (0.png, 1.png, 2.png and 6 more): no millimetres: none known",
        "refused: bad.png: the file is empty",
    ]


def test_images_of_no_plane_are_listed_and_not_called_refused(shown):
    def other(count):
        return [Problem(f"{i}.png", 1, f"none ({i} % sure)", "other-plane") for i in range(count)]

    _, lines = shown(Exam((), tuple(other(2))))
    assert lines == ["not measured: 0.png: none (0 % sure)", "not measured: 1.png: none (1 % sure)"]
    _, lines = shown(Exam((), tuple(other(9))))
    assert len(lines) == 1
    assert lines[0].startswith("not measured: 9 images (0.png, 1.png, 2.png and 6 more): they show")


@pytest.mark.parametrize("source", ["a", "1", "n"])
def test_a_refused_file_is_named_however_short_its_name(source, shown):
    _, lines = shown(Exam((), (Problem(source, 12, "nothing was found"),)))
    assert lines == [f"refused: {source} frame 12: nothing was found"]


def test_a_flood_of_reasons_ends_with_where_to_read_them(shown):
    problems = [Problem(f"{i}.png", None, f"{i}.png: fault {i}") for i in range(50)]
    _, lines = shown(Exam((), tuple(problems)))
    assert len(lines) == show.MOST_REFUSALS + 1
    assert lines[-1] == "and 30 more reasons: all are in exam.json"


def test_the_problems_of_all_exams_are_told_together(shown):
    exams = [Exam((), (Problem(f"{i}.png", 1, "the same"),), name=f"{i}") for i in range(5)]
    _, lines = shown(*exams)
    assert lines == ["refused: 5 images (0.png, 1.png, 2.png and 2 more): the same"]


def test_brackets_in_a_name_are_no_markup(shown):
    found = head(source="[bold]x.png", flags=("cut-by-edge",))
    lines, refused = shown(
        exam(found, head(source="y.png"), problems=[Problem("[red]z.png", None, "[green]nothing")])
    )
    assert lines[5].startswith("[bold]x.png ")
    assert refused == ["refused: [red]z.png: [green]nothing"]
    assert any("1 of 2: [bold]x.png" in line for line in lines[7:])
