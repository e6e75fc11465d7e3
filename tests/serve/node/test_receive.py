"""The listening half of the node, called over the network."""

import errno
import os
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from fetometry.serve.node import disk
from fetometry.serve.node.settings import Peer
from tests.serve.node.listening import Listen, soon
from tests.serve.node.objects import (
    HERE,
    PATIENT_ID,
    associated,
    calling,
    encoded,
    image,
    send,
    send_bytes,
)

pytest.importorskip("pynetdicom", reason="needs the extra serve")

from pynetdicom import AE

SUCCESS, DUPLICATE, FULL, BAD, OVERSIZE = 0x0000, 0x0111, 0xA700, 0xC000, 0xC001
RETIRED = "1.2.840.10008.5.1.4.1.1.6"


def test_an_image_is_kept_byte_for_byte_and_answered_with_success(listen: Listen) -> None:
    node = listen()
    with calling(node.port) as association:
        assert send(association, image()) == SUCCESS
    [path] = node.files("objects")
    assert path.read_bytes().endswith(encoded(image()))
    read = pydicom.dcmread(path)
    assert (read.PatientID, read.PixelData) == (PATIENT_ID, image().PixelData)
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.file_meta.MediaStorageSOPInstanceUID == image().SOPInstanceUID
    assert node.files("incoming") == []
    assert node.store.status().waiting == 1


def test_an_echo_is_answered(listen: Listen) -> None:
    node = listen()
    with calling(node.port, classes=("1.2.840.10008.1.1",)) as association:
        assert association.send_c_echo().Status == SUCCESS


def test_the_same_image_again_is_a_success_and_other_bytes_are_a_duplicate(listen: Listen) -> None:
    node = listen()
    with calling(node.port) as association:
        statuses = [send(association, one) for one in (image(), image(), image(Rows=4))]
    assert statuses == [SUCCESS, SUCCESS, DUPLICATE]
    assert node.files("objects")[0].read_bytes().endswith(encoded(image()))
    assert node.reasons() == ["differs"]


def test_bad_objects_are_put_aside_and_the_next_good_one_is_taken(listen: Listen) -> None:
    node = listen()
    anonymous = image(2)
    del anonymous.StudyInstanceUID
    with calling(node.port) as association:
        assert send_bytes(association, encoded(image(1))[:-1], image(1)) == BAD
        assert send_bytes(association, b"\xff\x13garbage" * 99, image(1)) == BAD
        assert send_bytes(association, encoded(image(3)), image(1)) == BAD
        assert send(association, anonymous) == BAD
        assert send(association, image(1)) == SUCCESS
    assert node.reasons() == ["truncated", "truncated", "uids-differ", "uids-missing"]
    assert len(node.files("quarantine")) == 4
    assert len(node.files("objects")) == 1
    assert node.files("incoming") == []


def test_an_object_without_its_data_set_is_refused(listen: Listen) -> None:
    node = listen()
    with calling(node.port) as association:
        # pynetdicom takes it for no request at all, and does not answer
        association.dimse_timeout = 0.5
        assert send_bytes(association, b"", image(1)) in (None, BAD)
    assert node.files("objects") == []


