"""Who is at a webhook's door, and whether the source lets him in."""

from collections.abc import Mapping, Sequence

from hub.api.asgi import Scope
from hub.problem import Problem
from hub.senders import NEAR, AllowedSenders, address_of, is_in, sender_of
from hub.settings import Network

_FORWARDED = b"x-forwarded-for"


class Admission:
    """Knows the senders of requests, and which sources take deliveries of only some."""

    def __init__(self, trusted: Sequence[Network], allowed: Mapping[str, AllowedSenders]) -> None:
        """
        Args:
            trusted: the networks of proxies that say whom they speak for.
            allowed: by the source's name; one that is not named takes deliveries of everybody.
        """
        self._trusted = tuple(trusted)
        self._allowed = allowed

    def sender(self, scope: Scope) -> str:
        """The address a request comes from; "" on a Unix socket."""
        peer = _peer(scope)
        return sender_of(peer, _forwarded(scope), self._trusted) if self._trusted else peer

    def admit(self, source: str, scope: Scope) -> str:
        """
        The sender of a delivery to a source.

        Raises:
            Problem: he may not deliver there.
        """
        sender = self.sender(scope)
        allowed = self._allowed.get(source)
        if allowed is not None and not allowed.admits(sender):
            raise Problem(
                403,
                "sender-not-allowed",
                f"the sender is none of those that may deliver to source {source}",
                f"{self._behind_proxy(scope)}if {sender or 'it'} is the forge, add it to "
                f"hub.sources.{source}.allowed_senders",
            )
        return sender

    def _behind_proxy(self, scope: Scope) -> str:
        """What to do first when it seems that a proxy has sent it, and none is trusted."""
        peer = _peer(scope)
        if self._trusted or not (_forwarded(scope) or is_in(address_of(peer), NEAR)):
            return ""
        return (
            f"if {peer} is a proxy, add its network to hub.trusted_proxies, so that the sender is "
            "taken from its X-Forwarded-For; "
        )


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _forwarded(scope: Scope) -> str:
    # Each proxy adds to the last line, or a line of its own.
    lines = [value for name, value in scope["headers"] if name == _FORWARDED]
    return b",".join(lines).decode("latin-1")
