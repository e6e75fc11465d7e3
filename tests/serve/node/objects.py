"""Small objects of ultrasound, and a sender of whatever bytes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

pytest.importorskip("pynetdicom", reason="needs the extra serve")

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

HERE = "127.0.0.1"

#: What must never be seen outside the objects.
NAME, PATIENT_ID = "Musterfrau^Erika", "ID-4711"


def image(number: int = 1, study: str = "study", **more: object) -> Dataset:
    """One image of 8 by 8 pixels; the same number and study are the same bytes."""
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["object", study, str(number)])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study", study])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series", study])
    dataset.PatientName, dataset.PatientID = NAME, PATIENT_ID
    dataset.Modality, dataset.Manufacturer = "US", "Other"
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = bytes([number % 256]) * 64
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """The data set as it goes over the network, in Explicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@contextmanager
def calling(
    port: int, aet: str = "PACS", classes: tuple[str, ...] = (UltrasoundImageStorage,)
) -> Iterator[Association]:
    """An association with a node, established or not."""
    entity = AE(ae_title=aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for one in classes:
        entity.add_requested_context(one, ExplicitVRLittleEndian)
    with associated(entity, port) as association:
        yield association


@contextmanager
def associated(entity: AE, port: int, **given: Any) -> Iterator[Association]:
    """An association, and the end of its socket, which pynetdicom forgets after some failures."""
    sockets: list[Any] = []

    def opened(event: Any) -> None:
        sockets.append(event.assoc.dul.socket.socket)

    handlers = [(evt.EVT_CONN_OPEN, opened)]
    association = entity.associate(HERE, port, ae_title="FETOMETRY", evt_handlers=handlers, **given)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        for one in sockets:
            one.close()


def _pause(association: Association) -> None:
    """Let the association's own thread stop: else it may take the answer for a request.

    `send_c_store` waits for a sign of it that is also seen for a moment while the thread goes on,
    and a node in the same process answers within that moment.
    """
    association._reactor_checkpoint.clear()
    time.sleep(0.01)


def send(association: Association, dataset: Dataset) -> int | None:
    """Send an object; return the status of the answer."""
    _pause(association)
    answer = association.send_c_store(dataset)
    return int(answer.Status) if "Status" in answer else None


def send_bytes(association: Association, data: bytes, dataset: Dataset) -> int | None:
    """Send bytes as if they were the data set; return the status of the answer."""
    request = C_STORE()
    request.MessageID = 1
    request.Priority = 2
    request.AffectedSOPClassUID = dataset.SOPClassUID
    request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
    request.DataSet = BytesIO(data)
    _pause(association)
    try:
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, answer = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    return None if answer is None else int(answer.Status)
