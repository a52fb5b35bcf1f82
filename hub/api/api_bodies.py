"""Bodies of requests to the API: a limit for each, and one for all that are held."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import HTTPException

from hub.api.asgi import Message, Receive

BODY_BYTES = 1024 * 1024  # 5,000 repositories of 200 bytes
TOGETHER_BYTES = 16 * BODY_BYTES


class ApiBodies:
    """Counts what arrives, until it is answered."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def taking(self, receive: Receive) -> Iterator[Receive]:
        """The same body, as long as it is no larger than any honest one, and there is room."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            arrived = len(message.get("body", b""))
            size += arrived
            self._held += arrived
            if size > BODY_BYTES:
                raise HTTPException(413, f"the API takes {BODY_BYTES} bytes")
            if self._held > TOGETHER_BYTES:
                raise HTTPException(
                    HTTPStatus.SERVICE_UNAVAILABLE, "too much arrives at once: send it again later"
                )
            return message

        try:
            yield limited
        finally:
            self._held -= size
