import json
import subprocess
import sys
import threading
import time

import pytest

from fetometry import phantom
from fetometry.errors import FetometryError
from fetometry.serve.node import measuring
from fetometry.serve.node.measuring import Asked, Measurer, NotMeasured, Request

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    path = folder / "head.dcm"
    phantom.write_dicom(phantom.head(phantom.HeadSpec()), path)
    (folder / "garbage.dcm").write_bytes(b"nothing that anybody can read")
    return folder


@pytest.fixture(scope="module")
def measurer(tmp_path_factory):
    log = tmp_path_factory.mktemp("child") / "measuring.log"
    made = Measurer(Asked(("sr",)), log, threading.Event())
    yield made
    made.end()


def stub(monkeypatch, tmp_path, body: str) -> Measurer:
    """A child that answers the first question and does `body` at each other `line`."""
    said = "import os, sys, time\nsys.stdin.readline()\nprint('{}', flush=True)\n"
    monkeypatch.setattr(measuring, "_CHILD", f"{said}for line in sys.stdin:\n    {body}")
    return Measurer(Asked(("sr",)), tmp_path / "log", threading.Event())


def request(folder) -> Request:
    return Request(str(folder), ("image.dcm",))


def test_the_child_measures_a_phantom_and_writes_its_report(measurer, images, tmp_path):
    answer = measurer.measure(Request(str(tmp_path), (str(images / "head.dcm"),)), PATIENCE_S)
    assert (answer.outcome, answer.measured, answer.refused) == ("answered", 1, 0)
    assert (tmp_path / "report.sr.dcm").is_file()
    exam = json.loads((tmp_path / "exam.json").read_bytes())
    values = {one["name"]: one["value"] for one in exam["selected"]}
    assert values["HC"] == pytest.approx(250.0, rel=0.03)


def test_the_same_study_gives_the_same_bytes_from_the_same_process(measurer, images, tmp_path):
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        measurer.measure(Request(str(folder), (str(images / "head.dcm"),)), PATIENCE_S)
        written.append((folder / "report.sr.dcm").read_bytes())
    assert written[0] == written[1]


def test_what_nobody_can_read_is_an_outcome_and_no_failure(measurer, images, tmp_path):
    answer = measurer.measure(Request(str(tmp_path), (str(images / "garbage.dcm"),)), PATIENCE_S)
    assert (answer.outcome, answer.measured, answer.refused) == ("nothing-measured", 0, 1)


def test_a_study_without_its_files_is_refused_with_the_name_of_the_error(measurer, tmp_path):
    with pytest.raises(NotMeasured) as refused:
        measurer.measure(Request(str(tmp_path), (str(tmp_path / "gone.dcm"),)), PATIENCE_S)
    assert refused.value.code == "ImageError"


@pytest.mark.parametrize("in_the_way", ["report.sr.dcm", "exam.json"])
def test_a_result_that_cannot_be_written_is_told_apart(measurer, images, tmp_path, in_the_way):
    (tmp_path / in_the_way / "a folder").mkdir(parents=True)
    with pytest.raises(NotMeasured) as refused:
        measurer.measure(Request(str(tmp_path), (str(images / "head.dcm"),)), PATIENCE_S)
    assert refused.value.code == "not-written"


def test_a_crash_is_an_error_of_one_study_and_the_next_has_a_new_child(monkeypatch, tmp_path):
    crash = "os._exit(9) if not os.path.exists('{0}') and not open('{0}', 'w').close() else "
    answer = """print('{"outcome": "answered"}', flush=True)"""
    made = stub(monkeypatch, tmp_path, crash.format(tmp_path / "crashed") + answer)
    with pytest.raises(NotMeasured) as crashed:
        made.measure(request(tmp_path), PATIENCE_S)
    assert crashed.value.code == "crashed"
    assert made.measure(request(tmp_path), PATIENCE_S).outcome == "answered"
    made.end()


def child(monkeypatch, tmp_path, measure: str) -> Measurer:
    """The real child, that measures in another way."""
    replaced = "import fetometry.serve.node.measuring as m, os, pathlib\n"
    replaced += f"m._prepared = lambda asked: lambda request: {measure}\nm.main()"
    monkeypatch.setattr(measuring, "_CHILD", replaced)
    return Measurer(Asked(("sr",)), tmp_path / "log", threading.Event())


