import json
from dataclasses import replace

import pytest

from fetometry.serve.node import status
from fetometry.serve.node.nouns import Status, Stranger

NOTHING = Status(0, 0, 0, 0, 0, 0, 0, 0, 0, None, (), 0, 5_000_000_000, None)


def test_a_node_that_has_done_nothing_says_so():
    said = status.lines(NOTHING)
    assert said[0] == "received   0 images, 0 reports; the last never"
    assert "5000 MB free" in said[-1]


def test_the_lines_hold_every_count():
    counts = Status(1, 2, 3, 4, 5, 6, 7, 8, 9, 7200.0, ("send: no-answer",), 10, 0, 0.0)
    text = "\n".join(status.lines(counts))
    assert "1 image, 2 reports; the last 1970-01-01 00:00:00Z" in text
    assert "3 waiting, 4 answered, 5 with nothing measured, 6 failed" in text
    assert "7 queued, the oldest for 2 h; 8 sent, 9 refused" in text
    assert "10 objects" in text
    assert "last: send: no-answer" in text


def test_one_object_is_one():
    said = "\n".join(status.lines(replace(NOTHING, objects=1, reports=1, quarantined=1)))
    assert "1 image, 1 report; the" in said
    assert "quarantine 1 object\n" in said


def test_a_caller_that_is_refused_is_named_with_how_often_and_when():
    now = replace(NOTHING, strangers=(Stranger("PACS2", 12, 0.0), Stranger("", 1, 60.0)))
    said = status.lines(now)
    assert "refused    PACS2: 12 calls, the last 1970-01-01 00:00:00Z" in said
    assert "refused    a caller without a title: 1 call, the last 1970-01-01 00:01:00Z" in said
    told = json.loads(json.dumps(status.as_json(now)))
    assert told["strangers"][0] == {"calling": "PACS2", "count": 12, "last": 0.0}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119.0, "119 s"), (600.0, "10 min"), (86400.0, "24 h"), (259200.0, "3 d")],
)
def test_a_wait_is_told_in_a_unit_that_can_be_read(seconds, words):
    assert f"the oldest for {words};" in status.lines(replace(NOTHING, oldest_queued_s=seconds))[2]


def test_the_json_can_be_written_and_has_every_count():
    told = json.loads(json.dumps(status.as_json(NOTHING)))
    assert told["schema"] == "fetometry-node/1"
    assert told["free_bytes"] == 5_000_000_000
    assert told["errors"] == []


@pytest.mark.parametrize(
    ("change", "well"),
    [
        ({}, True),
        ({"waiting": 3, "queued": 2}, True),
        ({"failed": 1}, False),
        ({"refused": 1}, False),
    ],
)
def test_a_node_is_well_unless_something_waits_for_a_person(change, well):
    assert status.is_well(replace(NOTHING, **change)) is well
