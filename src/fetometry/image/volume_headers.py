"""What the header of a NIfTI, NRRD or MetaImage file says, read before ITK reads the file.

ITK turns a voxel size that is absent, zero or not a number into 1, ignores most units, and fills
what a truncated or damaged file lacks without a word. So the size comes from the header itself,
and the voxels are known to be there before ITK is asked for them.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from fetometry.errors import ImageError

#: Millimetres in each unit of length, as the three formats write it.
MM_PER_UNIT = {
    "m": 1000.0,
    "cm": 10.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "millimeters": 1.0,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
}

#: How far two sizes of a voxel in one header may differ, relative to the size.
SAME_SIZE = 0.01

_CHUNK_BYTES = 1 << 20
_MAX_HEADER_BYTES = 1 << 20
_AGAIN = "copy or export it again"


@dataclass(frozen=True)
class Stated:
    """The size of a voxel, (x, y, z) in the order of the file, or why it is not known.

    `mm_per_unit` turns the lengths that ITK returns for this file into millimetres.
    """

    spacing_mm: tuple[float, float, float] | None = None
    problem: str = ""
    mm_per_unit: float = 1.0


class Format(NamedTuple):
    """One file format: its name, the reader of its header, the class of ITK that reads it."""

    name: str
    stated: Callable[[Path], Stated]
    image_io: str


def _positive(spacing: tuple[float, ...]) -> bool:
    return all(math.isfinite(value) and value > 0 for value in spacing)


def _told(spacing: tuple[float, ...], mm_per_unit: float, name: str) -> Stated:
    """Return the size that three numbers under a name in the header mean."""
    if len(spacing) != 3 or not _positive(spacing):
        given = " ".join(f"{value:g}" for value in spacing)
        return Stated(problem=f"its {name} ({given}) is not the size of a voxel")
    x, y, z = (value * mm_per_unit for value in spacing)
    return Stated((x, y, z), mm_per_unit=mm_per_unit)


def _count(chunks: Iterator[bytes], source: str) -> int:
    """Return how many bytes come out of a stream that may be damaged."""
    try:
        return sum(len(chunk) for chunk in chunks)
    except (EOFError, OSError, zlib.error) as error:
        raise ImageError(f"{source}: its compressed voxels are damaged; {_AGAIN}") from error


def _check_length(there: int, wanted: int, source: str) -> None:
    if there < wanted:
        raise ImageError(
            f"{source}: the file is truncated: {there} bytes of the {wanted} that its header "
            f"announces; {_AGAIN}"
        )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


# ---- NIfTI-1: 348 bytes, then the voxels

_NIFTI_HEAD = 348
_NIFTI_UNITS = {1: "m", 2: "mm", 3: "um"}

#: Bytes of a voxel by the code of its type: whole numbers and floats of one value.
_NIFTI_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8}
_NIFTI_COLOUR = {128: "colours", 2304: "colours", 32: "complex numbers", 1792: "complex numbers"}


def _nifti_order(head: bytes, source: str) -> str:
    """Return the byte order of a NIfTI-1 header."""
    for order in "<>":
        if len(head) < _NIFTI_HEAD:
            break
        (length,) = struct.unpack_from(f"{order}i", head)
        if length == 540:
            raise ImageError(f"{source}: NIfTI-2 is not read: save it as NIfTI-1")
        if length == _NIFTI_HEAD and head[344:348] == b"n+1\0":
            return order
        if length == _NIFTI_HEAD:
            raise ImageError(
                f"{source}: Analyze, or NIfTI in two files, is not read: save it as one .nii file"
            )
    raise ImageError(f"{source}: not a NIfTI file, or its header is truncated; {_AGAIN}")


def _nifti_bytes(head: bytes, order: str, source: str) -> int:
    """Return how long the file must be, by its header."""
    count, *sizes = struct.unpack_from(f"{order}8h", head, 40)
    if not 1 <= count <= 7 or min(sizes[:count]) < 1:
        raise ImageError(f"{source}: its header is damaged: dim is {(count, *sizes)}; {_AGAIN}")
    (kind,) = struct.unpack_from(f"{order}h", head, 70)
    if kind not in _NIFTI_BYTES:
        held = _NIFTI_COLOUR.get(kind, f"a type ({kind}) that is not known")
        raise ImageError(f"{source}: its voxels are {held}; grey voxels are measured")
    (offset,) = struct.unpack_from(f"{order}f", head, 108)
    if not 0 <= offset < 1e9:
        raise ImageError(f"{source}: its header is damaged: vox_offset is {offset:g}; {_AGAIN}")
    voxels = math.prod(int(size) for size in sizes[:count])
    return max(int(offset), _NIFTI_HEAD + 4) + voxels * _NIFTI_BYTES[kind]


def _nifti_spacing(head: bytes, order: str) -> Stated:
    # the shortest decimal that its four bytes may stand for: 0.38, not 0.3799999952316284
    spacing = tuple(float(f"{value:.7g}") for value in struct.unpack_from(f"{order}3f", head, 80))
    unit = _NIFTI_UNITS.get(head[123] & 7)
    if unit is None:
        return Stated(
            problem="its xyzt_units do not say in which unit a voxel is measured: set them "
            "(2 is mm) and save it again"
        )
    told = _told(spacing, MM_PER_UNIT[unit], "pixdim")
    (sform,) = struct.unpack_from(f"{order}h", head, 254)
    if told.spacing_mm is not None and sform > 0:
        rows = [struct.unpack_from(f"{order}3f", head, at) for at in (280, 296, 312)]
        lengths = [math.hypot(*column) for column in zip(*rows, strict=True)]
        if not all(
            math.isclose(a, b, rel_tol=SAME_SIZE) for a, b in zip(lengths, spacing, strict=True)
        ):
            return Stated(problem="its pixdim and its sform disagree on the size of a voxel")
    # ITK converts the unit of a NIfTI file itself
    return Stated(told.spacing_mm, told.problem)


def _nifti(path: Path) -> Stated:
    source = str(path)
    compressed = path.suffix.lower() == ".gz"
    with gzip.open(path) if compressed else path.open("rb") as opened:
        file = cast(BinaryIO, opened)
        try:
            head = file.read(_NIFTI_HEAD)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ImageError(f"{source}: not a gzip file, or damaged; {_AGAIN}") from error
        order = _nifti_order(head, source)
        wanted = _nifti_bytes(head, order, source)
        there = len(head) + _count(_chunks(file), source) if compressed else path.stat().st_size
    _check_length(there, wanted, source)
    return _nifti_spacing(head, order)


# ---- NRRD: lines of "field: value" up to an empty one

_VECTOR = re.compile(r"\(([^)]*)\)|none")


def _lines(path: Path, last: Callable[[str], bool]) -> tuple[list[str], int]:
    """Return the lines of a text header up to its last one, and where the file goes on."""
    lines: list[str] = []
    with path.open("rb") as file:
        while file.tell() < _MAX_HEADER_BYTES and (raw := file.readline(_MAX_HEADER_BYTES)):
            line = raw.decode("latin-1").strip()
            lines.append(line)
            if last(line):
                break
        return lines, file.tell()


def _fields(lines: list[str], separator: str) -> dict[str, str]:
    parts = (line.partition(separator) for line in lines if not line.startswith("#"))
    # NRRD writes "key:=value" for notes, which are no fields
    return {k.strip(): v.strip() for k, found, v in parts if found and not v.startswith("=")}


def _floats(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in re.split(r"[\s,]+", text.strip()))
    except ValueError:
        return (math.nan,)


def _one_unit(text: str | None) -> float | None:
    """Return the millimetres in the unit that all axes share; without a word they are mm."""
    if text is None:
        return 1.0
    named = {unit.strip().lower() for unit in re.findall(r'"([^"]*)"|(\S+)', text) for unit in unit}
    known = {MM_PER_UNIT.get(unit) for unit in named - {""}}
    return known.pop() if len(known) == 1 else None


def _nrrd(path: Path) -> Stated:
    source = str(path)
    lines, _ = _lines(path, lambda line: not line)
    if not lines or not lines[0].startswith("NRRD000"):
        raise ImageError(f"{source}: not an NRRD file: it does not begin with NRRD000")
    fields = {key.lower(): value for key, value in _fields(lines, ":").items()}
    if "space directions" in fields:
        vectors = [_floats(found) for found in _VECTOR.findall(fields["space directions"]) if found]
        name, unit_name = "space directions", "space units"
        spacing = tuple(math.hypot(*vector) for vector in vectors)
    elif "spacings" in fields:
        name, unit_name, spacing = "spacings", "units", _floats(fields["spacings"])
    else:
        return Stated(problem="its header has neither space directions nor spacings")
    mm_per_unit = _one_unit(fields.get(unit_name))
    if mm_per_unit is None:
        return Stated(problem=f"its {unit_name} ({fields[unit_name]}) are not one unit of length")
    return _told(spacing, mm_per_unit, name)


# ---- MetaImage: lines of "Key = value" up to ElementDataFile

_META_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
_META_LAST = "ElementDataFile"


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a zlib or gzip stream holds."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    for chunk in _chunks(file):
        data = chunk
        while data:
            yield inflate.decompress(data, _CHUNK_BYTES)
            data = inflate.unconsumed_tail
    yield inflate.flush()
    if not inflate.eof:
        raise EOFError


def _meta_bytes(fields: dict[str, str], source: str) -> int:
    """Return how many bytes the voxels take."""
    kind = fields.get("ElementType", "")
    if kind not in _META_BYTES:
        raise ImageError(
            f"{source}: its ElementType is {kind or 'absent'}; it must be {', '.join(_META_BYTES)}"
        )
    sizes = _floats(fields.get("DimSize", "")) + _floats(fields.get("ElementNumberOfChannels", "1"))
    if not _positive(sizes):
        raise ImageError(f"{source}: its header is damaged: DimSize has a 0 or no number")
    return math.prod(int(size) for size in sizes) * _META_BYTES[kind]


def _check_meta_voxels(path: Path, fields: dict[str, str], start: int) -> None:
    """Refuse voxels that are not there, or not in one file.

    Raises:
        ImageError: they are truncated, damaged, text, or spread over several files.
    """
    source, named = str(path), fields[_META_LAST]
    local = named.upper() == "LOCAL"
    data = path if local else path.parent / named
    if fields.get("BinaryData", "True").lower() != "true" or (not local and not data.is_file()):
        raise ImageError(
            f"{source}: its voxels must be binary and in one file that is there, but it says "
            f"{_META_LAST} = {named}; save it as one .mha file"
        )
    wanted = _meta_bytes(fields, source)
    skip = start
    if not local:
        told = _floats(fields.get("HeaderSize", "0"))[0]
        skip = int(told) if math.isfinite(told) and told > 0 else 0  # -1: ITK counts from the end
    with data.open("rb") as file:
        if fields.get("CompressedData", "False").lower() == "true":
            file.seek(skip)
            there = _count(_inflated(file), source)
        else:
            there = data.stat().st_size - skip
    _check_length(there, wanted, source)


def _meta(path: Path) -> Stated:
    source = str(path)
    lines, start = _lines(path, lambda line: line.startswith(_META_LAST))
    fields = _fields(lines, "=")
    if not {"NDims", "DimSize", _META_LAST} <= set(fields):
        raise ImageError(
            f"{source}: not a MetaImage file: its header has no NDims, DimSize or {_META_LAST}"
        )
    _check_meta_voxels(path, fields, start)
    name = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    if name not in fields:
        return Stated(problem="its header has no ElementSpacing")
    mm_per_unit = _one_unit(fields.get("DistanceUnits"))
    if mm_per_unit is None:
        unit = fields["DistanceUnits"]
        return Stated(problem=f"its DistanceUnits ({unit}) are not a unit of length")
    return _told(_floats(fields[name]), mm_per_unit, name)


#: Which format each ending of a name means.
FORMATS = {
    ".nii": Format("NIfTI", _nifti, "NiftiImageIO"),
    ".nii.gz": Format("NIfTI", _nifti, "NiftiImageIO"),
    ".nrrd": Format("NRRD", _nrrd, "NrrdImageIO"),
    ".nhdr": Format("NRRD", _nrrd, "NrrdImageIO"),
    ".mha": Format("MetaImage", _meta, "MetaImageIO"),
    ".mhd": Format("MetaImage", _meta, "MetaImageIO"),
}


def format_of(path: Path) -> Format | None:
    """Return the format that the name of a file stands for, or None."""
    name = path.name.lower()
    return next((found for ending, found in FORMATS.items() if name.endswith(ending)), None)
