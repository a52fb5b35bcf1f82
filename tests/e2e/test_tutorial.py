"""The tutorial, followed word for word: every command is run, every output compared."""

from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.pages.following import ROOT, Reader, installing

PORTS = ("8080", "8081", "9000", "9418")
CLONED = "https://git.example.com/directcd.git"
QUICKLY = {"DIRECTCD_CLIENT__SETTLE_SECONDS": "0.5"}


@pytest.mark.timeout(180)
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """From nothing to a service that is replaced, survives bad versions, and says why."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    with Reader(tmp_path, ports | {CLONED: str(ROOT)}, installing() | QUICKLY) as reader:
        reader.follow(ROOT / "docs/tutorial.md")
        assert not (reader.home / "learning").exists()
