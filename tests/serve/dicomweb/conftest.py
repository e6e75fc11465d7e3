"""No test sees the credentials of whoever runs it."""

import pytest


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("TOKEN", "AUTH", "INSECURE"):
        monkeypatch.delenv(f"FETOMETRY_DICOMWEB_{name}", raising=False)
