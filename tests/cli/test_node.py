import importlib.util
import json

import pytest
from typer.testing import CliRunner

from fetometry.cli import app

pytest.importorskip("pynetdicom", reason="needs the extra serve")

from fetometry.serve.node import running
from fetometry.serve.node.settings import NodeSettings, Peer
from fetometry.serve.node.store import Store


def run(*arguments: str):
    plain = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner().invoke(app, ["node", *arguments], env=plain, prog_name="fetometry")


@pytest.fixture
def started(monkeypatch):
    """What the node would have been started with."""
    seen = []
    monkeypatch.setattr(running, "run", lambda settings, log: seen.append((settings, log)))
    return seen


def test_what_is_not_said_is_as_the_settings_have_it(tmp_path, started):
    done = run("--store", str(tmp_path), "--forward", "pacs.local:104:PACS")
    assert done.exit_code == 0, done.output
    ((settings, log),) = started
    assert settings.forward == Peer("pacs.local", 104, "PACS")
    assert (settings.port, settings.aet, settings.kinds) == (11112, "FETOMETRY", ("sr", "sc"))
    assert settings.callers == {"PACS"}
    assert log is None


def test_every_option_reaches_the_settings(tmp_path, started):
    profile = tmp_path / "fetometry.toml"
    profile.write_text("")
    words = "--port 1104 --host 127.0.0.1 --aet NODE --allow A --allow B --quiet 2 --kinds sr,seg"
    words += " --earlier --keep-days 3 --max-object-mb 7 --max-associations 2 --reserve-mb 9"
    words += " --measure-limit 30 --retry 1,20 --forward-tls --model other"
    files = ("--store", str(tmp_path), "--profile", str(profile), "--log", str(tmp_path / "log"))
    done = run(*words.split(), *files, "--forward", "[::1]:104:PACS")
    assert done.exit_code == 0, done.output
    ((settings, log),) = started
    assert (settings.port, settings.host, settings.aet) == (1104, "127.0.0.1", "NODE")
    assert settings.callers == {"A", "B"}
    assert (settings.quiet_s, settings.kinds, settings.earlier) == (2, ("sr", "seg"), True)
    assert (settings.keep_days, settings.max_object_mb, settings.max_associations) == (3, 7, 2)
    assert (settings.reserve_mb, settings.measure_s, settings.retry_s) == (9, 30, (1, 20))
    assert (settings.forward_tls, settings.model) == (True, "other")
    assert settings.profile == profile
    assert log == tmp_path / "log"


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--port", "port"),
        ("--aet", "aet"),
        ("--quiet", "quiet_s"),
        ("--keep-days", "keep_days"),
        ("--max-object-mb", "max_object_mb"),
        ("--max-associations", "max_associations"),
        ("--reserve-mb", "reserve_mb"),
        ("--measure-limit", "measure_s"),
        ("--kinds", "kinds"),
        ("--retry", "retry_s"),
    ],
)
def test_the_help_names_the_value_that_the_settings_have(option, name):
    default = NodeSettings.__dataclass_fields__[name].default
    several = default if isinstance(default, tuple) else (default,)
    shown = ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in several)
    (line,) = [line for line in run("--help").stdout.splitlines() if f" {option} " in line]
    assert line.rstrip(" │").endswith(f"else {shown}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--store DIR is needed"),
        ("--store {0}", "nobody may send"),
        ("--store {0} --forward pacs", "HOST:PORT:AET"),
        ("--store {0} --allow any --retry soon", "two numbers"),
        ("--store {0} --allow any --port 0", "no port"),
        ("--store {0} --allow any --tls-cert {0}/a.pem", "go together"),
        ("--store {0} --allow any --kinds pdf", "pdf"),
        ("status", "--store DIR is needed"),
        ("status --store {0}", "no node has used"),
        ("requeue", "--store DIR is needed"),
        ("requeue --store {0}", "no node has used"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(tmp_path, words, said):
    done = run(*words.format(tmp_path).split())
    assert done.exit_code == 2
    assert said in done.output


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = run("--store", str(tmp_path), "--allow", "any")
    assert done.exit_code == 2
    assert "pip install 'fetometry[serve]'" in done.output


def test_the_status_of_a_store_is_told_in_words_and_as_json(tmp_path):
    with Store.open(tmp_path):
        done = run("status", "--store", str(tmp_path))  # while a node runs on it
        document = json.loads(run("status", "--store", str(tmp_path), "--json").stdout)
    assert done.exit_code == 0
    assert "0 waiting, 0 answered, 0 with nothing measured, 0 failed" in done.stdout
    assert document["objects"] == 0


def test_what_was_given_up_is_taken_up_again_while_a_node_runs(tmp_path):
    from tests.serve.node.storing import answer, put, received

    with Store.open(tmp_path) as store:
        for study in ("1.7", "1.8"):
            put(store, received(1, study=study))
        first, second = store.quiet_studies(0.0)
        answer(store, first, "9.1")
        store.refused(store.due_sends()[0], "status-A900")
        for _ in range(3):
            store.fail(second, "crashed")
        done = run("requeue", "--store", str(tmp_path))
        now = store.status()
    assert done.exit_code == 0
    assert "sent again: 1 result; measured again: 1 study" in done.stdout
    assert (now.queued, now.refused, now.waiting, now.failed) == (1, 0, 1, 0)


def test_the_status_says_by_its_exit_code_that_a_study_failed(tmp_path):
    from tests.serve.node.objects import image
    from tests.serve.node.studies import put

    with Store.open(tmp_path) as store:
        put(store, image(1))
        for _ in range(3):
            store.fail(store.quiet_studies(0.0)[0], "crashed")
    done = run("status", "--store", str(tmp_path))
    assert done.exit_code == 1
    assert "1 failed" in done.stdout
    assert "last: study: crashed" in done.stdout
