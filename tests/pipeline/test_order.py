"""The order in which images came has no part in a report; nor have the names of their files."""

import itertools
from datetime import date

import pydicom
import pytest

from fetometry.pipeline import Settings, dated, measure_into
from fetometry.serve.node.measuring import Asked, Request
from fetometry.serve.node.study import Studies
from tests.conftest import ABDOMEN, HEAD, SHAFT, dataset, painted, save_dicom

KINDS = ("sr", "sr1500")
ROOT = "1.2.3.4"


@pytest.fixture
def study(three_planes, tmp_path):
    """Two equal heads, an abdomen and a femur; what they say of the patient is not the same."""
    shown = [("head", HEAD), ("femur", SHAFT), ("abdomen", ABDOMEN), ("head", HEAD)]
    paths = []
    for k, (plane, ellipse) in enumerate(shown):
        more = {"SOPInstanceUID": f"{ROOT}.{9 - k}", "StudyDescription": f"said by {k}"}
        more |= {"PatientSize": "1.6"} if k == 2 else {}
        made = dataset(painted(ellipse, plane=plane), PatientID="J1", **more)
        paths.append(save_dicom(tmp_path / "in" / f"{'dbca'[k]}.dcm", made))
    return paths


def written(out, paths, **settings):
    """The documents of files in this order."""
    measure_into(out, paths, Settings(**settings), kinds=KINDS)
    return [(out / f"report.{kind}.dcm").read_bytes() for kind in KINDS]


@pytest.mark.parametrize("select", ["best", "median", "mean"])
def test_in_any_order_the_same_images_are_the_same_reports(study, tmp_path, select):
    orders = (study, study[::-1], [study[k] for k in (1, 3, 0, 2)])
    first, *others = [
        written(tmp_path / f"{k}", order, select=select) for k, order in enumerate(orders)
    ]
    assert others == [first, first]


def test_the_last_is_the_last_that_was_given(study, tmp_path):
    assert written(tmp_path / "a", study, select="last") != written(
        tmp_path / "b", study[::-1], select="last"
    )


def test_other_names_of_files_are_the_same_reports(study, tmp_path):
    renamed = [path.rename(path.with_name(f"{k}_other.dcm")) for k, path in enumerate(study)]
    first = written(tmp_path / "a", renamed)
    again = [path.rename(tmp_path / f"{9 - k}.dcm") for k, path in enumerate(renamed)]
    assert written(tmp_path / "b", again) == first


def test_pictures_without_a_study_are_the_same_report_in_any_order(three_planes, tmp_path):
    paths = []
    for plane, ellipse in (("head", HEAD), ("femur", SHAFT)):
        made = dataset(painted(ellipse, plane=plane), StudyInstanceUID=None, PatientID="J1")
        paths.append(save_dicom(tmp_path / "in" / f"{plane}.dcm", made))
    assert written(tmp_path / "a", paths) == written(tmp_path / "b", paths[::-1])


def test_who_it_is_says_the_image_of_the_lowest_uid(study, tmp_path):
    written(tmp_path / "out", study)
    report = pydicom.dcmread(tmp_path / "out" / "report.sr.dcm")
    assert report.StudyDescription == "said by 3"


def test_the_node_makes_the_report_that_the_command_line_makes(study, tmp_path):
    here = written(tmp_path / "here", study)
    folder = tmp_path / "node"
    folder.mkdir()
    files = tuple(map(str, study[::-1]))
    Studies(Asked(KINDS)).measure(Request(str(folder), files))
    assert [(folder / f"report.{kind}.dcm").read_bytes() for kind in KINDS] == here


def test_of_files_that_differ_in_their_dates_the_same_one_counts_in_any_order(tmp_path):
    said = [("20260302", None), ("20260301", "20251001"), ("20260303", "20251002")]
    paths = []
    for k, (exam, lmp) in enumerate(said):
        more = {"LastMenstrualDate": lmp} if lmp else {}
        paths.append(save_dicom(tmp_path / f"{k}.dcm", dataset(StudyDate=exam, **more)))
    found = {dated(order, Settings()).dates for order in itertools.permutations(paths)}
    (dates,) = found
    assert (dates.exam, dates.lmp) == (date(2026, 3, 1), date(2025, 10, 1))
