"""Azure DevOps sends credentials: which spellings of them are the secret, and which are not."""

from base64 import b64encode

import pytest

from adapters import BadSignature, Request
from adapters.registry import find

ADAPTER = find("azure_devops")


def basic(pair: bytes) -> str:
    """An HTTP Basic header."""
    return "Basic " + b64encode(pair).decode()


ACCEPTED = {
    "password": (basic(b"directcd:s3cr3t"), "s3cr3t"),
    "password without user": (basic(b":s3cr3t"), "s3cr3t"),
    "user and password": (basic(b"directcd:s3cr3t"), "directcd:s3cr3t"),
    "password with a colon": (basic(b"directcd:a:b"), "a:b"),
    "password beyond ASCII": (basic("ada:pä\U0001f600".encode()), "pä\U0001f600"),
    "bearer": ("Bearer s3cr3t", "s3cr3t"),
    "any case of the scheme": ("bEARER s3cr3t", "s3cr3t"),
    "spaces around": ("  " + basic(b":s3cr3t") + " ", "s3cr3t"),
    "spaces between": ("Bearer   s3cr3t", "s3cr3t"),
}
REFUSED = {
    "nothing": "",
    "scheme alone": "Basic",
    "no credentials": "Basic ",
    "no secret": "Bearer ",
    "user alone": basic(b"s3cr3t:"),
    "empty password": basic(b"directcd:"),
    "another password": basic(b"directcd:other"),
    "longer": basic(b"directcd:s3cr3t1"),
    "another case": basic(b"directcd:S3CR3T"),
    "another scheme": "Digest s3cr3t",
    "secret without a scheme": "s3cr3t",
    "basic without base64": "Basic directcd:s3cr3t",
    "bearer in base64": "Bearer " + b64encode(b"s3cr3t").decode(),
    "malformed base64": basic(b"directcd:s3cr3t").rstrip("=")[:-1],
    "base64 with other characters": basic(b"directcd:s3cr3t") + "*",
    "two headers in one": basic(b":other") + ", " + basic(b":s3cr3t"),
    "beyond ASCII": "Basic é",
    "half a surrogate": "Bearer \ud800",
    "not UTF-8": basic(b"\xff\xfe:\xff"),
}


@pytest.mark.parametrize(("value", "secret"), ACCEPTED.values(), ids=list(ACCEPTED))
def test_the_secret_is_password_pair_or_token(value: str, secret: str) -> None:
    """Whichever of the three the service hook was given."""
    request = Request({"Authorization": value}, b"")
    assert ADAPTER.verify(request, ["", "other", secret]) == 2
    assert ADAPTER.verify(request, [secret.encode()]) == 0


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_anything_else_is_refused(value: str) -> None:
    """With one error, whatever is wrong."""
    for secrets in (["s3cr3t"], ["s3cr3t", ""], []):
        with pytest.raises(BadSignature):
            ADAPTER.verify(Request({"Authorization": value}, b""), secrets)


def test_a_pair_without_a_colon_is_compared_whole() -> None:
    """It has no password, and no empty one either."""
    assert ADAPTER.verify(Request({"authorization": basic(b"s3cr3t")}, b""), ["s3cr3t"]) == 0
    with pytest.raises(BadSignature):
        ADAPTER.verify(Request({"authorization": basic(b"other")}, b""), ["s3cr3t", ""])
