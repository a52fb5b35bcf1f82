"""HMAC-SHA256 signatures in hexadecimal, with several secrets so that they can be rotated."""

import hmac
import re
from collections.abc import Mapping, Sequence

from adapters.errors import BadSignature
from adapters.headers import header

_HEX_DIGEST = re.compile("[0-9a-f]{64}")


def matching_secret(
    headers: Mapping[str, str],
    name: str,
    text: bytes,
    secrets: Sequence[str | bytes],
    *,
    prefix: str = "",
    body_length: int,
) -> int:
    """
    Find the secret a text was signed with.

    Args:
        headers: of the request, names in any case.
        name: of the header with the signature, in lower case.
        text: the exact bytes that the provider signs.
        secrets: current and previous ones; an empty one matches nothing.
        prefix: what stands before the hexadecimal digest.
        body_length: in bytes, to be told to the sender.

    Returns:
        The index of the secret: anything but 0 means that the sender still uses an older one.

    Raises:
        BadSignature: missing, malformed, or made with none of the secrets.
    """
    given = header(headers, name)
    if not given or given == prefix:
        raise _refusal(name, "is missing or empty", body_length)
    # Bytes: compare_digest raises TypeError for text beyond ASCII, which anyone can send.
    candidate = given.encode("ascii", "replace")
    for index, secret in enumerate([secrets] if isinstance(secrets, str | bytes) else secrets):
        if secret and hmac.compare_digest(candidate, _sign(secret, text, prefix)):
            return index
    well_formed = given.startswith(prefix) and _HEX_DIGEST.fullmatch(given, len(prefix))
    raise _refusal(name, "does not match" if well_formed else "is malformed", body_length)


def _sign(secret: str | bytes, text: bytes, prefix: str) -> bytes:
    key = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogateescape")
    return (prefix + hmac.digest(key, text, "sha256").hex()).encode()


def _refusal(name: str, state: str, body_length: int) -> BadSignature:
    return BadSignature(f"Header {name.title()} {state}; the body has {body_length} bytes.")
