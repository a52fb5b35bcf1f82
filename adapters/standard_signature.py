"""
Signatures as Standard Webhooks specifies them; GitLab's signing tokens are of this kind, too.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Signed is `id.timestamp.body`; the signature header holds one or several of `v1,<base64>`.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime

from adapters.errors import BadSignature
from adapters.request import Request
from adapters.signature import DIFFERENT, Secrets, as_bytes, keys_of, refusal

SECRET_PREFIX = b"whsec_"
TOLERANCE_SECONDS = 300
MAX_SIGNATURES = 20

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_STALE = f"is more than {TOLERANCE_SECONDS} s away from this clock"
_CLOCKS = "Set the clocks of both hosts; a delivery that was signed earlier is not taken again."
_SECONDS = re.compile("[0-9]{1,11}")


def is_signed(request: Request, secret: bytes) -> bool:
    """
    Tell whether a request was signed with a secret, lately.

    Args:
        request: without `received_at`, its age is not looked at.
        secret: base64, with or without `whsec_`; one that is not base64 signs nothing.
    """
    key = _key(secret)
    if not key or _state(request):
        return False
    expected = _signature(key, request)
    given = as_bytes(request.header(_SIGNATURE)).split(b" ", MAX_SIGNATURES)[:MAX_SIGNATURES]
    return any(hmac.compare_digest(candidate, expected) for candidate in given)


def standard_refusal(request: Request) -> BadSignature:
    """Return why a request is not signed: the header that is missing, malformed or too old."""
    name, state = _state(request) or (_SIGNATURE, DIFFERENT)
    refused = refusal(request, name, state)
    if state != _STALE:
        return refused
    return BadSignature(refused.detail, next_step=_CLOCKS, finding=refused.finding)


def signed_or_sent(
    request: Request,
    secrets: Secrets,
    *,
    name: str,
    sent: Callable[[bytes], bool],
) -> int:
    """
    Find the secret of a delivery where a `whsec_` secret signs and any other is used differently.

    The form of the secret decides which of the two is checked. Were it the headers, the sender
    could choose.

    Args:
        request: as it came.
        secrets: current and previous ones, of either form.
        name: of the header that other secrets are used for, in lower case.
        sent: tells whether another secret was used.

    Returns:
        The index of the secret.

    Raises:
        BadSignature: none of them was used; it speaks of the header that the first would need.
    """
    keys = keys_of(secrets)
    for index, key in keys:
        if is_signed(request, key) if _signs(key) else sent(key):
            return index
    if keys and _signs(keys[0][1]) and (request.header(_SIGNATURE) or not request.header(name)):
        raise standard_refusal(request)
    state = DIFFERENT if request.header(name) else "is missing or empty"
    raise refusal(request, name, state)


def _signs(secret: bytes) -> bool:
    return secret.startswith(SECRET_PREFIX)


def _key(secret: bytes) -> bytes:
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        return b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _signature(key: bytes, request: Request) -> bytes:
    stamp = as_bytes(f"{request.header(_ID)}.{request.header(_TIMESTAMP)}.")
    return b"v1," + b64encode(hmac.digest(key, stamp + request.body, "sha256"))


def _state(request: Request) -> tuple[str, str] | None:
    for name in (_ID, _TIMESTAMP, _SIGNATURE):
        if not request.header(name):
            return name, "is missing or empty"
    seconds = request.header(_TIMESTAMP)
    if not _SECONDS.fullmatch(seconds):
        return _TIMESTAMP, "is malformed"
    if request.received_at and abs(_age(request.received_at, seconds)) > TOLERANCE_SECONDS:
        return _TIMESTAMP, _STALE
    return None


def _age(now: datetime, seconds: str) -> float:
    return now.astimezone(UTC).timestamp() - int(seconds)
