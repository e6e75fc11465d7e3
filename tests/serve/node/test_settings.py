"""What the node may be told."""

from pathlib import Path
from typing import Any

import pytest

from fetometry.errors import UsageError
from fetometry.serve.node.settings import NodeSettings, Peer, Tls, parse_peer

STORE = Path("store")
PACS = Peer("pacs.local", 104, "PACS")


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("pacs.local:104:PACS", PACS),
        ("10.0.0.7:11112:MAIN ARCHIVE", Peer("10.0.0.7", 11112, "MAIN ARCHIVE")),
        ("[fe80::1]:104:PACS", Peer("fe80::1", 104, "PACS")),
        ("localhost:4242:A:B", Peer("localhost", 4242, "A:B")),
    ],
)
def test_a_peer_is_written_host_port_aet(text: str, peer: Peer) -> None:
    assert parse_peer(text) == peer


@pytest.mark.parametrize(
    "text", ["", "pacs", "pacs:104", "pacs:port:PACS", ":104:PACS", "pacs:104:", "fe80::1:104:PACS"]
)
def test_a_peer_written_otherwise_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT:AET"):
        parse_peer(text)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match="1 to 65535"):
        Peer("pacs", port, "PACS")
    with pytest.raises(UsageError, match="1 to 65535"):
        NodeSettings(STORE, port=port, forward=PACS)


@pytest.mark.parametrize("aet", ["", "   ", "A" * 17, "back\\slash", "Zürich", "tab\t"])
def test_an_ae_title_that_is_none_is_refused(aet: str) -> None:
    for given in ({"aet": aet}, {"allow": frozenset({aet})}):
        with pytest.raises(UsageError, match="AE title"):
            NodeSettings(STORE, forward=PACS, **given)  # type: ignore[arg-type]


def test_the_peer_that_results_go_to_may_call_where_nobody_is_named() -> None:
    assert NodeSettings(STORE, forward=PACS).callers == {"PACS"}


def test_who_is_named_may_call_and_the_peer_only_if_it_is_named_too() -> None:
    assert NodeSettings(STORE, forward=PACS, allow=frozenset({"US1", "US2 "})).callers == {
        "US1",
        "US2",
    }


def test_anybody_may_call_only_where_that_is_said() -> None:
    assert NodeSettings(STORE, allow=frozenset({"any"})).callers is None


def test_a_node_that_nobody_may_send_to_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody may send"):
        NodeSettings(STORE)


@pytest.mark.parametrize("given", [{"earlier": True}, {"forward_tls": True}])
def test_what_needs_a_peer_is_refused_without_one(given: dict[str, bool]) -> None:
    with pytest.raises(UsageError, match="--forward"):
        NodeSettings(STORE, allow=frozenset({"US1"}), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"quiet_s": -1.0}, "--quiet"),
        ({"quiet_s": float("nan")}, "--quiet"),
        ({"keep_days": float("inf")}, "--keep-days"),
        ({"max_object_mb": 0}, "--max-object-mb"),
        ({"max_associations": 0}, "--max-associations"),
        ({"reserve_mb": -1}, "--reserve-mb"),
        ({"retry_s": (0.0, 5.0)}, "--retry"),
        ({"retry_s": (9.0, 5.0)}, "--retry"),
        ({"measure_s": 0.0}, "--measure-limit"),
        ({"kinds": ("sr", "pdf")}, "--kinds: pdf"),
        ({"kinds": ()}, "--kinds"),
        ({"profile": Path("no-such.toml")}, "--profile"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_option(given: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        NodeSettings(STORE, forward=PACS, **given)


def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--store"):
        NodeSettings(tmp_path / "file", forward=PACS)


def test_a_certificate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    with pytest.raises(UsageError, match="--tls-key"):
        Tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(UsageError, match="--tls-ca"):
        Tls(tmp_path / "cert.pem", tmp_path / "cert.pem", tmp_path / "ca.pem")
