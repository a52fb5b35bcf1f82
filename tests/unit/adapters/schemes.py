"""How each provider proves who is sending: signed or authorised deliveries, made here."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_plus

from adapters import Request

KEY = b64encode(b"a key of at least 24 bytes").decode()
TOKEN = "whsec_" + KEY
BODY = b'{"ref": "refs/heads/main", "text": "a b%2B&"}'
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SENT = 1_760_000_000
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def hexadecimal(secret: str, text: bytes, algorithm: str = "sha256") -> str:
    """An HMAC as most providers write it."""
    return hmac.digest(secret.encode(), text, algorithm).hex()


def standard(secret: str, text: bytes, *, identifier: str = "msg_1", sent: int = SENT) -> str:
    """One signature of Standard Webhooks."""
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{identifier}.{sent}.".encode() + text
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def when(sent: int = SENT) -> datetime:
    """A moment on this clock."""
    return datetime.fromtimestamp(sent, UTC)


def _basic(pair: str) -> str:
    return "Basic " + b64encode(pair.encode()).decode()


@dataclass(frozen=True)
class Scheme:
    """
    One way to prove who is sending.

    Attributes:
        name: for people.
        provider: whose.
        header: that holds the proof, in lower case.
        secret: one that fits.
        proof: the header's value for a secret and the text that is signed.
        covers_body: is the body signed, or does the secret itself travel?
        carry: headers, body and query in which a text travels.
    """

    name: str
    provider: str
    header: str
    proof: Callable[[str, bytes], str]
    secret: str = "s3cr3t"
    covers_body: bool = True
    carry: Callable[[bytes], tuple[dict[str, str], bytes, str]] = lambda text: (JSON, text, "")

    @property
    def is_standard(self) -> bool:
        """Are id and time signed, too?"""
        return self.header == SIGNATURE

    @property
    def other_secret(self) -> str:
        """Of the same form, but not the one that signs."""
        return TOKEN[:8] + "AAAA" + TOKEN[12:] if self.is_standard else "an0ther"

    def request(self, text: bytes = BODY, secret: str = "") -> Request:
        """A correct delivery of a text."""
        headers, body, query = self.carry(text)
        stamp = {ID: "msg_1", TIMESTAMP: str(SENT)} if self.is_standard else {}
        proof = {self.header: self.proof(secret or self.secret, text)}
        return Request({**headers, **stamp, **proof}, body, query, when())


def _form(text: bytes) -> tuple[dict[str, str], bytes, str]:
    return FORM, b"payload=" + quote_plus(text).encode(), ""


def _get(text: bytes) -> tuple[dict[str, str], bytes, str]:
    return {}, b"", "payload=" + quote_plus(text)


def _prefixed(secret: str, text: bytes) -> str:
    return "sha256=" + hexadecimal(secret, text)


def _forks(name: str) -> list[Scheme]:
    header = f"x-{name}-signature"
    return [
        Scheme(f"{name}", name, header, hexadecimal),
        Scheme(f"{name} form", name, header, hexadecimal, carry=_form),
        Scheme(f"{name} get", name, header, hexadecimal, carry=_get),
    ]


SCHEMES = [
    Scheme("github", "github", "x-hub-signature-256", _prefixed),
    *_forks("gitea"),
    *_forks("forgejo"),
    *_forks("gogs"),
    Scheme("bitbucket", "bitbucket", "x-hub-signature", _prefixed),
    Scheme("bitbucket_server", "bitbucket_server", "x-hub-signature", _prefixed),
    Scheme("generic", "generic", "x-signature", hexadecimal),
    Scheme("generic prefix", "generic", "x-signature", _prefixed),
    Scheme("generic github", "generic", "x-hub-signature-256", _prefixed),
    Scheme("generic standard", "generic", SIGNATURE, standard, TOKEN),
    Scheme("standard", "standard_webhooks", SIGNATURE, standard, TOKEN),
    Scheme("standard bare", "standard_webhooks", SIGNATURE, standard, KEY),
    Scheme("gitlab standard", "gitlab", SIGNATURE, standard, TOKEN),
    Scheme("gitlab token", "gitlab", "x-gitlab-token", lambda s, _: s, covers_body=False),
    Scheme(
        "azure password",
        "azure_devops",
        "authorization",
        lambda secret, _: _basic(f"directcd:{secret}"),
        covers_body=False,
    ),
    Scheme(
        "azure user and password",
        "azure_devops",
        "authorization",
        lambda secret, _: _basic(secret),
        "directcd:s3cr3t",
        covers_body=False,
    ),
    Scheme(
        "azure bearer",
        "azure_devops",
        "authorization",
        lambda secret, _: f"Bearer {secret}",
        covers_body=False,
    ),
]
SIGNING = [scheme for scheme in SCHEMES if scheme.covers_body]
HEADERS = sorted({scheme.header for scheme in SCHEMES} | {"x-gitlab-token", "x-hub-signature"})
