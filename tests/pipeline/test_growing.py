"""What is known of a pregnancy's age, from a person and from files, and what becomes of it."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from fetometry.errors import UsageError
from fetometry.growth import Dates, GrowthError, Profile, read_profile
from fetometry.pipeline import Settings, dated, dated_visits, measure_into, told, with_growth
from fetometry.pipeline.growing import Dated
from fetometry.pipeline.visits import Visit
from fetometry.types import Spacing
from tests.conftest import dataset, save, save_dicom, save_exam
from tests.report.examples import abdomen, exam, femur, head, selected

EXAM, LMP = date(2026, 5, 21), date(2026, 1, 1)  # 140 days apart
AT_20 = Dated(Dates(ga_days=140))


def file_of(folder, **tags):
    said = {"StudyDate": "20260521", "LastMenstrualDate": "20260101", **tags}
    return save_dicom(folder / "a.dcm", dataset(**said))


def settings(profile=None, **given):
    return Settings(dates=Dates(**given), profile=profile)


# what is said in Python


def test_texts_dates_and_numbers_are_taken():
    said = told({"ga": "20w0d", "lmp": "2026-01-01", "exam_date": datetime(2026, 5, 21, 9)})
    assert said["dates"] == Dates(ga_days=140, lmp=LMP, exam=EXAM)
    assert told({"ga": 140.5})["dates"].ga_days == 140.5
    assert told({"crl_mm": 60.0, "crl_date": LMP})["dates"].crl_date == LMP


def test_a_profile_is_a_file_or_one_that_was_built(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[select]\nrule = "median"\n')
    assert told({"profile": path})["profile"].select.rule == "median"
    assert told({"profile": str(path)})["profile"].select.rule == "median"
    house = Profile()
    assert told({"profile": house})["profile"] is house
    assert told({})["profile"].select.rule == "best"


def test_an_unknown_word_is_a_type_error_that_names_the_known_ones():
    with pytest.raises(TypeError, match=r"'gaa'.*ga, lmp, edd, crl_mm"):
        told({"gaa": "20w0d"})


@pytest.mark.parametrize("about", [{"ga": "20"}, {"edd": "tomorrow"}, {"crl_mm": 60.0}])
def test_what_is_no_age_or_date_is_refused(about):
    with pytest.raises(GrowthError):
        told(about)


# what a file says


def test_the_file_says_when_the_exam_was_and_the_last_menstrual_period(tmp_path):
    found = dated([save(tmp_path / "x.png"), file_of(tmp_path)], settings())
    assert found.dates == Dates(lmp=LMP, exam=EXAM)
    assert found.notes == ("the LMP was read from the DICOM file",)


def test_an_exam_date_is_read_to_count_from_a_due_date(tmp_path):
    path = file_of(tmp_path, LastMenstrualDate="")
    found = dated([path], settings(edd=date(2026, 10, 8)))
    assert found.dates.exam == EXAM
    assert found.notes == ("the date of the exam was read from the DICOM file",)


def test_what_a_person_says_counts_and_a_difference_is_told(tmp_path):
    given = {"lmp": date(2026, 1, 8), "exam": date(2026, 5, 22)}
    found = dated([file_of(tmp_path)], settings(**given))
    assert found.dates == Dates(**given)
    assert found.notes == (
        "the date of the exam that was given is +1 days off that of the DICOM file",
        "the LMP that was given is +7 days off that of the DICOM file",
    )


@pytest.mark.parametrize("lmp", ["20250101", "20260601"])
def test_a_files_impossible_last_menstrual_period_does_not_count(tmp_path, lmp):
    found = dated([file_of(tmp_path, LastMenstrualDate=lmp)], settings(ga_days=140))
    assert found.dates.lmp is None
    assert "does not count" in found.notes[0]


def test_a_files_last_menstrual_period_after_the_crl_does_not_count(tmp_path):
    given = {"crl_mm": 60.0, "crl_date": date(2025, 12, 1)}
    found = dated([file_of(tmp_path)], settings(**given))
    assert found.dates == Dates(exam=EXAM, **given)
    assert "does not count" in found.notes[-1]


def test_a_house_that_does_not_date_by_lmp_does_not_read_it(tmp_path):
    profile = tmp_path / "p.toml"
    profile.write_text('[dating]\nsources = ["edd", "ga"]\n')
    assert dated([file_of(tmp_path)], settings(read_profile(profile))).dates == Dates(exam=EXAM)


def test_a_date_without_that_of_the_exam_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(GrowthError, match="--exam-date"):
        dated([save(tmp_path / "x.png")], settings(lmp=LMP))


def test_an_age_holds_for_one_exam_alone(tmp_path):
    visits = [Visit(name, (save(tmp_path / name / "x.png"),)) for name in ("one", "two")]
    assert dated_visits(visits, settings()) == [Dated(Dates()), Dated(Dates())]
    with pytest.raises(UsageError, match="2 patients' exams"):
        dated_visits(visits, settings(ga_days=140))


# what the values mean


def test_each_fetus_has_its_own_growth():
    one, other = abdomen(fetus="A"), femur(fetus="B")
    found = with_growth(exam(one, other, selected=selected(one, other)), AT_20, Profile())
    assert list(found.growth) == ["A", "B"]
    names = {fetus: [p.name for p in growth.placements] for fetus, growth in found.growth.items()}
    assert names == {"A": ["AC"], "B": ["FL"]}


def test_pixels_never_reach_growth():
    inch = head(mm=None)
    pixels = exam(inch, selected=selected(inch))
    assert with_growth(pixels, Dated(Dates()), Profile()).growth == {}
    aged = with_growth(pixels, AT_20, Profile()).growth[""]
    assert aged.age.days == 140  # what was said is not denied
    assert (aged.placements, aged.weights, aged.ratios) == ((), (), ())
    both = exam(inch, femur(), selected=selected(inch, femur()))
    grown = with_growth(both, AT_20, Profile()).growth[""]
    assert [placed.name for placed in grown.placements] == ["FL"]
    assert {item.what for item in grown.refused if item.by == "growth"} == {"HC", "BPD", "OFD"}


def test_without_a_date_the_age_is_estimated_and_its_centiles_are_circular():
    shown = femur()
    grown = with_growth(exam(shown, selected=selected(shown)), Dated(Dates()), Profile()).growth[""]
    assert grown.age.source == "biometry"
    assert all(placed.circular for placed in grown.placements)


def test_remarks_on_the_dates_come_first():
    known = replace(AT_20, notes=("the LMP was read from the DICOM file",))
    grown = with_growth(exam(femur(), selected=selected(femur())), known, Profile()).growth[""]
    assert grown.notes[0] == "the LMP was read from the DICOM file"


# in a run


def test_an_age_that_cannot_be_counted_stops_the_run_before_a_folder_is_made(
    three_planes, tmp_path
):
    path, out = save(tmp_path / "x.png"), tmp_path / "out"
    with pytest.raises(GrowthError, match="--exam-date"):
        measure_into(out, [path], settings(lmp=LMP), kinds=["json"])
    assert not out.exists()


def test_a_run_holds_the_growth_of_its_exam(three_planes, tmp_path):
    save_exam(tmp_path / "in")
    asked = Settings(spacing=Spacing((0.3, 0.3), "given"), dates=Dates(ga_days=140))
    (measured,), _ = measure_into(tmp_path / "out", [tmp_path / "in"], asked, kinds=["json"])
    placed = {p.name: p for p in measured.growth[""].placements}
    assert list(placed) == ["HC", "BPD", "OFD", "AC", "FL", "EFW"]
    # INTERGROWTH-21st: HC at 140 days has a median of 172.4 mm and an SD of about 7.5
    assert placed["HC"].median == pytest.approx(172.4, abs=0.1)
    assert placed["HC"].z == pytest.approx((placed["HC"].value - 172.4) / 7.5, abs=0.03)


def test_the_profile_says_which_of_several_images_counts_unless_it_was_asked():
    house = told({})["profile"]
    median = replace(house, select=replace(house.select, rule="median"))
    assert Settings().selection == "best"
    assert Settings(profile=median).selection == "median"
    assert Settings(profile=median, select="last").selection == "last"
