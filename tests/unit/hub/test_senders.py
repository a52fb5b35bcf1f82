"""Who a delivery comes from, whatever proxies and strangers write into X-Forwarded-For."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.forges.meta import MOST_NETWORKS, _networks
from hub.senders import MOST_HOPS, AllowedSenders, address_of, is_in, sender_of
from hub.settings import Network

PROXIES: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
FORGE: tuple[Network, ...] = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))

addresses = st.ip_addresses().map(str)


@dataclass
class Listed:
    """A published list."""

    networks: Sequence[Network] | None = None


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ('"192.0.2.1"', "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ('"[2001:db8::1]:4711"', "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_entry_is_an_address_however_a_proxy_writes_it(entry: str, address: str) -> None:
    """With its port, in brackets or quotes, or as IPv6."""
    assert str(address_of(entry)) == address


@pytest.mark.parametrize(
    "entry",
    [
        *("", " ", "unknown", "_hidden", "192.0.2", "192.0.2.256", "1", ":", "[", "[]", "[]:80"),
        *("192.0.2.1 192.0.2.2", "192.0.2.1/32", "::1::", "1" * 10_000, "::" * 10_000),
        *("%eth0", "\xff", "x:80"),
    ],
)
def test_what_is_no_address_is_none(entry: str) -> None:
    """Nothing is guessed."""
    assert address_of(entry) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1, 192.0.2.1, 10.0.0.2:80,10.0.0.3", "192.0.2.1"),
        ("::ffff:10.0.0.1", "[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "192.0.2.1,, ,", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("", "192.0.2.1", ""),
    ],
)
def test_the_sender_is_the_last_one_that_no_trusted_proxy_is(
    peer: str, forwarded: str, sender: str
) -> None:
    """What stands further left could have been written by anybody."""
    assert sender_of(peer, forwarded, PROXIES) == sender


@given(st.text(), st.text())
@example("10.0.0.1", "," * 100_000)
@example("10.0.0.1", "10.0.0.1," * 10_000)
@example("10.0.0.1", "[" * 10_000 + "]:" * 10_000)
def test_nothing_in_the_header_can_raise(peer: str, forwarded: str) -> None:
    """What comes out is the peer, or an address."""
    sender = sender_of(peer, forwarded, PROXIES)
    assert sender in {peer, str(address_of(sender))}


@given(st.lists(st.one_of(addresses, st.text(max_size=20))), addresses)
def test_nobody_can_pretend_to_be_another(claims: list[str], sender: str) -> None:
    """Whatever he puts into the header, the proxy adds who he is."""
    if is_in(address_of(sender), PROXIES):
        return
    header = ",".join([*claims, sender])
    assert sender_of("10.0.0.1", header, PROXIES) == str(address_of(sender))


@given(addresses, st.text())
def test_without_a_trusted_peer_the_header_says_nothing(peer: str, forwarded: str) -> None:
    """Anybody could have written it."""
    if not is_in(address_of(peer), PROXIES):
        assert sender_of(peer, forwarded, PROXIES) == peer


def test_a_chain_without_end_is_not_followed() -> None:
    """Its last looked-at proxy is the sender; nobody has that many."""
    chain = ["192.0.2.1", *["10.0.0.2"] * 10_000]
    assert sender_of("10.0.0.1", ",".join(chain), PROXIES) == "10.0.0.2"
    assert sender_of("10.0.0.1", ",".join(chain[: MOST_HOPS - 1]), PROXIES) == "192.0.2.1"


def test_senders_are_admitted_by_network() -> None:
    """IPv4 and IPv6; what is no address is nobody's."""
    allowed = AllowedSenders("main", FORGE, None)
    for sender in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7"):
        assert allowed.admits(sender)
    for sender in ("198.51.100.1", "2001:db9::1", "", "nobody"):
        assert not allowed.admits(sender)


def test_a_published_list_counts_beside_the_networks() -> None:
    """And as it is now."""
    listed = Listed((ip_network("198.51.100.0/24"),))
    allowed = AllowedSenders("main", FORGE, listed)
    assert allowed.admits("192.0.2.7")
    assert allowed.admits("198.51.100.7")
    listed.networks = ()
    assert not allowed.admits("198.51.100.7")


def test_everybody_is_let_in_until_the_list_was_read(caplog: pytest.LogCaptureFixture) -> None:
    """To refuse would lose pushes; it is said once."""
    listed = Listed()
    allowed = AllowedSenders("main", FORGE, listed)
    assert all(allowed.admits(sender) for sender in ("198.51.100.1", "203.0.113.1"))
    assert [record.__dict__["source"] for record in caplog.records] == ["main"]
    listed.networks = ()
    assert not allowed.admits("198.51.100.1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | addresses,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
@example([1, None, {}, "x", "192.0.2.0/33", "192.0.2.0/24", 3232235777])
@example(["192.0.2.0/24"] * 10_000)
def test_whatever_a_list_holds_its_networks_are_read(listed: object) -> None:
    """And so many at most; the rest says nothing."""
    found = _networks(listed)
    assert len(found) <= MOST_NETWORKS
    assert all(one.prefixlen >= 0 for one in found)


def test_a_network_with_a_host_in_it_is_that_network() -> None:
    """And an address is a network of one."""
    assert _networks(["192.0.2.7/24", "2001:db8::1"]) == (
        ip_network("192.0.2.0/24"),
        ip_network("2001:db8::1/128"),
    )