def test_the_file_that_the_child_died_of_is_known(monkeypatch, tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).write_bytes(name.encode())
    reads = "[pathlib.Path(f).read_bytes() == b'bad' and os._exit(1) for f in request.files]"
    made = child(monkeypatch, tmp_path, reads)
    with pytest.raises(NotMeasured) as crashed:
        made.measure(
            Request(str(tmp_path), tuple(str(tmp_path / n) for n in ("good", "bad", "never"))),
            PATIENCE_S,
        )
    assert (crashed.value.code, crashed.value.file) == ("crashed", str(tmp_path / "bad"))


def test_a_child_that_dies_of_no_file_blames_none(monkeypatch, tmp_path):
    made = child(monkeypatch, tmp_path, "os._exit(1)")
    with pytest.raises(NotMeasured) as crashed:
        made.measure(request(tmp_path), PATIENCE_S)
    assert crashed.value.file is None


def test_the_log_of_the_child_has_the_kind_and_place_of_a_fault_and_not_its_words(
    monkeypatch, tmp_path
):
    made = child(monkeypatch, tmp_path, "{}['Geheimnis^Erika']")
    with pytest.raises(NotMeasured):
        made.measure(request(tmp_path), PATIENCE_S)
    log = tmp_path / "log"
    until = time.monotonic() + PATIENCE_S
    while not (log.is_file() and b"KeyError at " in log.read_bytes()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert b"Geheimnis" not in log.read_bytes()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_of_the_child_is_begun_anew_while_it_grows(monkeypatch, tmp_path):
    monkeypatch.setattr(measuring, "MOST_LOG_BYTES", 300_000)
    noise = "[os.write(2, b'x' * 50_000) for _ in range(40)] and m.Answer('answered')"
    made = child(monkeypatch, tmp_path, noise)
    for _ in range(3):
        assert made.measure(request(tmp_path), PATIENCE_S).outcome == "answered"
        assert (tmp_path / "log").stat().st_size <= 300_000
    made.end()


def test_a_log_that_cannot_be_written_holds_up_no_child(monkeypatch, tmp_path):
    (tmp_path / "log").mkdir()
    made = child(monkeypatch, tmp_path, "os.write(2, b'x' * 900_000) and m.Answer('answered')")
    assert made.measure(request(tmp_path), PATIENCE_S).outcome == "answered"
    made.end()


def test_a_child_that_takes_too_long_is_ended(monkeypatch, tmp_path):
    made = stub(monkeypatch, tmp_path, "time.sleep(600)")
    made.start(PATIENCE_S)
    process, begun = made._child, time.monotonic()
    with pytest.raises(NotMeasured) as late:
        made.measure(request(tmp_path), 0.3)
    assert late.value.code == "time-limit"
    assert time.monotonic() - begun < 10
    assert process.poll() is not None


def test_a_node_that_is_to_end_does_not_wait_for_its_child(monkeypatch, tmp_path):
    made = stub(monkeypatch, tmp_path, "time.sleep(600)")
    made.start(PATIENCE_S)
    made._stop.set()
    with pytest.raises(NotMeasured) as stopped:
        made.measure(request(tmp_path), PATIENCE_S)
    assert stopped.value.code == "stopped"


def test_a_model_that_cannot_be_used_is_told_in_words(tmp_path):
    made = Measurer(Asked(("sr",), "nowhere.onnx"), tmp_path / "log", threading.Event())
    with pytest.raises(FetometryError, match=r"nowhere\.onnx"):
        made.start(PATIENCE_S)


def test_the_child_ends_when_the_node_is_gone_even_while_it_measures():
    command = "import fetometry.serve.node.measuring as m, time\n"
    command += "m._prepared = lambda asked: lambda request: time.sleep(600)\nm.main()"
    child = subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdin.write(b"{}\n")
    child.stdin.write(b'{"folder": "x", "files": []}\n')
    child.stdin.flush()
    assert child.stdout.readline() == b"{}\n"
    child.stdin.close()
    assert child.wait(30) == 0
    child.stdout.close()


def test_what_libraries_print_is_no_answer():
    command = "import fetometry.serve.node.measuring as m\n"
    command += "m._prepared = lambda asked: print('noise') or (lambda request: None)\nm.main()"
    done = subprocess.run([sys.executable, "-c", command], input=b"{}\n", capture_output=True)
    assert done.stdout in (b"{}\n", b"")
    assert b"noise" not in done.stdout
