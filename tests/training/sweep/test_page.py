"""Tables in pages: computed, and put where the page has a place for them."""

from pathlib import Path

import pytest

from fetometry.errors import DataError
from fetometry.training.sweep.collect import write
from fetometry.training.sweep.page import put
from fetometry.training.sweep.systems import write_systems

ROOT = Path(__file__).resolve().parents[3]
PAPERS = ("qazi2023", "sobhaninia2019", "zhang2020", "wang2023", "wang2019")


def page(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_stands_in_the_place_is_replaced_and_nothing_else(tmp_path):
    path = page(tmp_path, "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\nkept\n<!-- /y -->\n")
    put(path, "x", "new")
    expected = "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n<!-- y -->\nkept\n<!-- /y -->\n"
    assert path.read_text(encoding="utf-8") == expected
    put(path, "x", "new")
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("text", ["", "<!-- x -->\n", "<!-- x -->\n<!-- /x -->\n" * 2])
def test_a_page_without_just_one_such_place_is_refused_and_left_as_it_is(tmp_path, text):
    path = page(tmp_path, text)
    with pytest.raises(DataError, match="needs one place for x"):
        put(path, "x", "new")
    assert path.read_text(encoding="utf-8") == text


def copied(folder, tmp_path):
    """Copy committed results where they may be written over."""
    target = tmp_path / folder.name
    for path in folder.rglob("*"):
        if path.is_file():
            (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(folder)).write_bytes(path.read_bytes())
    return target


@pytest.mark.slow
@pytest.mark.parametrize("paper", PAPERS)
def test_the_committed_tables_are_those_of_the_committed_results_of_every_image(paper, tmp_path):
    results = ROOT / "results"
    folder = copied(results / paper, tmp_path / "results")
    readme = page(tmp_path, (ROOT / "recipes" / "README.md").read_text(encoding="utf-8"))
    write(folder, readme)
    for name in (f"{paper}.csv", f"{paper}.md"):
        made = folder.with_name(name).read_text(encoding="utf-8")
        assert made == (results / name).read_text(encoding="utf-8"), name
    shown = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    assert readme.read_text(encoding="utf-8") == shown


@pytest.mark.slow
def test_the_committed_table_of_systems_is_that_of_the_results_that_it_names(tmp_path):
    for paper in PAPERS:
        copied(ROOT / "results" / paper, tmp_path / "results")
    copied(ROOT / "docs" / "models", tmp_path / "docs")
    listed = tmp_path / "results" / "systems.toml"
    for name in ("systems.toml", "speed.csv"):
        listed.with_name(name).write_bytes((ROOT / "results" / name).read_bytes())
    write_systems(listed)
    made = listed.with_suffix(".csv").read_text(encoding="utf-8")
    assert made == (ROOT / "results" / "systems.csv").read_text(encoding="utf-8")
