"""
Signatures of artifacts: Ed25519 over one statement that names everything a client relies on.

A digest alone says that the bytes are those of the record; a signature says whose record it is,
also when both came by another server, a proxy or a disk. `cryptography` is imported when the first
key is loaded, for most servers have none.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    PrivateKey = Ed25519PrivateKey
    PublicKey = Ed25519PublicKey

PUBLIC_KEY_BYTES = 32
_PEM = "-----BEGIN"
# So that no signature made for another purpose with the same key can pass for one of these.
_PURPOSE = b"directcd artifact 1\n"


class KeyUnusable(Exception):
    """A key cannot be read; the message says which, why, and how to make one."""


def statement(target: str, version: str, name: str, size: int, sha256: str) -> bytes:
    """
    What is signed: a JSON array in ASCII, without blanks, after a line that says what it is.

    Args:
        target: The target's name.
        version: Its version.
        name: The artifact's file name.
        size: Its bytes.
        sha256: Their digest, in hex.
    """
    facts = json.dumps([target, version, name, size, sha256], separators=(",", ":"))
    return _PURPOSE + facts.encode()


def sign(key: "PrivateKey", statement: bytes) -> str:
    """The signature of a statement, in base64."""
    return base64.b64encode(key.sign(statement)).decode()


def is_signed(keys: "Sequence[PublicKey]", statement: bytes, signature: str | None) -> bool:
    """Tell whether one of these keys has signed the statement; whatever the signature is."""
    try:
        raw = base64.b64decode(signature or "", validate=True)
    except ValueError:
        return False
    return any(_has_signed(key, statement, raw) for key in keys)


def _has_signed(key: "PublicKey", statement: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, statement)
    except InvalidSignature:
        return False
    return True


def load_public_key(text: str) -> "PublicKey":
    """
    A public key from its line, as `directcd key new` prints it (base64), or from PEM.

    Raises:
        KeyUnusable: It is no Ed25519 public key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        if text.strip().startswith(_PEM):
            key = load_pem_public_key(text.encode())
        else:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(
            f"the public key is neither {PUBLIC_KEY_BYTES} bytes in base64, as `directcd key new` "
            "prints them, nor an Ed25519 key in PEM"
        )
    return key


def load_private_key(path: Path) -> "PrivateKey":
    """
    The private key in a PEM file.

    Raises:
        KeyUnusable: The file cannot be read, or holds no Ed25519 private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyUnusable(f"signing key {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: encrypted
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(
            f"signing key {path}: not an unencrypted Ed25519 private key in PEM; "
            "`directcd key new --out FILE` makes one"
        )
    return key


def private_pem(key: "PrivateKey") -> bytes:
    """A private key as the text of its file."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_private_key() -> "PrivateKey":
    """A new key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def public_line(key: "PrivateKey") -> str:
    """The public half of a key, as one line for the clients' configuration."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
