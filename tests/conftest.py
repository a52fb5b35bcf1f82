"""What every test shares: one event loop kind and an environment without the user's settings."""

import os

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The product is asyncio only."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No DIRECTCD_ or GIT_ variable of the person who runs the tests reaches a test."""
    for name in list(os.environ):
        if name.startswith(("DIRECTCD_", "GIT_")):
            monkeypatch.delenv(name)
