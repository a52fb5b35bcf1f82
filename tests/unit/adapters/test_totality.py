"""Any bytes give an outcome or an AdapterError; nothing else, ever."""

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import AdapterError, MalformedDelivery, Outcome, Request, parse, verify
from adapters.payload import carried_text
from tests.unit.adapters.deliveries import github, sample

PUSH = json.loads(sample("handmade/github/push-branch").body)
FORM = {"content-type": "application/x-www-form-urlencoded"}
HOSTILE = {
    "empty": b"",
    "no json": b"payload",
    "brackets": b"[" * 100_000,
    "objects": b'{"repository":' * 100_000,
    "long number": b'{"repository":{"id":' + b"1" * 5000 + b"}}",
    "infinite number": b'{"repository":{"id":1e999}}',
    "nan": b'{"repository":{"id":NaN},"ref":NaN}',
    "lone surrogate": b'{"ref":"\\ud800"}',
    "nul": b'{"ref":"\\u0000"}',
    "no utf-8": b'{"ref":"\xff"}',
    "utf-16": '{"ref":"x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "duplicate keys": b'{"repository":1,"repository":{}}',
    "a list": b"[]",
    "a million wrong commits": b'{"commits":[' + b"1," * 1_000_000 + b"1]}",
}

names = st.sampled_from(
    ["Content-Type", "X-GitHub-Event", "X-Gitea-Event", "X-Hub-Signature-256", "x-gitea-signature"]
)
values = st.text() | st.sampled_from(
    ["push", "create", "delete", "ping", "application/json", FORM["content-type"], "sha256="]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
each_provider = pytest.mark.parametrize("provider", ["github", "gitea"])


def total(provider: str, headers: dict[str, str], body: bytes, query: str = "") -> None:
    """Check and parse a delivery; only own errors may come out."""
    errors: list[AdapterError] = []
    try:
        verify(provider, headers, body, ["s3cr3t"], query=query)
    except AdapterError as error:
        errors.append(error)
    try:
        assert isinstance(parse(provider, headers, body, query=query), Outcome)
    except AdapterError as error:
        errors.append(error)
    for refusal in errors:
        assert refusal.code
        assert refusal.next_step
        assert str(refusal).encode()


@each_provider
@given(
    headers=st.dictionaries(names | st.text(), values),
    body=st.binary(),
    query=st.text() | st.builds("payload={}".format, st.text()),
)
def test_any_request_is_answered(
    provider: str, headers: dict[str, str], body: bytes, query: str
) -> None:
    """Headers, body and query may be anything."""
    total(provider, headers, body, query)


@each_provider
@pytest.mark.parametrize("event", ["push", "create", "delete", "ping", "other"])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_body_is_answered(provider: str, event: str, body: bytes) -> None:
    """Bodies that break JSON readers break nothing here."""
    headers = {f"x-{provider}-event": event, "content-type": "application/json"}
    total(provider, headers, body)
    total(provider, headers | FORM, b"payload=" + quote_plus(body[:100_000]).encode())


@settings(max_examples=200)
@given(
    field=st.sampled_from([*PUSH, "sha", "ref_type", "total_commits"]),
    part=st.sampled_from(["", "repository", "head_commit"]),
    value=json_values,
    event=st.sampled_from(["push", "create", "delete", "ping", "fork"]),
)
def test_any_field_may_hold_anything(field: str, part: str, value: object, event: str) -> None:
    """A payload of the right form with one wrong value is refused or understood."""
    payload = {**PUSH, "ref_type": "tag"}
    if part:
        payload[part] = {**PUSH[part], field: value}
    else:
        payload[field] = value
    headers, body = github(payload, event)
    gitea = {name.replace("github", "gitea"): text for name, text in headers.items()}
    total("github", headers, body)
    total("gitea", gitea, body)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_form_field_is_read_byte_for_byte(text: str) -> None:
    """Decoding a form undoes its encoding, whichever characters it uses."""
    request = Request(FORM, f"a=b&payload={quote_plus(text)}&c".encode())
    assert carried_text(request).decode() == text


def test_errors_show_no_value_of_the_payload() -> None:
    """Old Gitea puts its secret into payloads; no message and no cause repeats any of it."""
    headers, body = github({**PUSH, "ref": ["canary"], "repository": {"id": "canary"}})
    with pytest.raises(MalformedDelivery) as refusal:
        parse("github", headers, body)
    assert "$.ref" in refusal.value.detail
    assert "canary" not in f"{refusal.value} {refusal.value.__cause__}"
