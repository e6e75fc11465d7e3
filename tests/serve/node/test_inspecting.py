"""What an object says of itself, and why it is refused."""

from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from fetometry.serve.node.inspecting import Said, UnfitError, inspect
from tests.serve.node.objects import NAME, PATIENT_ID, encoded, image


def _inspected(path: Path, dataset: Dataset, cut: int = 0) -> Said:
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    data = encoded(dataset)
    start = path.stat().st_size - len(data)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    asked = image()
    return inspect(
        path, start, ExplicitVRLittleEndian, (str(asked.SOPClassUID), str(asked.SOPInstanceUID))
    )


def test_patient_is_id_and_issuer_without_the_name(tmp_path: Path) -> None:
    said = _inspected(tmp_path / "x", image(IssuerOfPatientID="HOSPITAL"))
    assert said.patient == f"{PATIENT_ID}\0HOSPITAL"
    assert NAME not in str(said)
    assert said.sop_uid == image().SOPInstanceUID
    assert said.study_uid == image().StudyInstanceUID
    assert not said.ours


def test_what_this_program_made_says_so(tmp_path: Path) -> None:
    assert _inspected(tmp_path / "x", image(Manufacturer="fetometry")).ours


def test_a_character_set_that_is_none_is_no_reason_to_refuse(tmp_path: Path) -> None:
    with pytest.warns(UserWarning):
        said = _inspected(tmp_path / "x", image(SpecificCharacterSet="KLINGON"))
    assert said.patient == f"{PATIENT_ID}\0"


@pytest.mark.parametrize(
    ("change", "cut", "reason"),
    [
        ({}, 1, "truncated"),
        ({"StudyInstanceUID": ""}, 0, "uids-missing"),
        ({"StudyInstanceUID": "1.2.840.10008.5.1.4.1.1.6.2"}, 0, ""),
        ({"SOPInstanceUID": "1.2.3"}, 0, "uids-differ"),
        ({"SOPClassUID": "1.2.3"}, 0, "uids-differ"),
    ],
)
def test_an_unfit_object_is_refused_with_the_word_for_it(
    tmp_path: Path, change: dict[str, str], cut: int, reason: str
) -> None:
    dataset = image()
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    if not reason:
        _inspected(tmp_path / "x", dataset, cut)
        return
    with pytest.raises(UnfitError) as caught:
        _inspected(tmp_path / "x", dataset, cut)
    assert caught.value.reason == reason
