"""Which URLs and addresses callbacks may go to."""

from ipaddress import ip_network

import pytest

from hub.callbacks.addresses import AddressPolicy
from hub.endpoints import Endpoint

STRICT = AddressPolicy(allow_private=False, allowed=())


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - it must not be called
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "example.com",
        "",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Whatever form they take."""
    assert STRICT.refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ],
)
def test_public_addresses_may_be_called(address: str) -> None:
    """IPv4 within IPv6 counts as what it is."""
    assert STRICT.refusal(address) == ""


def test_a_network_can_be_allowed() -> None:
    """And nothing beside it."""
    policy = AddressPolicy(
        allow_private=False, allowed=[ip_network("10.20.0.0/16"), ip_network("fd12::/16")]
    )
    assert policy.refusal("10.20.30.40") == ""
    assert policy.refusal("::ffff:10.20.30.40") == ""
    assert policy.refusal("fd12::1") == ""
    assert policy.refusal("10.21.0.1") == "a private address"
    assert policy.refusal("fd13::1") == "a private address"


def test_everything_can_be_allowed() -> None:
    """For a hub that knows its subscribers."""
    assert AddressPolicy(allow_private=True, allowed=()).refusal("169.254.169.254") == ""


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://shop.test", Endpoint("http", "shop.test", 80, "/")),
        ("https://Shop.Test/a?b=c%20d", Endpoint("https", "shop.test", 443, "/a?b=c%20d")),
        ("http://[2001:db8::1]:8080/x", Endpoint("http", "2001:db8::1", 8080, "/x")),
        ("https://bücher.test/", Endpoint("https", "xn--bcher-kva.test", 443, "/")),
    ],
)
def test_urls_are_read(url: str, endpoint: Endpoint) -> None:
    """The host in its ASCII form."""
    assert Endpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.test/",
        "file:///etc/passwd",
        "//shop.test/",
        "http:///path",
        "http://user:hunter2@shop.test/",
        "http://shop.test@10.0.0.1/",
        "http://shop.test/a b",
        "http://shop.test/\r\nx: y",
        "http://shop.test/#fragment",
        "http://shop.test/ü",
        "http://shop.test:99999/",
        "http://[::1/",
        "http://sh op.test/",
        "http://shop.test\\@10.0.0.1/",
        "http://shop%2etest/",
    ],
)
def test_urls_that_mean_something_else_are_refused(url: str) -> None:
    """And the reason does not repeat them: they may hold a password."""
    with pytest.raises(ValueError, match=r".") as caught:
        Endpoint.parse(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://shop.test:80/", "shop.test"),
        ("https://shop.test:80/", "shop.test:80"),
        ("http://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
    ],
)
def test_the_host_header_is_the_urls(url: str, host: str) -> None:
    """Without the scheme's own port."""
    assert Endpoint.parse(url).authority == host
