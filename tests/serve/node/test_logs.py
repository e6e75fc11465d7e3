"""One line of JSON for each event, with nothing of a patient in it."""

import io
import json
import os
from pathlib import Path

import pytest

from fetometry.serve.node.logs import WITHHELD, Log


def test_an_event_is_one_line_of_json_with_its_time_in_utc() -> None:
    stream = io.StringIO()
    Log(stream, now=lambda: 0.5)("received", study="0123456789abcdef", size=7, again=None)
    assert stream.getvalue() == (
        '{"time": "1970-01-01T00:00:00.500+00:00", "event": "received", '
        '"study": "0123456789abcdef", "size": 7}\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        "1.2.840.10008.5.1.4.1.1.6.1",
        "Musterfrau^Erika",
        "Müller",
        "/data/store/x.dcm",
        "two words",
        "line\nbreak",
        b"bytes",
        ["a", "b"],
        Path("a/b"),
        "x" * 81,
    ],
)
def test_a_text_that_may_say_who_it_is_is_withheld(value: object) -> None:
    stream = io.StringIO()
    Log(stream)("refused", reason=value)
    assert json.loads(stream.getvalue())["reason"] == WITHHELD


@pytest.mark.parametrize("value", ["unknown-calling-aet", "A700", "TimeoutError", "10.0.0.7", 3.5])
def test_codes_and_numbers_are_written_as_they_are(value: object) -> None:
    stream = io.StringIO()
    Log(stream)("refused", reason=value)
    assert json.loads(stream.getvalue())["reason"] == value


def test_an_ae_title_may_have_spaces_and_nothing_longer_may_pass_for_one() -> None:
    stream = io.StringIO()
    Log(stream)("echo", calling="US ROOM 1")
    Log(stream)("echo", calling="Musterfrau^Erika^^")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["calling"] for line in lines] == ["US ROOM 1", WITHHELD]


def test_a_file_is_appended_and_found_again_after_it_was_rotated(tmp_path: Path) -> None:
    log = Log(tmp_path / "node.log")
    log("one")
    log("two")
    (tmp_path / "node.log").rename(tmp_path / "node.log.1")
    log("three")
    assert len((tmp_path / "node.log.1").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "node.log").read_text())["event"] == "three"
    if os.name != "nt":
        assert (tmp_path / "node.log").stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    Log(tmp_path / "missing" / "node.log")("event")
    closed = io.StringIO()
    closed.close()
    Log(closed)("event")
