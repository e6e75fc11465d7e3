"""What reviewers correct is a data set: it is prepared, judged on and learned from as any other."""

import io
import math
import re
import zipfile

import pytest

from fetometry.training.cases import read_cases
from fetometry.training.data import load, read_manifest
from fetometry.training.data.manifest import bucket, side_of
from tests.conftest import HEAD, SPACING, dataset, save_dicom
from tests.serve.web.conftest import API
from tests.training import toy

NAME = "corrections"

#: Patients enough for each side of the split; their pseudonyms are always the same.
PATIENTS = 16

#: What a reviewer takes off the half axes that the model proposed.
OFF_PX = 2.0


@pytest.fixture
def corrections(page, tmp_path):
    """The folder of the corrections of so many signed heads, as the page gives them."""
    for number in range(PATIENTS):
        path = save_dicom(tmp_path / "in" / f"{number}.dcm", dataset(PatientID=f"J{number}"))
        exam = page.measured([("Doe Jane.dcm", path)])
        ellipse = exam["images"][0]["findings"][0]["ellipse"]
        axes = [axis - OFF_PX for axis in ellipse["semi_axes_px"]]
        assert page.edit(exam["id"], "ellipse", {**ellipse, "semi_axes_px": axes}).is_success
        signing = page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
        assert signing.is_success
    answer = page.get(f"{API}/corrections.zip")
    assert answer.status_code == 200, answer.text
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "out")
    return tmp_path / "out"


def test_corrections_are_read_with_what_was_placed_and_name_nobody(corrections):
    rows = load(NAME, corrections)
    assert len({row.group for row in rows}) == PATIENTS
    for row in rows:
        assert row.ellipse.semi_axes == pytest.approx(
            [axis - OFF_PX for axis in HEAD.semi_axes], abs=0.5
        )
        assert row.image.is_file()
    table = (corrections / "manifest.csv").read_text(encoding="utf-8")
    assert not re.search(r"Doe|Jane|Early|J\d", table)
    assert str(corrections.parent) not in table


def test_corrections_are_prepared_and_judged_on(corrections, run, tmp_path):
    code, output = run("prepare", NAME, "--data", corrections, "--out", tmp_path / "prepared.csv")
    assert code == 0, output
    sides = [side_of(bucket(NAME, row.group)) for row in read_manifest(tmp_path / "prepared.csv")]
    assert set(sides) == {"train", "validation", "test"}
    table = tmp_path / "judged.csv"
    words = ("--dataset", NAME, "--data", corrections, "--split", "test", "--out", table)
    code, output = run("evaluate", "three-planes", *words)
    assert code == 0, output
    cases = read_cases(table)
    assert len(cases) == sides.count("test")
    for case in cases:  # the model is off by what the reviewer took off, all round
        by_mm = math.tau * OFF_PX * SPACING[0]
        assert case.sizes["HC"].difference_mm == pytest.approx(by_mm, abs=0.3)


@pytest.mark.train
# a run's folder holds its recipe and its cache before the first checkpoint is written
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
# between Lightning and a newer torch
@pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated")
def test_corrections_are_learned_from(corrections, tmp_path):
    pytest.importorskip("torch", reason="needs the train extra")
    fit = pytest.importorskip("fetometry.training.fit", reason="needs the train extra")
    recipe = toy.recipe(data={"dataset": NAME}, fit={"epochs": 1})
    best = fit.start(recipe, load(NAME, corrections), tmp_path / "run", quiet=True)
    assert best.is_file()
