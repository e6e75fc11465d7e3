"""`fetometry measure` with a gestational age: what is shown, what is written, what is refused."""

import pytest

from fetometry.growth.words import RESEARCH_ONLY
from fetometry.report import read_exam
from tests.conftest import ABDOMEN, dataset, exam_of, painted, save, save_dicom, save_exam


@pytest.fixture(autouse=True)
def nowhere_near_a_profile(monkeypatch, tmp_path):
    """No profile of the machine that the tests run on holds here."""
    monkeypatch.delenv("FETOMETRY_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def measured(three_planes, run, tmp_path):
    """Measure the folder `in` of the three planes, and return exit code and output."""

    def measure(*options, folder="in"):
        if not (tmp_path / folder).exists():
            save_exam(tmp_path / folder)
        where = ("--out", tmp_path / "out")
        code, printed = run("measure", tmp_path / folder, "--mm-per-px", 0.3, *where, *options)
        return code, " ".join(printed.split())

    return measure


def age_of(out):
    return exam_of(out)["growth"][""]["age"]


@pytest.mark.parametrize(
    ("options", "source", "days"),
    [
        (["--ga", "20w0d"], "ga", 140),
        (["--lmp", "2026-01-01", "--exam-date", "2026-05-21"], "lmp", 140),
        (["--edd", "2026-10-08", "--exam-date", "2026-05-21"], "edd", 140),
        # 40.9041 + 3.21585 * sqrt(60) + 0.348956 * 60 = 86.75 days; 57 days later
        (["--crl", "60", "--crl-date", "2026-03-25", "--exam-date", "2026-05-21"], "crl", 143.75),
    ],
)
def test_the_age_comes_from_what_was_given_in_exact_days(measured, tmp_path, options, source, days):
    code, _ = measured(*options)
    assert code == 0
    age = age_of(tmp_path / "out")
    assert age["source"] == source
    assert age["days"] == pytest.approx(days, abs=0.005)


def test_every_size_is_shown_with_its_range_and_its_chart(measured):
    code, printed = measured("--ga", "20w0d")
    assert code == 0
    assert "20w0d, as given" in printed
    assert "centile z chart convention" in printed
    for name in ("hc", "bpd", "ofd", "ac", "fl"):
        assert f"intergrowth21_{name}" in printed
    assert "weight 4" in printed
    assert printed.count(RESEARCH_ONLY) == 1


def test_without_an_age_it_is_estimated_and_that_is_said(measured, tmp_path):
    code, printed = measured()
    assert code == 0
    assert "estimated from BPD, HC, AC, FL" in printed
    assert "circular" in printed
    assert age_of(tmp_path / "out")["source"] == "biometry"


def test_the_document_reads_back_with_its_growth(measured, tmp_path):
    measured("--ga", "20w0d", "--chart", "who2017")
    growth = read_exam(tmp_path / "out" / "exam.json").growth[""]
    assert {p.chart for p in growth.placements} >= {"who2017_hc", "who2017_ac", "who2017_efw"}


def test_dates_in_a_dicom_file_count_and_are_not_kept(three_planes, run, tmp_path):
    made = dataset(StudyDate="20260521", LastMenstrualDate="20260101")
    path, out = save_dicom(tmp_path / "in" / "a.dcm", made), tmp_path / "out"
    code, printed = run("measure", path, "--out", out)
    assert code == 0
    assert "20w0d, by the last menstrual period" in printed
    assert "the LMP was read from the DICOM file" in printed
    for written in (out / "exam.json", out / "measurements.csv", out / "summary.csv"):
        text = written.read_text(encoding="utf-8")
        assert "20260101" not in text
        assert "2026-01-01" not in text


def test_an_age_that_differs_from_the_files_is_told(three_planes, run, tmp_path):
    made = dataset(StudyDate="20260521", LastMenstrualDate="20260101")
    path = save_dicom(tmp_path / "in" / "a.dcm", made)
    _, printed = run("measure", path, "--out", tmp_path / "out", "--ga", "23w0d")
    assert "23w0d, as given" in printed
    assert "LMP alone would give 20w0d (-21 days)" in " ".join(printed.split())


def test_twins_are_placed_each_by_itself(measured, tmp_path):
    save(tmp_path / "two" / "a.png", painted())
    save(tmp_path / "two" / "b.png", painted(ABDOMEN, plane="abdomen"))
    who = tmp_path / "who.csv"
    who.write_text("image,fetus\na,A\nb,B\n")
    code, printed = measured("--ga", "20w0d", "--spacing", who, folder="two")
    assert code == 0
    assert "fetus A: 20w0d" in printed
    assert "fetus B: 20w0d" in printed
    assert list(exam_of(tmp_path / "out")["growth"]) == ["A", "B"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--ga", "20"], 1, "23w4d"),
        (["--lmp", "yesterday"], 2, "YYYY-MM-DD"),
        (["--edd", "2026-10-08"], 1, "--exam-date"),
        (["--crl", "60"], 1, "--crl-date"),
        (["--lmp", "2024-01-01", "--exam-date", "2026-05-21"], 1, "look at the dates"),
        (["--ga", "20w0d", "--chart", "nobodys"], 1, "nobodys"),
        (["--profile", "nowhere.toml"], 1, "nowhere.toml"),
    ],
)
def test_a_wrong_age_is_refused_before_anything_is_measured(
    measured, tmp_path, options, code, said
):
    found, printed = measured(*options)
    assert found == code
    assert said in printed
    assert not (tmp_path / "out").exists()


# the profile

MEDIAN = '[select]\nrule = "median"\n'


def test_the_profile_that_was_named_goes_before_that_of_the_environment_and_of_the_folder(
    measured, tmp_path, monkeypatch
):
    for name in ("named.toml", "site.toml", "fetometry.toml"):
        (tmp_path / name).write_text(MEDIAN)
    monkeypatch.setenv("FETOMETRY_PROFILE", str(tmp_path / "site.toml"))
    assert "profile: named.toml (--profile)" in measured("--profile", "named.toml")[1]
    assert "site.toml (FETOMETRY_PROFILE)" in measured()[1]
    monkeypatch.delenv("FETOMETRY_PROFILE")
    assert "profile: fetometry.toml (in this folder)" in measured()[1]
    (tmp_path / "fetometry.toml").unlink()
    assert "profile:" not in measured()[1]


def test_the_profile_says_which_image_counts_unless_select_does(measured, tmp_path):
    save(tmp_path / "two" / "a.png", painted())
    save(tmp_path / "two" / "b.png", painted())
    (tmp_path / "fetometry.toml").write_text(MEDIAN)
    measured(folder="two")
    assert exam_of(tmp_path / "out")["selected"][0]["how"] == "median"
    measured("--select", "last", folder="two")
    assert exam_of(tmp_path / "out")["selected"][0]["how"] == "last"


def test_the_profiles_charts_place_the_sizes(measured, tmp_path):
    (tmp_path / "fetometry.toml").write_text('[charts]\nHC = "who2017_hc"\n')
    measured("--ga", "20w0d")
    placed = {p["name"]: p["chart"] for p in exam_of(tmp_path / "out")["growth"][""]["placements"]}
    assert (placed["HC"], placed["AC"]) == ("who2017_hc", "intergrowth21_ac")
