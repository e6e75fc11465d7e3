"""Edits: what they are, which of them stand, and what was ticked."""

import pytest

from fetometry.errors import UsageError
from fetometry.review import ACTIONS, CRITERIA, Review, standing, ticked
from fetometry.types import PLANES
from tests.pipeline.review_examples import edit


def test_an_edit_of_no_known_action_is_refused():
    with pytest.raises(UsageError, match="no edit 'delete'; allowed: ellipse, points"):
        edit("delete", {}, source="a.png")


def test_edits_are_numbered_from_one():
    with pytest.raises(UsageError, match="numbered from 1, got 0"):
        edit("reset", {}, source="a.png", number=0)


def test_an_edit_cannot_be_changed():
    with pytest.raises(AttributeError):
        edit("reset", {}, source="a.png").number = 2


def test_what_was_undone_does_not_stand_and_the_rest_is_in_order():
    third, first = edit("reset", {}, number=3), edit("fetus", {"fetus": "A"}, number=1)
    second = edit("fetus", {"fetus": "B"}, number=2, undone=True)
    assert standing([third, second, first]) == (first, third)
    assert Review("Dr A", "", (third, second, first)).standing == (first, third)


def test_a_tick_holds_until_it_is_taken_away():
    edits = [
        edit("criteria", {"cavum": True, "thalami": True}, source="a.png", number=1),
        edit("criteria", {"cavum": False}, source="a.png", number=2),
        edit("criteria", {"stomach": True}, source="b.png", number=3, undone=True),
    ]
    assert ticked(edits) == {("a.png", 1): {"cavum": False, "thalami": True}}


def test_every_plane_has_criteria_with_names_of_their_own():
    assert tuple(CRITERIA) == PLANES
    for criteria in CRITERIA.values():
        assert len(dict(criteria)) == len(criteria)
        assert all(words.endswith(".") for _, words in criteria)


def test_a_review_is_unsigned_until_it_says_when():
    assert Review() == Review("", "", ())
    assert len(set(ACTIONS)) == 10
