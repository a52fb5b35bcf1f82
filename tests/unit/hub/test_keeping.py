"""Nothing that is secret is kept of a request."""

import json
from urllib.parse import quote_plus

import pytest

from adapters import Request
from hub.keeping import PAYLOAD_BYTES, REDACTED, kept_headers, kept_payload, request_of
from hub.secrets import Secret

CANARY = 'k<n&ry "é"\\'
SECRET = Secret("secrets[0]", CANARY.encode())
JSON = {"content-type": "application/json"}


def kept(body: bytes, headers: dict[str, str] | None = None, *, unchecked: bool = False) -> bytes:
    """What is kept of a body."""
    request = Request(headers or JSON, body)
    return kept_payload(request, [SECRET], unchecked=unchecked)


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "cookie",
        "x-hub-signature-256",
        "x-gitea-signature",
        "x-gitlab-token",
        "webhook-signature",
        "x-api-key",
        "x-my-password",
        "proxy-authorization",
    ],
)
def test_a_header_that_looks_secret_is_not_kept(name: str) -> None:
    """Its name is, and that it was there."""
    assert kept_headers({name: "v", "host": "h"}) == [(name, REDACTED), ("host", "h")]
    assert kept_headers({name: ""}) == [(name, "")]


@pytest.mark.parametrize(
    "name", ["x-event-key", "x-github-event", "idempotency-key", "user-agent", "x-gitlab-event"]
)
def test_what_forges_send_is_kept(name: str) -> None:
    """Also where a name has a word of the secret ones."""
    assert kept_headers({name: "v"}) == [(name, "v")]


def test_a_secret_under_a_harmless_name_is_not_kept_either() -> None:
    """The source's own is known by its value."""
    assert kept_headers({"x-note": "is s3cr3t!"}, [Secret("s", b"s3cr3t")]) == [
        ("x-note", REDACTED)
    ]


def test_headers_are_kept_within_bounds() -> None:
    """A stranger may send many, and long ones."""
    found = kept_headers({f"x-{number}": "v" * 5_000 for number in range(100)})
    assert len(found) == 64
    assert {len(value) for _, value in found} == {1024}


@pytest.mark.parametrize("escaped", [True, False])
def test_the_sources_own_secret_is_not_kept_of_a_payload(*, escaped: bool) -> None:
    """Old Gitea writes it into each; however its JSON is spelled."""
    spelled = json.dumps({"secret": CANARY, "ref": "main"}, ensure_ascii=escaped)
    for text in (spelled, spelled.replace("<", "\\u003c").replace("&", "\\u0026")):
        assert json.loads(kept(text.encode())) == {"secret": REDACTED, "ref": "main"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@h.test/a", f"https://{REDACTED}@h.test/a"),
        ("https://token@h.test/a", f"https://{REDACTED}@h.test/a"),
        ("ssh://me:pw@h.test/a", f"ssh://{REDACTED}@h.test/a"),
        ("git@h.test:a", "git@h.test:a"),
        ("me@h.test", "me@h.test"),
    ],
)
def test_a_password_in_a_url_is_not_kept(url: str, shown: str) -> None:
    """Of an address that has none, all is."""
    text = json.dumps({"url": url})
    assert json.loads(kept(text.encode())) == {"url": shown}
    assert json.loads(kept(text.replace("/", "\\/").encode())) == {"url": shown}


def test_a_secret_that_nobody_knows_is_found_by_its_name() -> None:
    """Where signatures are not checked, the source has none to compare with."""
    assert kept(b'{"secret": "a\\"b", "ref": "x"}', unchecked=True) == (
        b'{"secret": "(redacted)", "ref": "x"}'
    )


def test_of_a_form_the_text_is_kept() -> None:
    """Without the secret in it, and so that it can be read again."""
    text = json.dumps({"secret": CANARY})
    form = f"payload={quote_plus(text)}".encode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert json.loads(kept(form, headers)) == {"secret": REDACTED}
    assert request_of(headers, b"{}").media_type() == "application/json"


def test_a_secret_across_the_end_of_what_is_kept_is_not_kept() -> None:
    """It is looked for before the text is cut."""
    text = b"x" * (PAYLOAD_BYTES - 9) + CANARY.encode()
    assert kept(text) == text[: PAYLOAD_BYTES - 9] + REDACTED.encode()[:9]


@pytest.mark.parametrize("name", ["referer", "x-original-uri", "x-forwarded-uri"])
def test_an_address_that_a_proxy_passes_on_keeps_no_credential(name: str) -> None:
    """Neither its query nor who it says is asking."""
    [(_, value)] = kept_headers({name: "https://me:canary@hub.test/webhooks/x?token=canary"})
    assert value == f"https://{REDACTED}@hub.test/webhooks/x?{REDACTED}"
    assert kept_headers({name: "/webhooks/x"}) == [(name, "/webhooks/x")]
