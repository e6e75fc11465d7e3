"""Two reports side by side: worked differences, published limits, no judgement of a patient."""

import pytest

from fetometry.growth.uncertainty import BETWEEN_OBSERVERS_PERCENT as OF_GROWTH
from fetometry.structured import ReportError, compare, read
from fetometry.structured.compare import BETWEEN_OBSERVERS_PERCENT
from tests.structured import reports as made


def femur(value, **changes):
    group = made.container("125005", made.num("11963-6", value, "mm"))
    report = made.report(made.container("125003", group))
    for keyword, changed in changes.items():
        setattr(report, keyword, changed)
    return report


@pytest.fixture
def against(tmp_path):
    def judged(manual, ours):
        paths = [made.save(d, tmp_path / f"{n}.dcm") for n, d in (("m", manual), ("o", ours))]
        return compare(*map(read, paths))

    return judged


@pytest.mark.parametrize(
    ("manual", "ours", "by", "percent", "within"),
    [
        ("50", "55", 5.0, 100 * 5 / 52.5, True),  # 9.5 % of the mean, limit 11.1
        ("50", "56", 6.0, 100 * 6 / 53, False),  # 11.3 %
        ("50", "50", 0.0, 0.0, True),
        ("56", "50", -6.0, -100 * 6 / 53, False),
    ],
)
def test_a_difference_is_ours_minus_manual_in_percent_of_their_mean(
    against, manual, ours, by, percent, within
):
    (found,) = against(femur(manual), femur(ours)).differences
    assert found.name == "FL"
    assert found.difference == pytest.approx(by)
    assert found.percent == pytest.approx(percent)
    assert (found.limit_percent, found.within) == (11.1, within)
    assert ("within" if within else "outside") in found.verdict


def test_a_vendors_centimetres_are_compared_with_our_millimetres(against):
    found = {d.name: d for d in against(made.vendor(), made.ours()).differences}
    assert (found["HC"].manual, found["HC"].ours) == (265.5, 290.1)
    assert found["HC"].within is False  # 8.9 % and 4.9 %
    assert found["FL"].within is True  # 6.1 % and 11.1 %
    assert found["HC/AC"].difference == pytest.approx(3.0)
    assert found["EFW centile"].percent is None
    assert found["HC/AC"].verdict == "no published limit"


def test_what_one_report_has_alone_is_listed(against):
    alone = against(made.vendor(), made.ours()).alone
    assert "fetus 1, OFD: in manual alone" in alone
    assert "fetus 1, EFW: in ours alone" in alone


def test_how_the_value_was_chosen_and_derived_is_said(against):
    found = {d.name: d for d in against(made.vendor(), made.ours()).differences}
    assert found["HC"].notes[:2] == (
        "manual: Most recent value chosen, of 2",
        "ours: Mean value chosen, of 3",
    )
    assert "derived differently: Mean, Measured" in found["FL"].notes


def test_a_bpd_without_its_convention_is_not_left_without_a_word(against):
    group = made.container("125005", made.num("11820-8", "7", "cm"))
    report = made.report(made.container("125002", group))
    (found,) = against(report, report).differences
    assert "outer to inner" in found.notes[0]


def test_twins_are_matched_by_their_identifiers(against):
    found = against(made.twins(), made.twins()).differences
    assert {(d.fetus, d.name, d.manual) for d in found} == {
        ("A", "HC", 290.1),
        ("B", "HC", 290.1),
        ("A", "FL", 54.2),
        ("B", "FL", 51.0),
    }


def test_twins_of_other_names_are_never_guessed(against):
    others = made.report(
        *(made.container("125003", made.fetus(one), made.without_reference(made.femur_group()))
          for one in ("1", "2"))
    )  # fmt: skip
    with pytest.raises(ReportError, match="share no fetus"):
        against(made.twins(), others)


def test_of_centiles_by_several_charts_those_by_the_same_one_are_compared(against):
    def ranked(*ranks):
        items = [
            made.num("11767-1", rank, "%", made.text(made.CITATION, chart, "INFERRED FROM"))
            for rank, chart in ranks
        ]
        return made.report(made.container("121111", made.container("125008", *items)))

    manual = ranked(("40", "WHO 2017"))
    (found,) = against(manual, ranked(("42", "WHO 2017"), ("55", "FMF 2018"))).differences
    assert (found.manual, found.ours) == (40, 42)
    assert found.notes == ("ours: by the chart that both have, of 2",)
    (found,) = against(manual, ranked(("55", "FMF 2018"))).differences
    assert found.notes == ("manual by WHO 2017; ours by FMF 2018",)


def test_reports_without_a_common_measurement_are_refused(against):
    head = made.report(made.container("125002", made.head_group()))
    with pytest.raises(ReportError, match="no measurement in common"):
        against(head, femur("50"))


def test_another_patient_is_remarked(against):
    remarks = against(femur("50"), femur("51", PatientID="ID-2")).remarks
    assert "the patient ID differs: are these reports of one exam?" in remarks


def test_pixels_are_not_compared_with_millimetres(against):
    pixels = made.report(
        made.container(
            "125003",
            made.container(
                "125005",
                made.num("11963-6", "200", "{pixels}"),
                made.num("18185-9", "200", "d"),
            ),
        ),
        made.container("125001", made.num("11947-9", "110", "%")),
    )
    manual = made.report(
        made.container("125003", made.femur_group()),
        made.container("125001", made.num("11947-9", "112", "%")),
    )
    found = against(manual, pixels)
    assert [d.name for d in found.differences] == ["HC/AC"]
    assert any("units do not compare" in said for said in found.alone)


def test_the_limits_are_those_that_growth_has():
    assert BETWEEN_OBSERVERS_PERCENT == OF_GROWTH
