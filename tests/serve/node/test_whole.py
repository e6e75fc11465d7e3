"""Is a data set whole?"""

import io

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from fetometry.serve.node.whole import is_whole


def _written(dataset: Dataset, syntax: UID) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian = syntax.is_little_endian
    buffer.is_implicit_VR = syntax.is_implicit_VR
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def _dataset(syntax: UID) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PatientID = "ID"
    inner, deeper = Dataset(), Dataset()
    deeper.CodeValue = "11984-2"
    inner.ConceptNameCodeSequence = Sequence([deeper])
    dataset.SequenceOfUltrasoundRegions = Sequence([inner, Dataset()])
    dataset["SequenceOfUltrasoundRegions"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True
    dataset.PixelData = b"\1" * 64
    dataset["PixelData"].VR = "OB" if syntax.is_encapsulated else "OW"
    if syntax.is_encapsulated:
        dataset.PixelData = encapsulate([b"\xff\xd8frame one", b"\xff\xd8frame two!"])
        dataset["PixelData"].is_undefined_length = True
    return dataset


SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGBaseline8Bit,
)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_a_data_set_is_whole_and_not_when_any_byte_of_its_end_is_missing(syntax: UID) -> None:
    data = _written(_dataset(syntax), syntax)
    assert is_whole(io.BytesIO(data), 0, syntax)
    # where an element at the top ends, a data set may end; and after each fragment of compressed
    # pixels (offsets of 8 bytes for 2 frames, then the frames): their delimiter may be missing
    ends = _ends_of_elements(_dataset(syntax), syntax)
    if syntax.is_encapsulated:
        start = max(ends - {len(data)}) + 12
        ends |= {start, len(data) - 8, len(data) - 8 - 20, len(data) - 8 - 20 - 20}
    whole = {end for end in range(1, len(data)) if is_whole(io.BytesIO(data[:end]), 0, syntax)}
    assert whole == ends - {len(data)}


def _ends_of_elements(dataset: Dataset, syntax: UID) -> set[int]:
    ends, so_far = set(), Dataset()
    for element in dataset:
        so_far.add(element)
        ends.add(len(_written(so_far, syntax)))
    return ends


def test_the_walk_begins_where_the_data_set_does() -> None:
    data = _written(_dataset(ExplicitVRLittleEndian), ExplicitVRLittleEndian)
    assert is_whole(io.BytesIO(b"\xff" * 99 + data), 99, ExplicitVRLittleEndian)


@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_zeros_after_the_pixels_are_padding(count: int) -> None:
    data = _written(_dataset(ExplicitVRLittleEndian), ExplicitVRLittleEndian)
    assert is_whole(io.BytesIO(data + b"\0" * count), 0, ExplicitVRLittleEndian)


def test_the_content_of_an_unknown_sequence_is_implicit() -> None:
    item = bytes.fromhex("feff00e0 ffffffff 10002000 02000000 4944 feff0de0 00000000")
    data = bytes.fromhex("09000110 554e0000 ffffffff") + item + bytes.fromhex("feffdde0 00000000")
    assert is_whole(io.BytesIO(data), 0, ExplicitVRLittleEndian)
    assert not is_whole(io.BytesIO(data[:-12]), 0, ExplicitVRLittleEndian)


def test_sequences_in_sequences_without_end_are_refused_and_do_not_exhaust_the_stack() -> None:
    deeper = bytes.fromhex("08001511 ffffffff feff00e0 ffffffff")
    assert not is_whole(io.BytesIO(deeper * 100_000), 0, ImplicitVRLittleEndian)


def test_garbage_is_not_whole() -> None:
    assert not is_whole(io.BytesIO(b"\xff\x13garbage" * 99), 0, ExplicitVRLittleEndian)
