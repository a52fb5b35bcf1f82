"""A hub's API as those who follow and report ask it: its address, and the token it wants."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from cd4sources.http import REQUEST_TIMEOUT_SECONDS, BadStatus, Http, Params, Reply, shown
from cd4sources.sse import ServerSentEvent
from cd4sources.token_files import read_token

SETTING = "hub_token_file"
_NOT_ALLOWED = frozenset({401, 403})


class Hearing:
    """
    Whether a hub is heard.

    Attributes:
        reason: what the last attempt to hear it ended with; empty when it was heard since.
    """

    def __init__(self) -> None:
        """Begin deaf."""
        self._deaf_since: float | None = time.monotonic()
        self.reason = ""

    def began(self) -> None:
        """It is heard from now on."""
        self._deaf_since = None
        self.reason = ""

    def ended(self) -> None:
        """It is not heard any more."""
        if self._deaf_since is None:
            self._deaf_since = time.monotonic()

    @property
    def is_heard(self) -> bool:
        """Whether it is now."""
        return self._deaf_since is None

    @property
    def deaf_seconds(self) -> float:
        """For how long it has not been heard; 0 while it is."""
        return 0.0 if self._deaf_since is None else time.monotonic() - self._deaf_since


class HubApi:
    """
    The hub at a URL.

    Args:
        http: The connections to use.
        url: Where it is.
        token: Gives the bearer token for it, "" for none; asked each time.

    Attributes:
        hearing: Whether its events are heard.
    """

    def __init__(self, http: Http, url: str, token: Callable[[], str] = str) -> None:
        """Ask nothing yet."""
        self._http = http
        self._url = url.rstrip("/")
        self._token = token
        self.hearing = Hearing()

    @property
    def shown(self) -> str:
        """Its URL, as it may be logged."""
        return shown(self._url)

    async def post(
        self, path: str, body: object, *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS
    ) -> Reply:
        """Post a JSON value; errors as for `Http.get_json`, or TokenUnusable."""
        return await self._http.post_json(
            f"{self._url}{path}", body, timeout_seconds=timeout_seconds, token=self._token()
        )

    async def put(self, path: str, body: object) -> Reply:
        """Put a JSON value; errors as for `post`."""
        return await self._http.put_json(f"{self._url}{path}", body, token=self._token())

    def events(
        self, params: Params, *, last_event_id: str, silence_seconds: float
    ) -> AbstractAsyncContextManager[AsyncIterator[ServerSentEvent]]:
        """Open its stream of events; see `Http.events`."""
        return self._http.events(
            f"{self._url}/v1/events",
            params,
            last_event_id=last_event_id,
            silence_seconds=silence_seconds,
            token=self._token(),
        )


def token_reader(token: str, file: Path | None) -> Callable[[], str]:
    """
    How the token for a hub is come by.

    Args:
        token: One that was made for this process alone; "" for none.
        file: Else where it is.
    """
    return (lambda: token) if token else partial(read_token, file, SETTING)


def why(error: Exception) -> str:
    """What an error says, and where to mend it when the hub did not let us in."""
    is_refused = isinstance(error, BadStatus) and error.status in _NOT_ALLOWED
    return f"{error}; here it is read from {SETTING}" if is_refused else str(error)