def test_an_oversize_object_is_refused_and_the_next_one_is_taken(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = listen(max_object_mb=1)
    with calling(node.port) as association:
        large = encoded(image(1, PixelData=b"\0" * 1_500_000))
        assert send_bytes(association, large, image(1)) == OVERSIZE
        assert send(association, image(2)) == SUCCESS
    assert node.reasons() == ["too-large"]
    assert node.files("quarantine") == []
    assert node.store.status().quarantined == 1


def test_an_object_without_end_is_broken_off(listen: Listen) -> None:
    node = listen(max_object_mb=1)
    with calling(node.port) as association:
        endless = encoded(image(1, PixelData=b"\0" * 4_000_000))
        assert send_bytes(association, endless, image(1)) is None
        assert soon(lambda: not association.is_established)
    assert len(node.events("association-aborted")) == 1
    assert node.files("incoming") == []


def test_an_unknown_ae_title_is_refused_and_logged(listen: Listen) -> None:
    node = listen()
    with calling(node.port, aet="STRANGER") as association:
        assert association.is_rejected
    [line] = node.events("association-refused")
    assert (line["calling"], line["reason"]) == ("STRANGER", "unknown-calling-aet")


def test_anybody_may_store_where_that_is_said(listen: Listen) -> None:
    node = listen(allow=frozenset({"any"}))
    with calling(node.port, aet="STRANGER") as association:
        assert send(association, image()) == SUCCESS


def test_one_association_too_many_is_refused_and_logged(listen: Listen) -> None:
    node = listen(max_associations=1)
    with calling(node.port) as first, calling(node.port) as second:
        assert first.is_established
        assert second.is_rejected
    assert node.events("association-refused")[0]["reason"] == "too-many-associations"


def test_a_class_that_is_not_taken_is_refused_when_it_is_offered(listen: Listen) -> None:
    node = listen()
    with calling(node.port, classes=(CTImageStorage, UltrasoundImageStorage)) as association:
        accepted = [context.abstract_syntax for context in association.accepted_contexts]
        assert accepted == [UltrasoundImageStorage]
    assert node.events("contexts-refused")[0]["count"] == 1


def test_what_a_caller_offers_in_vain_is_logged_once_and_again_when_it_changes(
    listen: Listen,
) -> None:
    node = listen(allow=frozenset({"any"}))
    two = (CTImageStorage, SecondaryCaptureImageStorage, ComprehensiveSRStorage)
    for classes, expected in ((two, 1), (two, 1), (two[:2], 2), (two[:2], 2), (two, 3)):
        with calling(node.port, classes=classes):
            pass
        assert len(node.events("contexts-refused")) == expected
    with calling(node.port, aet="OTHER", classes=two):
        pass
    told = [(one["calling"], one["count"]) for one in node.events("contexts-refused")]
    assert told == [("PACS", 2), ("PACS", 1), ("PACS", 2), ("OTHER", 2)]


def test_refused_callers_are_counted_in_the_store(listen: Listen) -> None:
    node = listen()
    for aet in ("STRANGER", "STRANGER", "OTHER", "PACS"):
        with calling(node.port, aet=aet):
            pass
    node.receiver.stop()
    told = {one.calling: one.count for one in node.store.status().strangers}
    assert told == {"STRANGER": 2, "OTHER": 1}


def test_reports_are_taken_only_where_earlier_exams_are_fetched(listen: Listen) -> None:
    report = image(SOPClassUID=ComprehensiveSRStorage, Modality="SR")
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    with calling(listen().port, classes=(ComprehensiveSRStorage,)) as association:
        assert not association.is_established
    node = listen(earlier=True, forward=Peer(HERE, 104, "PACS"))
    with calling(node.port, classes=(ComprehensiveSRStorage,)) as association:
        assert send(association, report) == SUCCESS
    assert (node.store.status().reports, node.store.status().waiting) == (1, 0)


def test_images_of_the_retired_class_are_taken(listen: Listen) -> None:
    node = listen()
    with calling(node.port, classes=(RETIRED,)) as association:
        old = image(SOPClassUID=RETIRED)
        assert send_bytes(association, encoded(old), old) == SUCCESS


def test_compressed_pixels_are_kept_as_they_are(listen: Listen) -> None:
    node = listen()
    entity = AE(ae_title="PACS")
    entity.add_requested_context(UltrasoundImageStorage, JPEGBaseline8Bit)
    jpeg = image(PixelData=pydicom.encaps.encapsulate([b"\xff\xd8not really a jpeg"]))
    jpeg["PixelData"].VR, jpeg["PixelData"].is_undefined_length = "OB", True
    with associated(entity, node.port) as association:
        assert send_bytes(association, encoded(jpeg), jpeg) == SUCCESS
    [path] = node.files("objects")
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert path.read_bytes().endswith(encoded(jpeg))


def test_what_this_program_made_is_passed_over_and_a_phantom_is_not(listen: Listen) -> None:
    node = listen()
    ours = image(1, SOPClassUID=SecondaryCaptureImageStorage, Manufacturer="fetometry")
    classes = (SecondaryCaptureImageStorage, UltrasoundImageStorage)
    with calling(node.port, classes=classes) as association:
        assert send(association, ours) == SUCCESS
        assert node.store.status().objects == 0
        assert send(association, image(2, Manufacturer="fetometry")) == SUCCESS
    assert node.store.status().objects == 1
    assert len(node.events("own-object-passed-over")) == 1


# --- the disk


def test_without_room_the_sender_is_told_to_come_back(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = listen()
    with calling(node.port) as association:
        monkeypatch.setattr(node.receiver, "_room", lambda: False)
        assert send(association, image()) == FULL
        monkeypatch.setattr(node.receiver, "_room", lambda: True)
        assert send(association, image()) == SUCCESS
    assert node.reasons() == ["no-room"]
    assert node.files("incoming") == []


def test_a_reserve_larger_than_the_disk_takes_nothing(listen: Listen) -> None:
    node = listen(reserve_mb=10**12)
    with calling(node.port) as association:
        assert send(association, image()) == FULL


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, "no-room"), (errno.EIO, "not-written")]
)
def test_a_disk_that_fails_while_an_object_is_stored_is_no_crash(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    node = listen()

    def fail(_: Path) -> None:
        raise OSError(code, os.strerror(code))

    with calling(node.port) as association:
        with monkeypatch.context() as patched:
            patched.setattr(disk, "sync", fail)
            assert send(association, image()) == FULL
        assert node.store.status().objects == 0
        assert send(association, image()) == SUCCESS
    assert node.reasons() == [reason]


def test_a_full_database_is_no_crash(listen: Listen) -> None:
    node = listen()
    connection = node.store._db.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with calling(node.port) as association:
        statuses = {send(association, image(number)) for number in range(60)}
        assert statuses == {SUCCESS, FULL}
        connection.execute("PRAGMA max_page_count = 1000000")
        assert send(association, image(99)) == SUCCESS
    assert len(node.files("objects")) == node.store.status().objects
