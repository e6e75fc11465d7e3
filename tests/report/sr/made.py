"""Exams with their sources, as the pipeline hands them over, and the report read back."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from fetometry.growth import Dates, assess, sizes_of
from fetometry.report import Sources
from fetometry.report.dicom_out import Task
from fetometry.report.sr.write import write_report
from tests.conftest import dataset
from tests.report import examples

SHAPE = (540, 800)

dciodvfy_is_missing = shutil.which("dciodvfy") is None
needs_dciodvfy = pytest.mark.skipif(
    dciodvfy_is_missing, reason="needs dciodvfy, of the Debian package dicom3tools"
)
needs_dsrdump = pytest.mark.skipif(
    shutil.which("dsrdump") is None, reason="needs dsrdump, of the Debian package dcmtk"
)


def faults(path):
    """What dciodvfy finds wrong with a file."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def dump(path):
    """What dsrdump reads of a report, with its codes."""
    done = subprocess.run(["dsrdump", "+Pc", path], capture_output=True, text=True, check=True)
    return done.stdout


def header(number=1, **tags):
    """The header of an ultrasound image; each number is another instance of one study."""
    made = dataset(np.zeros(SHAPE, np.uint8), **tags)
    made.SOPInstanceUID = f"1.2.3.{number}"
    made.InstanceNumber = number
    del made.PixelData
    return made


def grown(exam, ga_days=185.0):
    """The exam with the growth of each of its fetuses at an age."""
    fetuses = dict.fromkeys(chosen.fetus for chosen in exam.selected)
    known = Dates(ga_days=ga_days) if ga_days else Dates()
    return replace(exam, growth={f: assess(sizes_of(exam, f)[0], known) for f in fetuses})


def three_planes(fetus="", ga_days=185.0):
    """An exam of head, abdomen and femur."""
    found = [
        examples.head(examples.Ellipse((270.0, 400.0), (150.0, 120.0), 30.0), mm=(0.3, 0.3)),
        examples.abdomen(),
        examples.femur(),
    ]
    found = [replace(finding, fetus=fetus) for finding in found]
    return grown(examples.exam(*found, selected=examples.selected(*found)), ga_days)


def one_plane(**changes):
    """An exam of a femur alone, of no known age."""
    found = replace(examples.femur(), **changes)
    return examples.exam(found, selected=examples.selected(found))


def pictures(findings):
    """Grey pictures; names of one length have the same."""
    for finding in findings:
        yield finding, np.full(SHAPE, len(finding.source), np.uint8)


def task(exam, folder, *, headers=None, digests=None, days=None):
    """An exam to write; without headers each source is an instance of one study."""
    sources = list(dict.fromkeys(finding.source for finding in exam.findings))
    if headers is None and digests is None:
        headers = {source: header(k) for k, source in enumerate(sources, start=1)}
    places = {source: Path(source).with_suffix("") for source in sources}
    said = {} if days is None else {exam.name: days}
    told = Sources(headers or {}, digests or {}, places, pictures, said)
    return Task(exam, told, folder, folder / "report")


def written(exam, folder, **said):
    """The report of an exam, read back."""
    done = write_report(task(exam, folder, **said))
    return pydicom.dcmread(done.paths[-1])


def saved_with(path, character_set, name):
    """Save an image of a patient of that name in a character set, however it is spelt."""
    known = character_set
    if isinstance(character_set, str):
        known = character_set.replace("ISO-IR ", "ISO_IR ").replace("IR-", "IR ")
    made = dataset(SpecificCharacterSet=known, PatientName=name)
    made.save_as(path, enforce_file_format=True)
    if known != character_set:
        path.write_bytes(path.read_bytes().replace(known.encode(), character_set.encode()))
        assert character_set.encode() in path.read_bytes()
    return path


def items(container, *, code=None, type=None, relation=None):
    """All items at any depth of a code, a value type, a relation."""
    found = []
    for item in container.get("ContentSequence", ()):
        name = item.get("ConceptNameCodeSequence")
        fits = code is None or (name and name[0].CodeValue == code)
        fits = fits and (type is None or item.ValueType == type)
        if fits and (relation is None or item.RelationshipType == relation):
            found.append(item)
        found += items(item, code=code, type=type, relation=relation)
    return found


def value(item):
    """A number with its unit, a code with its scheme, or words."""
    if item.ValueType == "NUM":
        told = item.MeasuredValueSequence[0]
        return float(told.NumericValue), told.MeasurementUnitsCodeSequence[0].CodeValue
    if item.ValueType == "CODE":
        told = item.ConceptCodeSequence[0]
        return told.CodeValue, told.CodingSchemeDesignator
    return item.Date if item.ValueType == "DATE" else item.TextValue
