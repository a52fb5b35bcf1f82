"""One request to one receiver, and what its answer means."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from hub.callbacks.hosts import Hosts
from hub.callbacks.letters import Letter
from hub.callbacks.signing import signed_headers
from hub.counting import Counts
from hub.endpoints import Endpoint
from hub.http import Answer, NoAnswer, Poster
from hub.rules import Callback

_SECONDS = re.compile("[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one attempt.

    Attributes:
        taken: the receiver has it.
        gone: the receiver says that it wants no more (410).
        reason: why it was not taken; holds no URL.
        retry_after_seconds: the patience that the receiver asks for.
    """

    taken: bool
    gone: bool = False
    reason: str = ""
    retry_after_seconds: float = 0.0


class Sender:
    """Sends letters, as many at a time as there are turns."""

    def __init__(self, poster: Poster, clock: Callable[[], datetime], counts: Counts) -> None:
        self._poster = poster
        self._clock = clock
        self._counts = counts
        self._hosts = Hosts()

    async def send(self, callback: Callback, letter: Letter, *, at_once: bool = False) -> Outcome:
        """Post a letter once, when it is its turn; at once also to a host that is failing."""
        outcome = await self._send(callback, letter, at_once=at_once)
        self._counts.attempts["taken" if outcome.taken else "failed"] += 1
        return outcome

    async def _send(self, callback: Callback, letter: Letter, *, at_once: bool) -> Outcome:
        try:
            endpoint = Endpoint.parse(callback.url)
        except ValueError as error:
            return Outcome(taken=False, reason=f"the callback's url cannot be used: {error}")
        async with self._hosts.turn(endpoint.authority, at_once=at_once) as host:
            now = self._clock()
            headers = signed_headers(callback.secret, letter.webhook_id, letter.body, now)
            try:
                answer = await self._poster.post(endpoint, headers, letter.body)
            except NoAnswer as error:
                host.failed()
                return Outcome(taken=False, reason=str(error))
            if _is_hosts_fault(answer.status):
                host.failed()
            else:
                host.worked()
            return _outcome(answer, now)

    def waits_for(self, callback: Callback) -> str:
        """Why nothing is sent to a callback's host just now, "" when it is."""
        try:
            endpoint = Endpoint.parse(callback.url)
        except ValueError:
            return ""
        failures = self._hosts.failures(endpoint.authority)
        if not failures:
            return ""
        where = endpoint.authority
        return f"{where} has failed {failures} times in a row; one request at a time tries it"


def _is_hosts_fault(status: int) -> bool:
    # Any other "no" is about one URL: the host is well, and its other receivers must not wait.
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }


def _outcome(answer: Answer, now: datetime) -> Outcome:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(taken=True)
    reason = f"the receiver answered {status}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        reason += ": redirects are not followed; subscribe with the URL it points to"
    return Outcome(
        taken=False,
        gone=status == HTTPStatus.GONE,
        reason=reason,
        retry_after_seconds=_seconds(answer.retry_after, now),
    )


def _seconds(retry_after: str, now: datetime) -> float:
    # Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    if _SECONDS.fullmatch(retry_after):
        return float(retry_after)
    try:
        then = parsedate_to_datetime(retry_after)
        return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, OverflowError):  # the latter of years and zones that no calendar has
        return 0.0
