"""What the package depends on: every name is explained, and none is under the GPL."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
STRONG = re.compile(r"(?<!L)GPL|(?<!Lesser )General Public License")
WEAK = re.compile(r"LGPL|Lesser General Public|MPL|Mozilla Public|EPL|Eclipse Public|CDDL")


def _declared() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"base": project["dependencies"], **project["optional-dependencies"]}


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def licence_of(fields) -> str:
    """The licence a package declares: its expression, else its classifiers, else its text."""
    if fields.get("License-Expression"):
        return fields["License-Expression"]
    classifiers = [c for c in fields.get_all("Classifier") or [] if c.startswith("License ::")]
    if classifiers:
        return "; ".join(classifiers)
    return (fields.get("License") or "").strip().partition("\n")[0]


def judged(licence: str) -> str:
    if STRONG.search(licence) and "exception" not in licence.lower():
        return "strong"
    return "weak" if WEAK.search(licence) else "free"


def _closure(requirements: list[str]) -> dict[str, str]:
    """Every installed package that the requirements bring in, and its licence."""
    licences: dict[str, str] = {}
    todo = [Requirement(text) for text in requirements]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        extras = [{"extra": extra} for extra in ("", *requirement.extras)]
        if name in licences:
            continue
        found = metadata.distribution(name)
        licences[name] = licence_of(found.metadata)
        for text in found.requires or []:
            child = Requirement(text)
            if child.marker is None or any(child.marker.evaluate(e) for e in extras):
                todo.append(child)
    return licences


def test_the_base_installation_holds_no_gpl():
    licences = _closure(_declared()["base"])
    assert len(licences) > 15  # it did walk below the nine that are declared
    assert {n: text for n, text in licences.items() if judged(text) == "strong"} == {}


def test_the_base_installation_holds_no_weak_copyleft_that_is_not_written_down():
    licences = _closure(_declared()["base"])
    assert {n: text for n, text in licences.items() if judged(text) == "weak"} == {}


def test_every_package_of_the_base_installation_declares_a_licence():
    assert [n for n, text in _closure(_declared()["base"]).items() if not text] == []


@pytest.mark.parametrize(
    ("licence", "judgement"),
    [
        ("GPL-3.0-or-later", "strong"),
        ("MIT AND AGPL-3.0", "strong"),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", "strong"),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", "free"),
        ("LGPL-2.1-only", "weak"),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "weak"),
        ("MPL-2.0 AND MIT", "weak"),
        ("Apache-2.0", "free"),
    ],
)
def test_a_licence_is_judged_by_its_name(licence, judgement):
    assert judged(licence) == judgement


def test_no_extra_asks_for_a_known_gpl_codec():
    asked = {name for requirements in _declared().values() for name in _names(requirements)}
    assert asked.isdisjoint({"pylibjpeg-libjpeg", "pyqt5", "gmsh", "pymupdf"})


def test_every_dependency_is_explained_in_the_docs_and_no_other():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = {canonicalize_name(name) for name in re.findall(r"^\| `([^`]+)` \|", text, re.M)}
    declared = {name for requirements in _declared().values() for name in _names(requirements)}
    assert explained == declared
