"""A disk that is full, in earnest: said to the sender, survived, and made up for afterwards."""

import subprocess
from collections import Counter

import pytest

from tests.serve.node.nodes import QUICK, Node, wait_for
from tests.serve.node.patients import save_study, templates
from tests.serve.peers import StoreScp, needs, send

pytestmark = pytest.mark.slow

#: MB of the disk that fills up, and of the same one when somebody has made room.
SMALL, LARGE = 4, 100
STUDIES, IMAGES = 3, 4


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, with a function that makes it large."""
    folder = tmp_path / "node" / "store"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o"]
    done = subprocess.run(
        [*mount, f"size={SMALL}m", "none", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield lambda: subprocess.run(["mount", "-o", f"remount,size={LARGE}m", folder], check=True)
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_answered_with_no_resources_and_nothing_is_lost(tmp_path, disk):
    needs("storescu", "storescp")
    made = templates(factor=1)
    studies = [save_study(tmp_path / "in", k, IMAGES, made=made) for k in range(STUDIES)]
    files = [path for study in studies for path in study.images]
    assert sum(path.stat().st_size for path in files) > SMALL << 20
    with (
        StoreScp(tmp_path / "received") as receiver,
        Node(tmp_path / "node", receiver, *QUICK, "--reserve-mb", "0") as node,
    ):
        first = send(files, node, options=("-R", "-nh"))
        assert set(Counter(first.statuses.values())) == {"Success", "Refused: OutOfResources"}
        assert node.events("refused")[-1]["status"] == "A700"
        wait_for(lambda: node.events("study-waits"), within_s=90, what="measuring waits for room")
        assert node.runs
        assert node.counts().failed == 0
        node.kill()
        node.start()  # on the disk that is still full
        disk()
        rest = [path for path in files if path not in first.accepted]
        assert send(rest, node).accepted == rest
        wait_for(
            lambda: (node.counts().answered, node.counts().queued) == (STUDIES, 0),
            within_s=180,
            what="everything is answered",
        )
        assert node.stop() == 0
    assert len(receiver.received()) == STUDIES * (IMAGES + 1)


def test_the_reserve_is_left_alone(tmp_path):
    needs("storescu", "storescp")
    (image,) = save_study(tmp_path / "in", 1, 1, made=templates()).images
    receiver = StoreScp(tmp_path / "received")
    with Node(tmp_path / "node", receiver, *QUICK, "--reserve-mb", str(10**9)) as node:
        assert send([image], node).statuses == {image: "Refused: OutOfResources"}
        assert node.runs
        assert node.counts().objects == 0
