"""Any bytes give an outcome or an AdapterError; nothing else, ever."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import AdapterError, MalformedDelivery, Request, parse
from adapters.payload import carried_text
from adapters.registry import find
from tests.support.fuzzing import EVENTS, HEADERS, Hostile
from tests.support.judging import answers
from tests.support.samples import PROVIDERS, SECRET, Sample, all_samples, sample
from tests.unit.adapters.deliveries import github

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

names = st.sampled_from(HEADERS)
values = st.text() | st.sampled_from([*EVENTS, "application/json", FORM["content-type"], "sha256="])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
firsts = {one.row["event"] + one.provider: one for one in reversed(all_samples())}
each_event = pytest.mark.parametrize("sent", firsts.values(), ids=lambda s: s.row["id"])


def total(provider: str, headers: dict[str, str], body: bytes, query: str = "") -> None:
    """Check and parse a delivery; only own errors may come out."""
    answers(Hostile(provider, Request(headers, body, query), [SECRET]))


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


@each_event
@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_body_is_answered(sent: Sample, body: bytes) -> None:
    """Bodies that break JSON readers break nothing here, whatever the event."""
    total(sent.provider, sent.headers, body)
    form = {key: value for key, value in sent.headers.items() if key.lower() != "content-type"}
    total(sent.provider, form | FORM, b"payload=" + quote_plus(body[:100_000]).encode())


@settings(max_examples=20)
@each_event
@given(data=st.data(), value=json_values)
def test_any_field_may_hold_anything(sent: Sample, data: st.DataObject, value: object) -> None:
    """A payload of the right form with one wrong value is refused or understood."""
    payload = json.loads(sent.text)
    part = data.draw(st.sampled_from(list(objects(payload))))
    part[data.draw(st.sampled_from([*part, "ref", "id"]))] = value
    total(sent.provider, sent.headers, json.dumps(payload).encode())


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a payload."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from objects(inner)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_form_field_is_read_byte_for_byte(text: str) -> None:
    """Decoding a form undoes its encoding, whichever characters it uses."""
    request = Request(FORM, f"a=b&payload={quote_plus(text)}&c".encode())
    assert carried_text(request).decode() == text


@each_event
def test_errors_show_no_value_of_the_payload(sent: Sample) -> None:
    """Old Gitea puts its secret into payloads; no message and no cause repeats any of it."""
    for part in objects(payload := json.loads(sent.text)):
        for name, value in part.items():
            for wrong in ("canary", ["canary"], {"canary": "canary"}, "canary\0"):
                part[name] = wrong
                assert "canary" not in refusal(sent, json.dumps(payload).encode())
            part[name] = value


def refusal(sent: Sample, body: bytes) -> str:
    """All that a refusal says, with its cause; nothing when it is understood."""
    headers = {**sent.headers, "content-type": "application/json"}
    try:
        find(sent.provider).parse(Request(headers, body))
    except AdapterError as error:
        return f"{error} {error.__cause__}"
    return ""


def test_errors_name_the_field() -> None:
    """What is wrong, and where."""
    with pytest.raises(MalformedDelivery, match=r"`\$\.ref`"):
        parse("github", *github({**PUSH, "ref": ["canary"], "repository": {"id": "canary"}}))
