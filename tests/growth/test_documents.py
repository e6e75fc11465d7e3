import json
from dataclasses import replace
from datetime import date

import pytest

from fetometry.growth import Dates, GrowthError, Size, assess
from fetometry.growth.documents import read_growth


@pytest.fixture(scope="module")
def whole():
    """Every noun: an age with others, weight, places with and without z, ratios, refusals."""
    dates = Dates(
        lmp=date(2026, 1, 1), crl_mm=60.0, crl_date=date(2026, 3, 25), exam=date(2026, 5, 21)
    )
    sizes = {"HC": 175.0, "AC": 150.0, "FL": 32.0, "OFD": 9.0}
    return assess([Size(name, value) for name, value in sizes.items()], dates)


def test_what_comes_back_from_json_is_what_went_in(whole):
    assert all((whole.weights, whole.placements, whole.ratios, whole.curves, whole.refused))
    assert read_growth(json.loads(json.dumps(whole.as_json()))) == whole


def test_an_unknown_age_comes_back_as_none():
    empty = assess([])
    assert empty.age is None
    assert read_growth(json.loads(json.dumps(empty.as_json()))) == empty


def test_keys_of_later_versions_are_passed_over_and_missing_defaults_are_filled_in(whole):
    document = json.loads(json.dumps(whole.as_json()))
    document["doppler"] = 1
    del document["placements"][0]["notes"]
    first = replace(whole.placements[0], notes=())
    assert read_growth(document).placements[0] == first


@pytest.mark.parametrize(
    "document", [None, [], {}, {"schema": "fetometry-growth/2"}, {"schema": "fetometry-growth/1"}]
)
def test_what_is_no_growth_is_refused(document):
    with pytest.raises(GrowthError):
        read_growth(document)


def test_a_boolean_is_no_number_and_a_number_no_boolean(whole):
    for key, value in (("z", True), ("circular", 1)):
        document = json.loads(json.dumps(whole.as_json()))
        document["placements"][0][key] = value
        with pytest.raises(GrowthError, match=rf"growth.placements\[0\].{key}"):
            read_growth(document)
