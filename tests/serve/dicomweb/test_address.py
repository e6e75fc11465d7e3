"""The URL and the environment: which study, and who asks."""

import pytest

from fetometry.errors import UsageError
from fetometry.serve import dicomweb
from tests.serve.dicomweb.servers import SECRET


def test_a_url_names_the_service_and_the_study():
    study = dicomweb.parse_study("DicomWeb+https://pacs.example:8443/a/rs/studies/1.2.3/", {})
    assert study == dicomweb.Study("https://pacs.example:8443/a/rs", "1.2.3")


@pytest.mark.parametrize(
    "url",
    [
        "dicomweb+https://pacs.example/rs/studies/",
        "dicomweb+https://pacs.example/rs/studies/1.2/series/1.3",
        "dicomweb+https://pacs.example/rs/studies/1.2..3",
        "dicomweb+https://pacs.example/rs/studies/" + "1.2" * 30,
        "dicomweb+https:///rs/studies/1.2.3",
        "dicomweb+https://pacs.example:port/studies/1.2.3",
        "dicomweb+https://pacs.example/studies/1.2.3?token=x",
        "https://pacs.example/rs/studies/1.2.3",
        "dicomweb+ftp://pacs.example/rs/studies/1.2.3",
    ],
)
def test_what_is_no_study_of_a_server_is_refused_with_the_right_form(url):
    with pytest.raises(UsageError, match=r"dicomweb\+https://HOST"):
        dicomweb.parse_study(url, {})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8042", "[::1]:8042"])
def test_plain_http_is_for_this_machine(host):
    study = dicomweb.parse_study(f"dicomweb+http://{host}/studies/1.2", {})
    assert study.service == f"http://{host}"


@pytest.mark.parametrize("host", ["pacs.example", "10.0.0.1", "localhost.example", "127.0.0.1.nip"])
def test_plain_http_to_another_machine_needs_leave(host):
    url = f"dicomweb+http://{host}/studies/1.2"
    with pytest.raises(UsageError, match="plain HTTP shows patient data"):
        dicomweb.parse_study(url, {})
    leave = {dicomweb.INSECURE_VARIABLE: "1"}
    assert dicomweb.parse_study(url, leave).service == f"http://{host}"


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as caught:
        dicomweb.parse_study(f"dicomweb+https://me:{SECRET}@pacs.example/studies/1.2", {})
    assert dicomweb.AUTH_VARIABLE in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_environment_says_who_asks():
    assert dicomweb.authorization({}) is None
    assert dicomweb.authorization({dicomweb.TOKEN_VARIABLE: "abc"}) == "Bearer abc"
    # RFC 7617, section 2
    pair = {dicomweb.AUTH_VARIABLE: "Aladdin:open sesame"}
    assert dicomweb.authorization(pair) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    "environment",
    [
        {dicomweb.TOKEN_VARIABLE: f"{SECRET}\r\nX-Other: 1"},
        {dicomweb.AUTH_VARIABLE: SECRET},
        {dicomweb.TOKEN_VARIABLE: SECRET, dicomweb.AUTH_VARIABLE: "a:b"},
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_and_not_repeated(environment):
    with pytest.raises(UsageError) as caught:
        dicomweb.authorization(environment)
    assert SECRET not in str(caught.value)
