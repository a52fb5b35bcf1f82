"""Notifications are read with suspicion: any text gives a value or the one own error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd4sources.notifications import MalformedNotification, parse_notification

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def event(**changes: object) -> str:
    data = {
        "delivery_id": "d1",
        "repository": {"keys": ["github.com/acme/shop"], "full_name": "acme/shop"},
        "ref": "refs/heads/main",
        "after": "c" * 40,
        "people": "unknown fields are ignored",
    }
    return json.dumps(
        {"specversion": "1.0", "id": "e-1-t", "traceparent": TRACE, "data": data} | changes
    )


def test_the_needed_fields_are_read() -> None:
    """Repository keys, ref, commit, trace and cursor come out."""
    notification = parse_notification(event())
    assert notification.keys == {"github.com/acme/shop"}
    assert (notification.ref, notification.after) == ("refs/heads/main", "c" * 40)
    assert (notification.cursor, notification.delivery_id) == ("e-1-t", "d1")
    assert notification.traceparent == TRACE


@pytest.mark.parametrize("trace", ["", "x", TRACE + "\nX-Evil: 1", TRACE.upper(), None])
def test_a_malformed_trace_is_dropped(trace: str | None) -> None:
    """A trace goes on to other hosts, so only the standard's form passes."""
    assert parse_notification(event(traceparent=trace)).traceparent is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        event(data=None),
        event(data={"repository": {"keys": []}, "ref": "r"}),
        event(data={"repository": {"keys": [1]}, "ref": "r"}),
        event(id=["x"]),
        "[" * 100_000,
        '{"id": "\\ud800"}',
        "\ud800",
    ],
    ids=[
        "empty",
        "null",
        "list",
        "object",
        "no data",
        "no keys",
        "number",
        "id",
        "deep",
        "half",
        "surrogate",
    ],
)
def test_hostile_text_gives_the_one_error(text: str) -> None:
    """Nothing but MalformedNotification comes out of a bad text."""
    with pytest.raises(MalformedNotification):
        parse_notification(text)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["id", "data", "repository", "keys", "ref"]), inner)
        ),
    )
)
def test_no_json_gets_through_as_another_error(value: object) -> None:
    """Any JSON at all gives a notification or the one error."""
    try:
        parse_notification(json.dumps(value))
    except MalformedNotification:
        return
