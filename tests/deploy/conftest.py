"""The container engine that tests of images and stacks share, with their images."""

import os
from collections.abc import Iterator

import pytest

from tests.support.engines import images
from tests.support.engines.docker import Engine, EngineMissing, running_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """With both images of this checkout; without one, tests are skipped, and fail in CI."""
    try:
        with running_engine() as found:
            images.provide_python(found)
            images.build_ours(found)
            yield found
    except EngineMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def stock(engine: Engine) -> Engine:
    """The engine with the other images of the Compose files, too."""
    images.provide_others(engine)
    return engine
