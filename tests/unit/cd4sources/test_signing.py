"""Signatures of artifacts: what holds, what does not, and which keys are refused."""

from pathlib import Path

import pytest

from cd4sources import signing

FACTS = ("shop", "v-0123456789ab", "shop", 3, "ab" * 32)
KEY = signing.new_private_key()
PUBLIC = signing.load_public_key(signing.public_line(KEY))
STATEMENT = signing.statement(*FACTS)


def test_what_was_signed_is_signed() -> None:
    """By any of the keys; a second one is what a rotation needs."""
    other = signing.load_public_key(signing.public_line(signing.new_private_key()))
    signature = signing.sign(KEY, STATEMENT)
    assert signing.is_signed([other, PUBLIC], STATEMENT, signature)
    assert not signing.is_signed([other], STATEMENT, signature)
    assert not signing.is_signed([], STATEMENT, signature)


@pytest.mark.parametrize("place", range(5), ids=["target", "version", "name", "size", "sha256"])
def test_every_fact_is_signed(place: int) -> None:
    """A signature says nothing of an artifact that differs in anything."""
    facts = list(FACTS)
    facts[place] = 4 if place == 3 else "other"
    other = signing.statement(*facts)  # type: ignore[arg-type]
    assert not signing.is_signed([PUBLIC], other, signing.sign(KEY, STATEMENT))


def test_a_statement_says_what_it_is() -> None:
    """These bytes are a contract: whoever verifies in another language makes the same."""
    facts = '["shop","v-0123456789ab","caf\\u00e9",3,"00ff"]'
    said = signing.statement("shop", "v-0123456789ab", "café", 3, "00ff")
    assert said == b"directcd artifact 1\n" + facts.encode()


def test_facts_cannot_be_shifted() -> None:
    """What ends one fact cannot begin the next."""
    one = signing.statement('a","b', "c", "n", 1, "d")
    assert one != signing.statement("a", 'b","c', "n", 1, "d")


@pytest.mark.parametrize("signature", [None, "", "?", "AAAA", "é", "A" * 88])
def test_nonsense_is_no_signature(signature: str | None) -> None:
    """And no error: it comes from the network."""
    assert not signing.is_signed([PUBLIC], STATEMENT, signature)


def test_a_private_key_is_read_from_its_file(tmp_path: Path) -> None:
    """And signs as before."""
    path = tmp_path / "key.pem"
    path.write_bytes(signing.private_pem(KEY))
    signature = signing.sign(signing.load_private_key(path), STATEMENT)
    assert signing.is_signed([PUBLIC], STATEMENT, signature)


def test_a_public_key_may_be_pem() -> None:
    """As other tools write it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert signing.load_public_key(pem) == PUBLIC


OF_UNKNOWN_KIND = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEAhPNYczCiqGV11yXlOt7cVyDAVni
bsqsVz972X+WNCOD9KGju4XsjUQTlCCRSTkmyal0gLq522OLDZDe3f67Ew==
-----END PUBLIC KEY-----
"""
"""A key on the curve SM2."""


@pytest.mark.parametrize(
    "text", ["", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA", "é", OF_UNKNOWN_KIND]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """With how to get one."""
    with pytest.raises(signing.KeyUnusable, match="directcd key new"):
        signing.load_public_key(text)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA", b"\xff"])
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """With the file's name, and nothing of what is in it."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(signing.KeyUnusable, match=r"key\.pem: not an unencrypted Ed25519"):
        signing.load_private_key(path)


def test_a_missing_private_key_is_named(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(signing.KeyUnusable, match="No such file"):
        signing.load_private_key(tmp_path / "none.pem")
