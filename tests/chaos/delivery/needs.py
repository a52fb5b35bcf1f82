"""What a machine must let a test do."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip at home; fail where the gate runs, or nobody would ever notice."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
