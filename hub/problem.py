"""The error answer of the hub: RFC 9457 (https://www.rfc-editor.org/rfc/rfc9457), plus `next`."""

import json
from collections.abc import Mapping
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """
    Something asked of the hub that it does not do.

    Attributes:
        status: the HTTP status.
        code: for machines; never changes its meaning.
        detail: for people; holds no secret.
        next_step: what to do about it.
        log_keys: what the hub's own log says besides, and the sender is not told.
        advice: what to do about it with what the sender is not told; "" when that is `next_step`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        next_step: str,
        *,
        log_keys: Mapping[str, str] | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.next_step = next_step
        self.log_keys = log_keys or {}
        self.advice = advice

    def as_bytes(self) -> bytes:
        """The document that is sent."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "next": self.next_step,
        }
        return json.dumps(document).encode()


def mistake() -> Problem:
    """What is answered when the hub itself, or an adapter of another package, is wrong."""
    step = "report it with the hub's log, which has the traceback"
    return Problem(500, "internal-error", "the hub made a mistake", step)
