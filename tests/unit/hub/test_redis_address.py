"""Redis URLs: what they say, and what is wrong with those that say nothing."""

import pytest

from hub.log.redis_address import Credentials, RedisAddress, Tls, parse_redis_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("single", (("cache", 6379),))),
        ("redis://[::1]:7000/3", RedisAddress("single", (("::1", 7000),), database=3)),
        (
            "rediss://hub:p%40ss@cache:6380/?ca=/ca.pem&prefix=staging",
            RedisAddress(
                "single",
                (("cache", 6380),),
                Credentials("hub", "p@ss"),
                tls=Tls(ca="/ca.pem"),
                prefix="staging",
            ),
        ),
        (
            "redis+sentinel://:secret@a,b:26380/hub/1?sentinel_password=other",
            RedisAddress(
                "sentinel",
                (("a", 26379), ("b", 26380)),
                Credentials("", "secret"),
                Credentials("", "other"),
                master="hub",
                database=1,
            ),
        ),
        (
            "redis://hub@cache?password_file=/run/secrets/redis",
            RedisAddress(
                "single", (("cache", 6379),), Credentials("hub", password_file="/run/secrets/redis")
            ),
        ),
        (
            "redis+sentinel://a/hub?password_file=one&sentinel_password_file=/two",
            RedisAddress(
                "sentinel",
                (("a", 26379),),
                Credentials(password_file="one"),
                Credentials(password_file="/two"),
                master="hub",
            ),
        ),
        ("redis+cluster://a:1,b:2", RedisAddress("cluster", (("a", 1), ("b", 2)))),
    ],
)
def test_a_url_says_where_redis_is(url: str, address: RedisAddress) -> None:
    """Single, Sentinel, Cluster; TLS; credentials; database; prefix."""
    assert parse_redis_url(url) == address


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://cache", "redis://"),
        ("redis://", "host is missing"),
        ("redis://cache:99999", "port"),
        ("redis://cache/app", "number"),
        ("redis+sentinel://a,b", "name of the master"),
        ("redis+cluster://a/2", "database 0"),
        ("redis://cache?db=1", "unknown parameter db"),
        ("redis://cache?ca=/ca.pem", "rediss"),
        ("redis://hunter2@cache", "user:password@"),
        ("redis://cache?prefix=a{b}", "plain word"),
        ("redis://hub:hunter2@cache?password_file=/x", "give one of them"),
        ("redis://hub:hunter2#x@cache", "percent-encode"),
        ("redis://hub:hunter2/x@cache", "percent-encode"),
        ("redis://hub:hunter2?x@cache", "percent-encode"),
        ("redis://hub:hunter2[@cache", "no URL"),
    ],
)
def test_a_wrong_url_is_refused_with_the_reason(url: str, complaint: str) -> None:
    """And never with a password in it."""
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_redis_url(url)
    assert "hunter2" not in str(caught.value)


def test_an_address_is_shown_without_its_credentials() -> None:
    """It stands in the log of the hub."""
    address = parse_redis_url("redis+sentinel://hub:hunter2@a,[::1]:5/main")
    assert str(address) == "a:26379,[::1]:5/main"
    assert "hunter2" not in repr(address)
