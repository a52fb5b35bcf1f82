"""What a client trusts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cd4sources.delivery.records import Record
from cd4sources.http_errors import HttpError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as PublicKey

    from cd4sources.settings import ClientSettings


class NotSigned(HttpError):
    """None of the trusted keys has signed this version."""


def trusted_keys(settings: "ClientSettings") -> "list[PublicKey]":
    """
    The keys that a client trusts.

    Raises:
        KeyUnusable: One of them cannot be read.
    """
    from cd4sources.signing import KeyUnusable, load_public_key

    keys = [load_public_key(text) for text in settings.public_keys]
    for file in settings.public_key_files:
        try:
            keys.append(load_public_key(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyUnusable) as error:
            raise KeyUnusable(f"public_key_files {file}: {error}") from error
    return keys


def refuse_unsigned(keys: "Sequence[PublicKey]", record: Record, target: str) -> None:
    """
    Let a version pass that one of the keys has signed, or any where there are no keys.

    Args:
        keys: Whom we trust.
        record: The version.
        target: The target it must be of: a signature for another says nothing.

    Raises:
        NotSigned: It is not to be downloaded.
    """
    if not keys:
        return
    from cd4sources.signing import is_signed, statement

    if record.target != target:
        raise NotSigned(f"{record.version} is a version of {record.target!r}, not of {target!r}")
    file = record.artifact
    said = statement(record.target, record.version, file.name, file.size, file.sha256)
    if not is_signed(keys, said, file.signature):
        what = "has a signature of none of" if file.signature else "is not signed by any of"
        raise NotSigned(f"{record.version} {what} the trusted keys (public_keys); not taken")
