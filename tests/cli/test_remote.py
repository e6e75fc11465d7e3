"""`fetometry measure dicomweb+https://…`: what is refused before anybody is asked."""

import pytest

from tests.serve.dicomweb.servers import STUDY, serving


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan.png", "--stow"], "--stow: stores on the server of a study"),
        (["dicomweb+https://pacs.example/studies/1.2", "--stow"], "nothing to store"),
        (["dicomweb+https://pacs.example/studies/1.2", "scan.png"], "measured by itself"),
        (["dicomweb+https://pacs.example/studies/1.2", "--write", "x"], "no output"),
        (["https://pacs.example/studies/1.2"], "dicomweb+https://HOST"),
        (["dicomweb+http://pacs.example/studies/1.2"], "plain HTTP"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anybody_is_asked(run, arguments, words):
    code, printed = run("measure", *arguments)
    assert code == 2
    assert words in printed


def test_a_server_that_cannot_be_reached_is_a_line_and_no_folder(run, tmp_path):
    with serving({}) as (service, _):
        pass  # its port is free again
    url = f"dicomweb+{service}/studies/{STUDY}"
    code, printed = run("measure", url, "--out", tmp_path / "out")
    assert code == 1
    assert "refuses the connection: nothing listens there" in printed
    assert not (tmp_path / "out").exists()
