"""Gestational age: as text, from dates, and which of several sources counts."""

from datetime import date

import pytest

from fetometry.growth import Age, Dates, GrowthError, age_of, catalogue, ga_text, parse_ga, redate
from fetometry.growth.profile import Dating

KNOWN = catalogue()
EXAM = date(2024, 6, 20)


def age(dating=None, **given):
    return age_of(Dates(**given), dating or Dating(), KNOWN)


@pytest.mark.parametrize(
    ("text", "days"),
    [("23w4d", 165), ("23+4", 165), ("23W4D", 165), (" 23w 4d ", 165), ("165d", 165), ("9w0d", 63)],
)
def test_an_age_is_read_in_exact_days(text, days):
    assert parse_ga(text) == days


@pytest.mark.parametrize("text", ["23w7d", "23+9"])
def test_seven_days_are_a_week(text):
    with pytest.raises(GrowthError, match="days are 0 to 6"):
        parse_ga(text)


@pytest.mark.parametrize("text", ["", "abc", "23.4", "-3w2d", "23w4d5", "165", "23w44d"])
def test_anything_else_is_no_age(text):
    with pytest.raises(GrowthError, match=r"give 23w4d, 23\+4 or 165d"):
        parse_ga(text)


@pytest.mark.parametrize("text", ["45w0d", "0w0d", "400d"])
def test_an_impossible_age_is_refused(text):
    with pytest.raises(GrowthError, match="1 to 308 days"):
        parse_ga(text)


@pytest.mark.parametrize(("days", "text"), [(165, "23w4d"), (164.6, "23w4d"), (167.5, "24w0d")])
def test_an_age_is_shown_in_weeks_and_days_to_the_nearest_day(days, text):
    assert ga_text(days) == text


def test_an_lmp_counts_exact_days():
    assert age(lmp=date(2024, 1, 1), exam=EXAM).days == 171  # 2024 has a 29th of February


def test_a_due_date_is_280_days_after_the_lmp():
    assert age(edd=date(2024, 10, 7), exam=EXAM).days == 171


def test_a_crl_ages_by_the_days_since_its_scan():
    found = age(crl_mm=60.0, crl_date=date(2024, 3, 20), exam=EXAM)
    at_scan = 40.9041 + 3.21585 * 60**0.5 + 0.348956 * 60
    assert found.days == pytest.approx(at_scan + 92)
    low, high = found.interval_days
    assert (high - low) / 2 == pytest.approx(1.959964 * (2.39102 + 0.0193474 * 60))


def test_a_crls_own_interval_widens_that_of_the_age():
    dates = {"crl_mm": 60.0, "crl_date": EXAM, "exam": EXAM}
    plain = age(**dates)
    wide = age(**dates, crl_interval_mm=(57.0, 63.0))
    assert wide.interval_days[1] - wide.days > plain.interval_days[1] - plain.days + 0.2


def test_a_long_crl_is_remarked_on():
    found = age(crl_mm=90.0, crl_date=EXAM, exam=EXAM)
    assert "above 84 mm a CRL dates less well (ACOG 700)" in found.notes


def test_a_formula_without_a_published_error_says_so():
    found = age(Dating(crl="robinson1975_ga_crl_bmus"), crl_mm=60.0, crl_date=EXAM, exam=EXAM)
    assert found.interval_days is None
    assert any("formula's own error is not at hand" in note for note in found.notes)


def test_nothing_given_is_no_age():
    assert age() is None


def test_an_agreed_due_date_is_not_overruled_by_a_scan_or_an_lmp():
    found = age(
        edd=date(2024, 10, 7),
        ga_days=160,
        lmp=date(2023, 12, 20),
        crl_mm=60.0,
        crl_date=date(2024, 3, 20),
        exam=EXAM,
    )
    assert (found.source, found.days) == ("edd", 171)
    assert dict(found.others)["ga"] == 160
    assert {source for source, _ in found.others} == {"ga", "crl", "lmp"}
    assert "GA alone would give 22w6d (-11 days); EDD counts" in found.notes


def test_the_order_of_the_house_decides_between_crl_and_lmp():
    given = {"lmp": date(2024, 1, 1), "crl_mm": 60.0, "crl_date": date(2024, 3, 27), "exam": EXAM}
    assert age(**given).source == "crl"
    assert age(Dating(sources=("edd", "lmp", "crl")), **given).source == "lmp"


