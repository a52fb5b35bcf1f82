"""Nothing but the exact bytes signed with a secret of the source passes."""

import hmac
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters import BadSignature, Request, verify
from adapters.registry import find
from tests.unit.adapters.deliveries import SECRET, Sample, sample

GITHUB = sample("handmade/github/push-branch")
GITHUB_FORM = sample("handmade/github/push-branch-form")
GITEA = sample("push-main-one.repo-json.push")
GITEA_FORM = sample("push-main-one.repo-form.push")
GITEA_GET = sample("push-main-one.repo-get.push")
SIGNED = [GITHUB, GITHUB_FORM, GITEA, GITEA_FORM]

HEADER = {"github": "X-Hub-Signature-256", "gitea": "X-Gitea-Signature"}
each_signed = pytest.mark.parametrize("signed", SIGNED, ids=lambda s: s.row["id"])


@each_signed
@given(data=st.data())
def test_changed_body_is_refused(signed: Sample, data: st.DataObject) -> None:
    """One changed bit anywhere in the signed bytes is noticed."""
    position = data.draw(st.integers(0, len(signed.body) - 1))
    changed = signed.body[position] ^ 1 << data.draw(st.integers(0, 7))
    body = signed.body[:position] + bytes([changed]) + signed.body[position + 1 :]
    # %2f and %2F are the same JSON text, which is what Gitea signs.
    assume(signed is not GITEA_FORM or unquote_to_bytes(body) != unquote_to_bytes(signed.body))
    with pytest.raises(BadSignature):
        verify(signed.provider, signed.headers, body, [SECRET])


@each_signed
@given(data=st.data())
def test_changed_signature_is_refused(signed: Sample, data: st.DataObject) -> None:
    """One changed character of the signature is noticed, whatever it is changed to."""
    name = HEADER[signed.provider]
    given_value = signed.headers[name]
    position = data.draw(st.integers(0, len(given_value) - 1))
    character = data.draw(st.characters().filter(lambda c: c != given_value[position]))
    value = given_value[:position] + character + given_value[position + 1 :]
    with pytest.raises(BadSignature):
        verify(signed.provider, signed.headers | {name: value}, signed.body, [SECRET])


@pytest.mark.parametrize("signed", [GITHUB, GITEA], ids=lambda s: s.provider)
@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, "missing"),
        ("", "missing"),
        ("abc", "malformed"),
        ("sha1=" + "0" * 40, "malformed"),
        ("\xe9\u0430", "malformed"),
    ],
    ids=str,
)
def test_refusal_names_header_and_length_only(
    signed: Sample, value: str | None, state: str
) -> None:
    """An unauthenticated sender learns the header, its state, and how long the body was."""
    name = HEADER[signed.provider]
    headers = {key: text for key, text in signed.headers.items() if key != name}
    if value is not None:
        headers[name] = value
    with pytest.raises(BadSignature) as refusal:
        verify(signed.provider, headers, signed.body, [SECRET])
    length = len(signed.body)
    assert refusal.value.detail.startswith(f"Header {name} is {state}")
    assert refusal.value.detail.endswith(f"; the body has {length} bytes.")
    assert SECRET not in str(refusal.value)


def test_prefix_alone_is_a_missing_signature() -> None:
    """Gitea sends `sha256=` when its hook has no secret."""
    headers = GITHUB.headers | {"X-Hub-Signature-256": "sha256="}
    with pytest.raises(BadSignature, match="missing or empty"):
        verify("github", headers, GITHUB.body, [SECRET])


def test_sha1_is_never_accepted() -> None:
    """A correct SHA-1 signature without a SHA-256 one is no signature."""
    headers = {k: v for k, v in GITHUB.headers.items() if k != "X-Hub-Signature-256"}
    assert "X-Hub-Signature" in headers
    with pytest.raises(BadSignature):
        verify("github", headers, GITHUB.body, [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["", "other"]], ids=repr)
def test_no_matching_secret_refuses(secrets: list[str]) -> None:
    """No secret, or an empty one that everybody knows, lets nobody in."""
    digest = hmac.digest(b"", GITEA.body, "sha256").hex()
    headers = GITEA.headers | {"X-Gitea-Signature": digest}
    with pytest.raises(BadSignature):
        verify("gitea", headers, GITEA.body, secrets)


@pytest.mark.parametrize("signed", SIGNED, ids=lambda s: s.row["id"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_matching_secret_is_told(signed: Sample, index: int) -> None:
    """During a rotation the index shows which secret a sender still uses."""
    secrets = ["new", "newer", "newest"]
    secrets[index] = SECRET
    request = Request(signed.headers, signed.body)
    assert find(signed.provider).verify(request, secrets) == index


def test_gitea_query_is_signed() -> None:
    """A delivery by GET carries its signed text in the query, and a changed one is refused."""
    headers, query = GITEA_GET.headers, GITEA_GET.query
    verify("gitea", headers, b"", [SECRET], query=query)
    with pytest.raises(BadSignature):
        verify("gitea", headers, b"", [SECRET], query=query + "1")


def test_a_single_secret_is_not_taken_apart() -> None:
    """A text given instead of a list of texts is one secret, not one for each letter."""
    verify("github", GITHUB.headers, GITHUB.body, SECRET)
    with pytest.raises(BadSignature):
        verify("github", GITHUB.headers, GITHUB.body, "x" + SECRET)
