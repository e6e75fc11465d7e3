"""What README.md says is so: commands run, tables are the code's, links lead somewhere."""

import csv
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fetometry
from fetometry.cli import app
from fetometry.report import FLAG_TEXT, KINDS
from fetometry.report.table import MEASUREMENT_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("recipes/*.md")])
BASH = shutil.which("bash")

needs_bash = pytest.mark.skipif(BASH is None, reason=".ci/run is a bash script")


def block(name: str, readme: Path = ROOT / "README.md") -> subprocess.CompletedProcess[str]:
    """Show a marked block as .ci/run would run it."""
    script = str(ROOT / ".ci" / "run")
    return subprocess.run(
        [str(BASH), script, "block", name, str(readme)], capture_output=True, text=True, check=False
    )


def command_line(*arguments: str):
    """Run `fetometry`, on a wide terminal without colours."""
    plain = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner().invoke(app, arguments, env=plain, prog_name="fetometry")


def table_after(heading: str) -> list[list[str]]:
    """The cells of the README table whose header row starts with a heading."""
    lines = README.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def code_words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@needs_bash
def test_the_first_block_installs_and_runs_the_demo():
    assert block("main").stdout.splitlines() == ["pip install .", "fetometry demo"]


@needs_bash
def test_the_test_block_installs_the_extras_and_runs_pytest():
    lines = block("tests").stdout.splitlines()
    assert lines == ['pip install ".[dev,train,serve,cluster,volume,frames]"', "python -m pytest"]


@needs_bash
@pytest.mark.parametrize(
    "text",
    [
        "```sh\npip install .\n```\n",
        "<!-- ci: main -->\n\n```sh\npip install .\n```\n",
        "<!-- ci: main -->\n```sh\npip install .\n",
        "<!-- ci: main -->\n```sh\n\n```\n",
        "<!-- ci: other -->\n```sh\npip install .\n```\n",
    ],
    ids=["no mark", "a gap", "not closed", "empty", "another mark"],
)
def test_a_block_that_is_not_whole_is_refused(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    done = block("main", readme)
    assert done.returncode == 1
    assert "no complete block" in done.stderr


@needs_bash
def test_only_the_marked_block_is_taken(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(
        "```sh\nno\n```\n<!-- ci: main -->\n```sh\none\ntwo\n```\n```sh\nno\n```\n",
        encoding="utf-8",
    )
    assert block("main", readme).stdout == "one\ntwo\n"


def test_the_columns_are_those_of_the_file():
    named = [word for row in table_after("column") for word in code_words(row[0])]
    assert named == list(MEASUREMENT_COLUMNS)


def code_that_raises_flags() -> str:
    package = Path(fetometry.__file__).parent
    files = [*package.glob("measure/*.py"), *package.glob("pipeline/*.py")]
    files += [package / "predict" / name for name in ("predictor.py", "volumes.py")]
    return "".join(path.read_text(encoding="utf-8") for path in files)


def test_the_flags_are_those_that_are_raised():
    source = code_that_raises_flags()
    raised = {flag for flag in FLAG_TEXT if f'"{flag}"' in source}
    assert {code_words(row[0])[0] for row in table_after("flag")} == raised


def test_every_flag_in_words_can_be_raised():
    source = code_that_raises_flags()
    assert [flag for flag in FLAG_TEXT if f'"{flag}"' not in source] == []


def test_the_commands_are_those_of_the_program():
    listed = re.findall(r"^[ │|]+([a-z][a-z-]+) {2,}", command_line("--help").stdout, re.M)
    shown = {code_words(row[0])[0].split()[1] for row in table_after("command")}
    assert shown == set(listed)


@pytest.mark.parametrize("row", table_after("command"), ids=lambda row: row[0])
def test_the_options_of_a_command_are_in_its_help(row):
    words = shlex.split(code_words(row[0])[0])[1:]
    names = [word for word in words if word.islower() and not word.startswith("-")]
    options = re.findall(r"--[a-z][a-z-]*", " ".join(row))
    done = command_line(*names, "--help")
    assert done.exit_code == 0
    assert [option for option in options if option not in done.stdout] == []


@pytest.fixture
def in_a_folder_with_the_phantom(tmp_path, monkeypatch):
    """A folder that holds what the README's phantom command makes."""
    monkeypatch.chdir(tmp_path)
    (line,) = block("phantom").stdout.splitlines()
    made = command_line(*shlex.split(line)[1:])
    assert made.exit_code == 0, made.output
    return tmp_path


@pytest.mark.slow
@needs_bash
@pytest.mark.usefixtures("in_a_folder_with_the_phantom")
def test_the_python_example_measures_the_phantom(capsys):
    exec(compile(block("python").stdout, "README.md", "exec"), {})
    printed = dict(re.findall(r"^(HC|BPD|OFD) ([\d.]+) mm", capsys.readouterr().out, re.M))
    assert printed.keys() == {"HC", "BPD", "OFD"}
    assert float(printed["HC"]) == pytest.approx(250.0, rel=0.03)


@pytest.mark.slow
@needs_bash
def test_measuring_the_phantom_writes_the_files_that_are_listed(in_a_folder_with_the_phantom):
    done = command_line("measure", "head.dcm", "--write", ",".join(KINDS))
    assert done.exit_code == 0, done.output
    out = in_a_folder_with_the_phantom / "fetometry-out"
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    files = {"measurements.csv", "summary.csv", "exam.json", "exam.png", "hc18.csv"}
    files |= {"report.html", "report.pdf", "report.sr.dcm", "report.sr1500.dcm"}
    charts = {
        f"charts/{name}_intergrowth21_{name.lower()}.{kind}"
        for name in ("HC", "BPD", "OFD")
        for kind in ("png", "svg")
    }
    pictures = {"overlays/head_f1.png", "dicom/head_f1.sc.dcm", "dicom/head_f1.seg.dcm"}
    assert written == {*files, *charts, *pictures}
    listed = {word for row in table_after("file") for word in code_words(row[0])}
    assert files <= listed
    with (out / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["HC", "BPD", "OFD"]
    assert {row["spacing_source"] for row in rows} == {"dicom-region-1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_to_files_that_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [t.partition("#")[0] for t in targets if "://" not in t and not t.startswith("#")]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {fetometry.__version__}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{fetometry.__version__}]" in changes
