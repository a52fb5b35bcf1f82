"""Bodies of requests to the API: a limit for each, and one for all that are held."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

from hub.api.asgi import Message, Receive
from hub.problem import Problem

BODY_BYTES = 1024 * 1024  # 5,000 repositories of 200 bytes
TOGETHER_BYTES = 16 * BODY_BYTES


_TOO_LARGE = Problem(
    413, "body-too-large", f"the API takes {BODY_BYTES} bytes", "subscribe to less in one request"
)
_TOO_MUCH = Problem(
    503, "busy", "too much arrives at once, the body was not read", "send it again later"
)


class BodyRefused(HTTPException):
    """FastAPI takes any other error of reading a body for malformed JSON."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail)
        self.problem = problem


class ApiBodies:
    """Counts what arrives, until it is answered."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def taking(self, receive: Receive) -> Iterator[Receive]:
        """
        The same body, as long as it is no larger than any honest one, and there is room.

        Reading it raises BodyRefused otherwise.
        """
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            arrived = len(message.get("body", b""))
            size += arrived
            self._held += arrived
            if size > BODY_BYTES:
                raise BodyRefused(_TOO_LARGE)
            if self._held > TOGETHER_BYTES:
                raise BodyRefused(_TOO_MUCH)
            return message

        try:
            yield limited
        finally:
            self._held -= size
