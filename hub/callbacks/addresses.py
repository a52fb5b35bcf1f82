"""
Which addresses a callback may go to: those of the public internet, unless a person allows more.

A subscriber names the URL and the hub calls it from inside somebody's network. Without this, a
subscription would reach what only that network may reach.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hub.settings import Network

# https://www.iana.org/assignments/iana-ipv4-special-registry and Azure's metadata address
# (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16). Listed here,
# because Python's own lists (`is_private`) differ by patch release.
_IPV4 = {
    "0.0.0.0/8": "an unspecified address",
    "10.0.0.0/8": "a private address",
    "100.64.0.0/10": "an address of a carrier's NAT",
    "127.0.0.0/8": "a loopback address",
    "168.63.129.16/32": "a cloud's metadata address",
    "169.254.0.0/16": "a link-local address",
    "172.16.0.0/12": "a private address",
    "192.0.0.0/24": "a reserved address",
    "192.0.2.0/24": "a documentation address",
    "192.88.99.0/24": "a reserved address",
    "192.168.0.0/16": "a private address",
    "198.18.0.0/15": "a benchmarking address",
    "198.51.100.0/24": "a documentation address",
    "203.0.113.0/24": "a documentation address",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
}
# https://www.iana.org/assignments/iana-ipv6-special-registry; of the rest of IPv6, only 2000::/3 is
# assigned (https://www.iana.org/assignments/ipv6-address-space).
_IPV6 = {
    "::/128": "an unspecified address",
    "::1/128": "a loopback address",
    "fc00::/7": "a private address",
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
    "2001::/23": "a reserved address",
    "2001:db8::/32": "a documentation address",
    "2002::/16": "an address that stands for another (6to4)",
    "3fff::/20": "a documentation address",
}
_REFUSED = [(ip_network(network), kind) for network, kind in (_IPV4 | _IPV6).items()]
_ASSIGNED = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class AddressPolicy:
    """Decides by address alone: a name says nothing, and means another address a moment later."""

    def __init__(self, *, allow_private: bool, allowed: Sequence[Network]) -> None:
        """
        Args:
            allow_private: allow every address.
            allowed: networks that may be called besides public addresses.
        """
        self._allow_private = allow_private
        self._allowed = allowed

    def refusal(self, address: str) -> str:
        """What kind of address this is, when it may not be called; "" when it may."""
        if self._allow_private:
            return ""
        try:
            found = _unwrapped(ip_address(address))
        except ValueError:
            return "no IP address"
        if any(found in network for network in self._allowed):
            return ""
        return _kind(found)


def _unwrapped(address: Address) -> Address:
    # IPv4 within IPv6 is judged as what it is.
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _kind(address: Address) -> str:
    for network, kind in _REFUSED:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _ASSIGNED:
        return "a reserved address"
    return ""
