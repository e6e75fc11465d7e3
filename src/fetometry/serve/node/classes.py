"""What the node takes: SOP classes and transfer syntaxes."""

from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    EnhancedUSVolumeStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid

#: C-ECHO.
VERIFICATION = UID("1.2.840.10008.1.1")

#: Of ultrasound before 1993, which archives still hold: not in pynetdicom's own list.
RETIRED = {
    "UltrasoundMultiFrameImageStorageRetired": UID("1.2.840.10008.5.1.4.1.1.3"),
    "UltrasoundImageStorageRetired": UID("1.2.840.10008.5.1.4.1.1.6"),
}

CAPTURE = SecondaryCaptureImageStorage

IMAGES = (
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    *RETIRED.values(),
    EnhancedUSVolumeStorage,
    CAPTURE,
)

#: Taken where earlier exams are fetched: kept for the patient, never measured, never forwarded.
REPORTS = (
    BasicTextSRStorage,
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    Comprehensive3DSRStorage,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)

_COMPRESSED = (
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
)


def syntaxes() -> list[UID]:
    """Return the transfer syntaxes of images: those that an installed decoder reads.

    Deflated is not among them: what a few bytes of it may inflate to has no bound, and its
    senders have to offer a native one as well.
    """
    readable = [syntax for syntax in _COMPRESSED if get_decoder(syntax).is_available]
    return [*readable, *NATIVE]


def register() -> None:
    """Make the retired classes known to pynetdicom, which aborts at a class it does not know."""
    for keyword, uid in RETIRED.items():
        register_uid(uid, keyword, StorageServiceClass)
