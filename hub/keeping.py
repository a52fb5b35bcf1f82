"""
What is kept of a request for a person to look at later: nothing that is secret.

Names of headers that forges are known to send are listed; of all others, what looks secret by its
name is not kept. In a payload the source's own secrets are looked for (Gitea before 1.15 sends the
hook's secret in every one), and for passwords in URLs where a forge may pass them on.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from adapters import Request
from adapters.payload import FORM, JSON, carried_text
from hub.secrets import Secret

REDACTED = "(redacted)"
PAYLOAD_BYTES = 256 * 1024  # kept of a payload; a forge's usual one has 10 KB
MOST_HEADERS = 64
HEADER_CHARACTERS = 1024
URL_BYTES = 1024  # of a URL, before its `@`
LEAST_SECRET_BYTES = 6  # a shorter one is part of other words

Headers = list[tuple[str, str]]

# Proxies put the whole address there, of which the query may hold a token.
_ADDRESSES = frozenset(
    {"referer", "x-envoy-original-path", "x-forwarded-uri", "x-original-uri", "x-original-url",
     "x-rewrite-url"}
)  # fmt: skip
_HARMLESS = frozenset(
    {"idempotency-key", "x-event-key", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid"}
)
_SECRET_NAME = re.compile(
    "auth|bearer|cookie|credential|jwt|key|pass|secret|session|sign|token", re.IGNORECASE
)
_SECRET_MEMBER = re.compile(
    rb'("[^"]{0,40}(?:secret|token|password|passwd)"\s*:\s*")(?:[^"\\]|\\.)+', re.IGNORECASE
)
_USERINFO = re.compile(rb'([a-z]:(?:\\?/){2})[^/@\s"\\]+@', re.IGNORECASE)
_REDACTED = REDACTED.encode()
_ENCODE = msgspec.json.Encoder().encode


def kept_headers(headers: Mapping[str, str], secrets: Sequence[Secret] = ()) -> Headers:
    """Headers as they may be shown, in their order: no value that is or may be a secret."""
    some = list(headers.items())[:MOST_HEADERS]
    kept = [(name, _shown(name, value)) for name, value in some]
    known = [form.decode("latin-1") for secret in secrets for form in _forms(secret.value)]
    everything = "\n".join([value for _, value in kept])
    if len(everything) > HEADER_CHARACTERS or any(form in everything for form in known):
        return [_without(known, name, value) for name, value in kept]
    return kept


def kept_payload(request: Request, secrets: Sequence[Secret], *, unchecked: bool = False) -> bytes:
    """
    The beginning of the text a request carries, of a form its field `payload`, without secrets.

    Args:
        request: as it came; of its body the first PAYLOAD_BYTES and some more are enough.
        secrets: the source's own.
        unchecked: whether the forge may use a secret that the source does not know.
    """
    text = request.body if request.media_type() == JSON else carried_text(request)
    known = [form for secret in secrets for form in _forms(secret.value)]
    dubious = unchecked or any(form in text for form in known)
    if dubious or _may_name_somebody(text):
        text = _without_secrets(text, known)
    return text[:PAYLOAD_BYTES]


def shown_text(text: str, secrets: Sequence[Secret]) -> str:
    """A text that others have made, without these secrets and without passwords in URLs."""
    known = [form for secret in secrets for form in _forms(secret.value)]
    return _without_secrets(text.encode("utf-8", "replace"), known).decode("utf-8", "replace")


def details(request: Request, secrets: Sequence[Secret], **facts: object) -> bytes:
    """What is shown of one delivery alone, as JSON: its headers, and other facts."""
    return _ENCODE({"headers": kept_headers(request.headers, secrets), **facts})


def request_of(headers: Mapping[str, str], payload: bytes) -> Request:
    """A request that means what the kept one meant; its signature is no longer there."""
    again = dict(headers)
    if again.get("content-type", "").partition(";")[0].strip().lower() in {"", FORM}:
        again["content-type"] = JSON
    return Request(again, payload)


def _shown(name: str, value: str) -> str:
    if not _is_shown(name):
        return value and REDACTED
    return _address(value) if name in _ADDRESSES else value


def _address(value: str) -> str:
    """An address without what may be a credential in it."""
    path, mark, _ = value.partition("?")
    path = _USERINFO.sub(rb"\1" + _REDACTED + b"@", path.encode()).decode()
    return f"{path}?{REDACTED}" if mark else path


@lru_cache(maxsize=512)  # the same few names come again and again
def _is_shown(name: str) -> bool:
    return name in _HARMLESS or not _SECRET_NAME.search(name)


def _without(known: Sequence[str], name: str, value: str) -> tuple[str, str]:
    is_secret = any(form in value for form in known)
    return name[:HEADER_CHARACTERS], REDACTED if is_secret else value[:HEADER_CHARACTERS]


@lru_cache(maxsize=64)
def _forms(secret: bytes) -> tuple[bytes, ...]:
    # As it is, and as the JSON of Go or of anybody else spells it.
    if len(secret) < LEAST_SECRET_BYTES:
        return ()
    text = secret.decode(errors="replace")
    spelled = (json.dumps(text, ensure_ascii=escaped)[1:-1] for escaped in (True, False))
    forms = {secret, *(one.encode() for one in spelled)}
    return tuple(forms | {_as_go_does(form) for form in forms})


def _as_go_does(form: bytes) -> bytes:
    for letter in b"<>&":
        form = form.replace(bytes([letter]), b"\\u%04x" % letter)
    return form


def _may_name_somebody(text: bytes) -> bool:
    # Is an `@` in any URL? Most are in e-mail addresses: to look at all URLs takes much longer.
    at = text.find(b"@")
    while at >= 0:
        start = text.rfind(b'"', at - URL_BYTES if at > URL_BYTES else 0, at)
        if text.find(b"/", max(start, 0), at) >= 0:
            return True
        at = text.find(b"@", at + 1)
    return False


def _without_secrets(text: bytes, known: Sequence[bytes]) -> bytes:
    for form in sorted(known, key=len, reverse=True):
        text = text.replace(form, _REDACTED)
    text = _SECRET_MEMBER.sub(rb"\1" + _REDACTED, text)
    return _USERINFO.sub(rb"\1" + _REDACTED + b"@", text)
