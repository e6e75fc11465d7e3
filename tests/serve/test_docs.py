"""docs/node.md and conformance.md: the lines for Orthanc do connect it, tables are the code's."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fetometry import phantom
from fetometry.report.capture import IMPLEMENTATION
from fetometry.report.sr import codes
from tests.serve.orthanc import HERE, PATIENCE_S, Orthanc, free_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "node.md").read_text(encoding="utf-8")
STATEMENT = (DOCS / "conformance.md").read_text(encoding="utf-8")
REPORT = "1.2.840.10008.5.1.4.1.1.88.33"


def block(name: str) -> str:
    """The lines of a fenced block that has a mark before it."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", PAGE, re.S)
    assert found, name
    return found[1]


def words_of_table(heading: str) -> set[str]:
    rows = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_orthanc_is_connected_in_five_lines():
    lines = block("orthanc: configuration") + block("orthanc: script")
    assert len(lines.splitlines()) == 5


@pytest.fixture
def connected(tmp_path):
    """Orthanc with the page's lines, on ports of its own, and the page's node beside it."""
    pytest.importorskip("pynetdicom", reason="needs the serve extra")
    port, script = free_port(), tmp_path / "fetometry.lua"
    script.write_text(block("orthanc: script"))
    lines = block("orthanc: configuration").replace("11112", str(port))
    lines = lines.replace("/etc/orthanc/fetometry.lua", str(script))
    with Orthanc(tmp_path / "orthanc", config=json.loads(f"{{{lines.strip().rstrip(',')}}}")) as o:
        command = block("orthanc: node").replace("localhost:4242", f"{HERE}:{o.dicom_port}")
        words = [*shlex.split(command)[1:], "--port", str(port), "--quiet", "1"]
        start = [sys.executable, "-c", "from fetometry.cli import main; main()"]
        with (tmp_path / "log").open("wb") as log:
            node = subprocess.Popen([*start, *words], cwd=tmp_path, stdout=log, stderr=log)
        try:
            wait_for(lambda: "started" in (tmp_path / "log").read_text())
            yield o
        finally:
            node.terminate()
            assert node.wait(PATIENCE_S) == 0


def wait_for(happened):
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, "did not happen"
        time.sleep(0.1)


@pytest.mark.slow
def test_what_is_stored_in_orthanc_comes_back_with_a_report(connected, tmp_path):
    file = tmp_path / "head.dcm"
    phantom.write_dicom(phantom.head(phantom.HeadSpec()), file)
    source = connected.upload(file)
    study = connected.tag(source, "0020-000d")

    def classes():
        return {one: connected.tag(one, "0008-0016") for one in connected.instances()}

    wait_for(lambda: REPORT in classes().values())
    # a picture and a report, in the study that they are of, and nothing goes round in circles
    time.sleep(2)
    assert len(classes()) == 3
    assert {connected.tag(one, "0020-000d") for one in classes()} == {study}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_one_that_systemd_understands(tmp_path):
    unit = tmp_path / "fetometry.service"
    # its program is not installed here
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", block("systemd")))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "fetometry.service" not in done.stderr


def test_every_option_of_the_node_is_in_the_table(run):
    printed = run("node", "--help")[1]
    options = set(re.findall(r"--[a-z][a-z-]+", printed)) - {"--help"}
    listed = {
        found for word in words_of_table("option") for found in re.findall(r"--[a-z-]+", word)
    }
    assert listed == options


def test_every_default_in_the_table_is_the_codes():
    settings = pytest.importorskip("fetometry.serve.node.settings", reason="needs the serve extra")
    node = settings.NodeSettings(Path("x"), allow=frozenset({"any"}))
    rows = PAGE.partition("\n| option |")[2].partition("\n\n")[0].splitlines()[2:]
    told = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in rows}
    assert told["`--port`, `--host`, `--aet`"] == f"{node.port}, all IPv4 addresses, `{node.aet}`"
    assert told["`--quiet SECONDS`"] == f"{node.quiet_s:g}"
    assert told["`--kinds`"] == f"`{','.join(node.kinds)}`"
    assert told["`--keep-days DAYS`"] == f"{node.keep_days:g}"
    limits = told["`--max-object-mb`, `--max-associations`"]
    assert limits == f"{node.max_object_mb}, {node.max_associations}"
    assert told["`--reserve-mb`"] == f"{node.reserve_mb}"
    assert told["`--measure-limit SECONDS`"] == f"{node.measure_s:g}"
    assert told["`--retry FIRST,LONGEST`"] == "`{:g},{:g}`".format(*node.retry_s)


def section(number: str) -> str:
    """The part of the conformance statement under a heading."""
    return re.split(r"\n#+ ", STATEMENT.partition(f" {number} ")[2])[0]


def uids_in(text: str) -> set[str]:
    """Every UID of a text; `.51` after another stands for one that differs in its last number."""
    found = set()
    for first, more in re.findall(r"(1\.2\.840\.[\d.]*\d)((?:, \.\d+)*)", text):
        last = re.findall(r"\.\d+", more)
        found |= {first, *(first.rpartition(".")[0] + number for number in last)}
    return found


def test_the_statement_has_the_classes_and_syntaxes_that_are_accepted():
    classes = pytest.importorskip("fetometry.serve.node.classes", reason="needs the serve extra")
    accepted = {str(uid) for uid in (*classes.IMAGES, *classes.REPORTS, *classes.syntaxes())}
    optional = {f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203)}
    assert uids_in(section("3.2.2")) - optional == accepted | {"1.2.840.10008.1.1"}


def test_the_statement_has_the_statuses_that_are_answered():
    receive = pytest.importorskip("fetometry.serve.node.receive", reason="needs the serve extra")
    answered = {receive.SUCCESS, receive.NOT_UNDERSTOOD, *receive.STATUSES.values()}
    listed = re.findall(r"^\| ([0-9A-F]{4}) \|", section("3.2.2"), re.M)
    assert {int(status, 16) for status in listed} == answered


def test_the_statement_names_who_implements_it():
    pynetdicom = pytest.importorskip("pynetdicom", reason="needs the serve extra")
    assert pynetdicom.PYNETDICOM_IMPLEMENTATION_UID in section("3.2.1")
    assert IMPLEMENTATION in section("4")


def test_the_statement_has_our_own_codes():
    ours = {term.value for term in codes.CONVENTIONS.values()}
    assert set(re.findall(r"^\| `([A-Z-]+)` \|", section("7.2"), re.M)) == ours
