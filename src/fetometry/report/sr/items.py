"""Content items of a report from terms and numbers: a thin layer over highdicom's value types."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date as Day
from typing import TypeVar

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DateContentItem,
    GraphicTypeValues,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    ScoordContentItem,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom import Dataset

from fetometry.geometry import Points
from fetometry.report.sr.codes import COMMENT, SOURCE, TEMPLATES, UNITS, Term
from fetometry.report.sr.instances import Instance

CONTAINS = RelationshipTypeValues.CONTAINS
PROPERTY = RelationshipTypeValues.HAS_PROPERTIES
MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD
CONTEXT = RelationshipTypeValues.HAS_OBS_CONTEXT
INFERRED = RelationshipTypeValues.INFERRED_FROM
SELECTED = RelationshipTypeValues.SELECTED_FROM

#: Decimals of numbers by unit: far below what is measured, and free of a computer's last digits.
DECIMALS = {"mm": 3, "g": 1, "days": 2, "%": 3, "1": 4, "m": 3, "kg": 2}

#: Decimals of a point, in pixels.
POINT_DECIMALS = 3


Item = TypeVar("Item", bound=Dataset)


def concept(term: Term) -> CodedConcept:
    """Return a term as highdicom has it."""
    return CodedConcept(term.value, term.scheme, term.meaning)


def with_children(item: Item, children: Iterable[Dataset]) -> Item:
    """Put items below an item, after those that it has."""
    for child in children:
        if "ContentSequence" not in item:
            item.ContentSequence = ContentSequence()
        item.ContentSequence.append(child)
    return item


def container(
    term: Term,
    children: Iterable[ContentItem],
    *,
    relation: RelationshipTypeValues | None = CONTAINS,
) -> ContentItem:
    """Return a section with its items; it names its template where it has one."""
    made = ContainerContentItem(
        name=concept(term),
        is_content_continuous=False,
        template_id=TEMPLATES.get(term),
        relationship_type=relation,
    )
    return with_children(made, children)


def number(
    term: Term,
    value: float,
    unit: str,
    children: Iterable[ContentItem] = (),
    *,
    relation: RelationshipTypeValues = CONTAINS,
) -> ContentItem:
    """Return a number, rounded to what its unit bears, with what says more about it."""
    made = NumContentItem(
        name=concept(term),
        value=round(float(value), DECIMALS[unit]),
        unit=concept(UNITS[unit]),
        relationship_type=relation,
    )
    return with_children(made, children)


def code(term: Term, value: Term, relation: RelationshipTypeValues) -> ContentItem:
    """Return a coded value."""
    return CodeContentItem(name=concept(term), value=concept(value), relationship_type=relation)


def text(term: Term, value: str, relation: RelationshipTypeValues) -> ContentItem:
    """Return words; what is no letter, of a name that is not UTF-8 on disk, becomes a ?."""
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return TextContentItem(name=concept(term), value=clean, relationship_type=relation)


def day(term: Term, value: Day) -> ContentItem:
    """Return a date."""
    return DateContentItem(name=concept(term), value=value, relationship_type=CONTAINS)


def comment(value: str, relation: RelationshipTypeValues = CONTAINS) -> ContentItem:
    """Return a remark in words."""
    return text(COMMENT, value, relation)


def uid_reference(term: Term, uid: str, relation: RelationshipTypeValues) -> ContentItem:
    """Return a UID."""
    return UIDRefContentItem(name=concept(term), value=uid, relationship_type=relation)


def without_names(library: ContentItem) -> None:
    """Take the concept names from the images of the image library, which have none.

    highdicom wants one of every item while it puts a document together.
    """
    for item in library.ContentSequence:
        del item.ConceptNameCodeSequence


def region(
    term: Term, kind: GraphicTypeValues, points_px: Points, instance: Instance
) -> ContentItem:
    """Return points (N, 2) as (row, col) on the frame that they were found in."""
    made = ScoordContentItem(
        name=concept(term),
        graphic_type=kind,
        graphic_data=graphic_data(points_px),
        relationship_type=INFERRED,
    )
    return with_children(made, [image(instance, SELECTED)])


def graphic_data(points_px: Points) -> Points:
    """Return points (N, 2) as DICOM has them: (column, row) from the corner of the first pixel.

    References:
        DICOM PS3.3 C.18.6.1.2, Graphic Data.
    """
    turned = np.asarray(points_px, np.float64)[:, ::-1]
    return np.asarray(np.round(turned + 0.5, POINT_DECIMALS))  # we count from its centre


def image(instance: Instance, relation: RelationshipTypeValues) -> ContentItem:
    """Return the image that something was measured in."""
    return ImageContentItem(
        name=concept(SOURCE),
        referenced_sop_class_uid=instance.sop_class,
        referenced_sop_instance_uid=instance.uid,
        referenced_frame_numbers=instance.frame,
        relationship_type=relation,
    )
