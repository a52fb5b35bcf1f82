"""HMAC-SHA256 signatures in hexadecimal, and secrets of which there may be several."""

import hmac
import re
from binascii import hexlify
from collections.abc import Iterable, Sequence

from adapters.errors import BadSignature
from adapters.request import Request

DIFFERENT = "does not match"

_HEX_DIGEST = re.compile("[0-9a-f]{64}")

Secrets = Sequence[str | bytes]


def matching_secret(
    request: Request,
    name: str,
    text: bytes | Iterable[bytes],
    secrets: Secrets,
    *,
    prefix: str = "",
) -> int:
    """
    Find the secret a text was signed with.

    Args:
        request: as it came.
        name: of the header with the signature, in lower case.
        text: the exact bytes that the provider signs, or pieces of them, again and again.
        secrets: current and previous ones; an empty one matches nothing.
        prefix: what stands before the hexadecimal digest.

    Returns:
        The index of the secret: anything but 0 means that the sender still uses an older one.

    Raises:
        BadSignature: missing, malformed, or made with none of the secrets.
    """
    given = request.header(name)
    if not given or given == prefix:
        raise refusal(request, name, "is missing or empty")
    candidate = as_bytes(given)
    for index, key in keys_of(secrets):
        if hmac.compare_digest(candidate, prefix.encode() + hex_digest(key, text)):
            return index
    well_formed = given.startswith(prefix) and _HEX_DIGEST.fullmatch(given, len(prefix))
    raise refusal(request, name, DIFFERENT if well_formed else "is malformed")


def keys_of(secrets: Secrets) -> list[tuple[int, bytes]]:
    """Return index and bytes of every secret; an empty one, which everybody knows, is none."""
    listed = [secrets] if isinstance(secrets, str | bytes) else secrets
    return [(index, _key(secret)) for index, secret in enumerate(listed) if secret]


def hex_digest(key: bytes, text: bytes | Iterable[bytes]) -> bytes:
    """Return the HMAC-SHA256 of a text in hexadecimal."""
    if isinstance(text, bytes):
        return hexlify(hmac.digest(key, text, "sha256"))
    digest = hmac.new(key, digestmod="sha256")
    for piece in text:
        digest.update(piece)
    return hexlify(digest.digest())


def as_bytes(value: str) -> bytes:
    """
    Return a header's value ready to be compared.

    `compare_digest` raises TypeError for text beyond ASCII, which anyone can send. What is not even
    latin-1 did not come in a header; it must not equal anything.
    """
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return b""


def refusal(request: Request, name: str, state: str) -> BadSignature:
    """Return what an unauthenticated sender is told: a header's name and the body's length."""
    finding = f"Header {name.title()} {state}"
    return BadSignature(
        f"{finding}; the body has {len(request.body)} bytes.",
        finding="" if state == DIFFERENT else finding,
    )


def _key(secret: str | bytes) -> bytes:
    return secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogateescape")
