"""The codes are those of the standard's own context groups, and of growth's charts."""

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from fetometry.growth import charts
from fetometry.report.sr import codes


def meanings(group):
    """Code → (scheme, meaning) of a context group."""
    found = {}
    for scheme, names in cid_concepts[group].items():
        for name in names:
            for value, (meaning, _) in concepts[scheme][name].items():
                found[value] = (scheme, meaning)
    return found


GROUPS = [
    (12004, codes.RATIOS.values()),
    (12005, [term for name, term in codes.MEASUREMENTS.items() if name != "FL"]),
    (12006, [codes.MEASUREMENTS["FL"]]),
    (12017, [codes.GROWTH_RANK, codes.GROWTH_Z]),
    (12018, [codes.FETUSES]),
    (12019, [codes.WEIGHT, codes.WEIGHT_RANK, codes.AGE, codes.AGE_BY_LMP, codes.COMPOSITE_AGE]),
    (12020, codes.SITES.values()),
    (12024, [codes.ROOT, codes.OBSTETRIC_SCAN]),
    (7150, [codes.ANATOMY]),
    (7151, codes.STRUCTURES.values()),
    (7162, [codes.ARTIFICIAL_INTELLIGENCE]),
    (7021, [codes.MEASUREMENT_REPORT]),
    (271, [codes.FETUS]),
    (222, [codes.NORMAL, codes.ABNORMALLY_HIGH, codes.ABNORMALLY_LOW]),
    (223, [codes.RANGE_LOW, codes.RANGE_HIGH]),
    (224, codes.SELECTIONS.values()),
    (225, [codes.BELOW, codes.ABOVE]),
    (227, [codes.RANK_OF_MEASUREMENT, codes.Z_OF_MEASUREMENT]),
    (228, [codes.EQUATION, codes.EQUATION_CITATION, codes.TABLE_CITATION, codes.TABLE]),
    (3627, [codes.MEASURED, codes.CALCULATED, codes.ESTIMATED, codes.MEAN]),
]


@pytest.mark.parametrize(("group", "terms"), GROUPS)
def test_a_term_is_in_its_context_group_word_for_word(group, terms):
    known = meanings(group)
    assert {term.value: (term.scheme, term.meaning) for term in terms}.items() <= known.items()


def test_every_dicom_term_has_the_meaning_that_the_standard_gives_it():
    known = {}
    for entries in concepts["DCM"].values():
        known |= {value: meaning for value, (meaning, _) in entries.items()}
    terms = [t for t in vars(codes).values() if isinstance(t, codes.Term) and t.scheme == "DCM"]
    assert len(terms) > 30
    assert {t.value: t.meaning for t in terms}.items() <= known.items()


def test_the_codes_of_charts_and_formulas_are_those_that_growth_knows():
    said = {item["name"]: item["dicom"] for item in charts() if item["role"] != "ratio"}
    known = {name: f"{term.scheme} {term.value}" for name, term in codes.EQUATIONS.items()}
    assert known == {name: code for name, code in said.items() if code != "none"}


def test_an_equation_is_named_as_in_its_context_group():
    known = {**meanings(12013), **meanings(12014), **meanings(12015), **meanings(12016)}
    told = {t.value: (t.scheme, t.meaning) for t in codes.EQUATIONS.values()}
    assert told.items() <= known.items()


def test_the_codes_of_ratios_are_those_that_growth_knows():
    said = {item["name"]: item["dicom"] for item in charts() if item["role"] == "ratio"}
    assert {name: f"{t.scheme} {t.value}" for name, t in codes.RATIOS.items()} == said


def test_the_dois_of_what_is_cited_are_those_that_growth_knows():
    cited = [c for c in charts() if c["role"] != "ratio" and c["dicom"] == "none"]
    assert {c["citation"]: c["doi"] for c in cited if c["doi"] != "none"} == codes.DOIS


def test_charts_of_printed_values_are_told_from_equations():
    tables = {c["name"] for c in charts() if c["role"] == "chart" and c["kind"] == "quantiles"}
    tables -= set(codes.EQUATIONS)
    assert tables == {c["name"] for c in charts() if c["name"].startswith(codes.TABLES)}


def test_no_term_is_longer_than_dicom_allows():
    terms = [t for t in vars(codes).values() if isinstance(t, codes.Term)]
    for mapping in (codes.MEASUREMENTS, codes.CONVENTIONS, codes.EQUATIONS, codes.UNITS):
        terms += mapping.values()
    assert all(len(t.value) <= 16 and len(t.scheme) <= 16 and len(t.meaning) <= 64 for t in terms)
