"""
Who a delivery comes from, also behind proxies, and whether he may deliver; pure.

A second lock: the first is the signature, which proves who sends whatever the address.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from hub.settings import Network

logger = logging.getLogger(__name__)

MOST_HOPS = 32  # of X-Forwarded-For that are looked at, from the right
_NEAR = (
    *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
)
NEAR: tuple[Network, ...] = tuple(map(ip_network, _NEAR))
"""Of private networks and this machine: no public forge is there, but a proxy may well be."""
ADDRESS_CHARACTERS = 80  # a header's entry that is longer is no address

Address = IPv4Address | IPv6Address


class Published(Protocol):
    """A list of networks that somebody publishes."""

    @property
    def networks(self) -> Sequence[Network] | None:
        """What it says; None while it has never been read."""
        ...


class AllowedSenders:
    """Who may deliver to one source."""

    def __init__(
        self, source: str, networks: Sequence[Network], published: Published | None
    ) -> None:
        """
        Args:
            source: its name.
            networks: those that may.
            published: a list of more; until it has been read, everybody may.
        """
        self._source = source
        self._networks = tuple(networks)
        self._published = published
        self._warned = False

    def admits(self, sender: str) -> bool:
        """Whether a sender may deliver."""
        address = address_of(sender)
        if self._published is None:
            return is_in(address, self._networks)
        listed = self._published.networks
        if listed is None:
            self._warn()
            return True
        return is_in(address, self._networks) or is_in(address, listed)

    def _warn(self) -> None:
        # To refuse now would lose pushes, and the signature still holds.
        if not self._warned:
            self._warned = True
            step = "see that this machine reaches the forge's API; meanwhile the signature decides"
            keys = {"source": self._source, "next": step}
            logger.warning("senders are let in unchecked: the list was never read", extra=keys)


def sender_of(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """
    Who a request comes from: the last one in the chain of proxies that is not trusted.

    What stands further left in the header could have been written by anybody.
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For

    Args:
        peer: the address that connected; "" when there is none.
        forwarded: X-Forwarded-For, all of its lines joined by commas.
        trusted: the networks of proxies.

    Returns:
        An address, or `peer` as it is.
    """
    hops = [hop for hop in forwarded.rsplit(",", MOST_HOPS) if hop.strip()]
    sender = peer
    while hops and is_in(address_of(sender), trusted):
        before = address_of(hops.pop())
        if before is None:
            break  # the proxy does not say who came to it
        sender = str(before)
    return sender


def is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether an address is in any of some networks."""
    return address is not None and any(address in network for network in networks)


def address_of(text: str) -> Address | None:
    """
    The address in an entry of the header, None when it is none.

    Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. IPv4 within IPv6 is what it
    stands for; an interface (`%eth0`) says nothing elsewhere.
    """
    return None if len(text) > ADDRESS_CHARACTERS else _address(text)


@lru_cache(maxsize=1024)  # the same few forges and proxies come again and again
def _address(text: str) -> Address | None:
    found = text.strip().strip('"')
    if found.startswith("["):
        found = found[1:].partition("]")[0]
    elif found.count(":") == 1:
        found = found.partition(":")[0]
    try:
        address = ip_address(found.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