def test_a_source_that_the_house_does_not_use_is_refused_and_not_passed_over():
    with pytest.raises(GrowthError, match=r"the age by ga was given, but .* has only edd, crl"):
        age(Dating(sources=("edd", "crl")), ga_days=140)


# on the 27th of March the LMP gives 86 days (12w2d), where 5 to 7 days are the limit of ACOG
@pytest.mark.parametrize(("crl_mm", "source"), [(62.0, "lmp"), (75.0, "crl")])
def test_where_the_house_redates_by_rule_the_rule_decides(crl_mm, source):
    found = age(
        Dating(redating="acog"),
        lmp=date(2024, 1, 1),
        crl_mm=crl_mm,
        crl_date=date(2024, 3, 27),
        exam=EXAM,
    )
    assert found.source == source
    assert any("ACOG Committee Opinion 700" in note for note in found.notes)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"crl_mm": 60.0, "exam": EXAM}, "a CRL and the date of its scan go together"),
        ({"crl_date": EXAM, "exam": EXAM}, "a CRL and the date of its scan go together"),
        ({"lmp": date(2024, 1, 1)}, "the date of the exam is needed"),
        ({"lmp": date(2024, 7, 1), "exam": EXAM}, "makes the exam day -11"),
        ({"lmp": date(2022, 7, 1), "exam": EXAM}, "makes the exam day 720"),
        ({"edd": date(2025, 10, 1), "exam": EXAM}, "a due date of 2025-10-01 makes the exam day"),
        ({"crl_mm": 60.0, "crl_date": date(2024, 7, 1), "exam": EXAM}, "lies after the exam"),
        ({"crl_mm": 6.0, "crl_date": EXAM, "exam": EXAM}, "is it in cm"),
        ({"ga_days": 400}, "must be up to 308 days"),
    ],
)
def test_contradictions_are_refused(given, reason):
    with pytest.raises(GrowthError, match=reason):
        age(**given)


@pytest.mark.parametrize("interval", [(170, 180), (float("nan"), 170)])
def test_an_age_lies_in_its_interval(interval):
    with pytest.raises(GrowthError):
        Age(165, interval, "ga")


# By LMP: the last day of each row of the rule, the limit there, and the first day of the next.
ROWS = [(62, 5), (63, 7), (111, 7), (112, 10), (153, 10), (154, 14), (195, 14), (196, 21)]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("by_lmp", "limit"), ROWS)
def test_acog_changes_the_date_only_beyond_the_limit(by_lmp, limit, sign):
    lmp = date(2024, 1, 1)
    scan = date.fromordinal(lmp.toordinal() + by_lmp)
    stays = redate(lmp=lmp, scan=scan, scan_ga_days=by_lmp + sign * limit)
    assert (stays.change, stays.edd, stays.limit_days) == (False, date(2024, 10, 7), limit)
    changes = redate(lmp=lmp, scan=scan, scan_ga_days=by_lmp + sign * (limit + 1))
    assert changes.change
    assert (date(2024, 10, 7) - changes.edd).days == sign * (limit + 1)


def test_acog_never_changes_an_agreed_date():
    agreed = date(2024, 10, 1)
    found = redate(lmp=date(2024, 1, 1), scan=date(2024, 4, 1), scan_ga_days=130, agreed_edd=agreed)
    assert (found.change, found.edd) == (False, agreed)
    assert "a later scan does not change it" in found.text


@pytest.mark.parametrize(("by_lmp", "suboptimal"), [(153, False), (154, True)])
def test_without_a_scan_before_22_weeks_a_pregnancy_is_suboptimally_dated(by_lmp, suboptimal):
    lmp = date(2024, 1, 1)
    scan = date.fromordinal(lmp.toordinal() + by_lmp)
    found = redate(lmp=lmp, scan=scan, scan_ga_days=by_lmp)
    assert found.suboptimal is suboptimal
    assert ("suboptimally dated" in found.text) is suboptimal


def test_late_redating_warns_of_a_growth_restricted_fetus():
    found = redate(lmp=date(2024, 1, 1), scan=date(2024, 8, 1), scan_ga_days=180)
    assert found.change
    assert "may be growth-restricted rather than younger" in found.text


def test_a_scan_before_the_lmp_is_refused():
    with pytest.raises(GrowthError, match="not within a pregnancy"):
        redate(lmp=date(2024, 8, 1), scan=date(2024, 4, 1), scan_ga_days=100)
