"""A place to pull in, with two Go modules and a cache that is warm."""

from pathlib import Path

import pytest

from tests.support.pulled import Modules, go_environment, warmed
from tests.support.pulling import Place


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warmed(tmp_path_factory.getbasetemp())


@pytest.fixture
def place(tmp_path: Path, go_cache: Path) -> Place:
    path = tmp_path / "here"
    path.mkdir()
    return Place(path, Modules(tmp_path / "git"), go_environment(go_cache))
