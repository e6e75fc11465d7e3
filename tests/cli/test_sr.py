"""`fetometry sr show`, `compare` and `check`, as a person runs them."""

import json

import pytest

from tests.structured import reports as made


@pytest.fixture
def files(tmp_path):
    styles = {"ours": made.ours(), "vendor": made.vendor(), "twins": made.twins()}
    return {name: made.save(report, tmp_path / f"{name}.dcm") for name, report in styles.items()}


def lines(printed):
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_show_has_millimetres_of_a_report_in_centimetres(run, files):
    code, printed = run("sr", "show", files["vendor"])
    assert code == 0
    shown = lines(printed)
    assert "HC 265.5 mm 26.55 cm Most recent value chosen 1.4.3.1" in shown
    assert "GA of OFD 197.0 d (28w1d) 197 d OFD, Merz 1.4.4.2" in shown
    assert "patient Test^Vendor, ID ID-1, study 1.2.3" in shown
    assert "- the unit %tile was read as %" in shown


def test_show_tells_twins_apart(run, files):
    _, printed = run("sr", "show", files["twins"])
    assert [line for line in lines(printed) if line.startswith("fetus")] == ["fetus A", "fetus B"]


def test_a_centile_below_the_tenth_is_not_rounded_up_to_it(run, tmp_path):
    rank = made.num("11767-1", "9.96", "%")
    report = made.report(made.container("121111", made.container("125008", rank)))
    _, printed = run("sr", "show", made.save(report, tmp_path / "r.dcm"))
    assert "EFW centile 9.96 % 9.96 % the only one" in " ".join(printed.split())


def test_show_as_json_is_the_whole_report(run, files):
    code, printed = run("sr", "show", files["ours"], "--json")
    document = json.loads(printed)
    assert code == 0
    assert document["fetuses"][0]["values"][0]["name"] == "EFW"


def test_compare_shows_millimetres_percent_and_the_published_limits(run, files):
    code, printed = run("sr", "compare", files["vendor"], files["ours"])
    assert code == 0
    said = "HC (1) 265.5 mm 290.1 mm +24.6 mm +8.9 % outside the limits between observers (4.9 %)"
    assert said in lines(printed)
    assert "Sarris et al. 2012" in printed
    assert "research use only; not for diagnosis" in printed


def test_compare_as_json_holds_the_same_numbers(run, files):
    code, printed = run("sr", "compare", files["vendor"], files["ours"], "--json")
    found = {d["name"]: d for d in json.loads(printed)["differences"]}
    assert code == 0
    assert found["FL"]["within"] is True
    assert found["FL"]["difference"] == pytest.approx(3.2)


def test_check_of_a_sound_report_is_exit_0_and_says_what_it_did_not_check(run, files):
    code, printed = run("sr", "check", files["ours"])
    assert code == 0
    assert "0 errors, 0 warnings" in printed
    assert "not checked: Fetal Biometry (TID 5005)" in printed


def test_check_names_the_fault_with_its_path_and_is_exit_1(run, tmp_path):
    report = made.ours()
    del made.at(report, 5, 1, 1).MeasuredValueSequence[0].MeasurementUnitsCodeSequence
    path = made.save(report, tmp_path / "broken.dcm")
    code, printed = run("sr", "check", path)
    where = "1.5.1.1 Fetal Long Bones > Biometry Group > Femur Length"
    assert code == 1
    assert f"error: {where}: a NUM has no unit [PS3.3 C.17.3]" in printed
    code, printed = run("sr", "check", path, "--json")
    assert code == 1
    assert json.loads(printed)["sound"] is False


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_file_that_is_no_report_is_one_line_and_exit_1(run, tmp_path, command):
    path = tmp_path / "head.png"
    path.write_bytes(b"\x89PNG")
    code, printed = run("sr", command, path)
    assert code == 1
    assert "not a DICOM file" in " ".join(printed.split())
    assert "Traceback" not in printed
