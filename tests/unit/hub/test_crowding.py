"""How many may look things up at once."""

from contextlib import ExitStack
from typing import Any

import pytest

from hub.api.crowding import PLACES, STRANGERS, Crowd
from hub.tokens import EVERYTHING, NOTHING, Access


def asked(path: str, access: Access = NOTHING) -> dict[str, Any]:
    """A request that was let in."""
    return {"path": path, "state": {"access": access}}


def test_strangers_leave_places_for_those_with_a_token() -> None:
    """Who looks gives its place back with its answer."""
    crowd = Crowd()
    with ExitStack() as stack:
        for _ in range(STRANGERS):
            assert crowd.full(asked("/")) is None
            stack.enter_context(crowd.joined(asked("/")))
        full = crowd.full(asked("/targets/shop"))
        assert full
        assert (full.status, full.code) == (503, "too-many-readers")
        for _ in range(PLACES - STRANGERS):
            assert crowd.full(asked("/v1/targets", EVERYTHING)) is None
            stack.enter_context(crowd.joined(asked("/v1/targets", EVERYTHING)))
        assert crowd.full(asked("/v1/targets", EVERYTHING))
    assert crowd.full(asked("/")) is None


@pytest.mark.parametrize(
    "path", ["/readyz", "/metrics", "/static/style.css", "/login", "/v1/reports", "/v1/heads"]
)
def test_what_is_no_look_is_never_refused(path: str) -> None:
    """Nor does it take a place."""
    crowd = Crowd()
    with ExitStack() as stack:
        for _ in range(PLACES):
            stack.enter_context(crowd.joined(asked(path)))
            stack.enter_context(crowd.joined(asked("/", EVERYTHING)))
        assert crowd.full(asked(path)) is None
        assert crowd.full(asked("/", EVERYTHING))
