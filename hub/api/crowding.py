"""
How many may look things up at once: pages, and what the API remembers.

Each look reads up to a thousand rows and may be asked for by a stranger, who goes away before it is
answered; what was begun for him is finished all the same. So there are so many places, of which
strangers may take three quarters.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hub.api.asgi import Scope
from hub.problem import Problem

PLACES = 32
STRANGERS = 24

_NO_LOOK = ("/livez", "/readyz", "/metrics", "/version", "/login", "/logout", "/static/", "/v1/")
_LOOKS = ("/v1/deliveries", "/v1/refusals", "/v1/targets", "/v1/traces")


class Crowd:
    """Counts who looks."""

    def __init__(self) -> None:
        self._looking = 0

    def full(self, scope: Scope) -> Problem | None:
        """Why there is no place for somebody who has been let in, if this is a look."""
        places = PLACES if scope["state"]["access"].scopes else STRANGERS
        if self._looking < places or not is_look(scope["path"]):
            return None
        detail = f"{self._looking} others are looking things up at this hub now"
        return Problem(503, "too-many-readers", detail, "ask again in a second")

    @contextmanager
    def joined(self, scope: Scope) -> Iterator[None]:
        """Take a place until the answer is done, if this is a look."""
        taken = int(is_look(scope["path"]))
        self._looking += taken
        try:
            yield
        finally:
            self._looking -= taken


def is_look(path: str) -> bool:
    """Whether an answer is made of what the log remembers."""
    return path.startswith(_LOOKS) or not path.startswith(_NO_LOOK)
