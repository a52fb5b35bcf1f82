"""What a remote answers about its refs: an object's name, or one error, for any bytes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd4sources.http_reply import Reply
from cd4sources.sources.pktline import MalformedPackets, Mark, packed
from cd4sources.sources.tips import _object_format, _object_of

OBJECT = b"1" * 40
LINES = st.one_of(
    st.binary(max_size=60), st.sampled_from([OBJECT + b" HEAD", b"version 2", b"ls-refs", b""])
)
BODIES = st.one_of(
    st.binary(), st.lists(st.one_of(LINES, st.sampled_from(Mark)), max_size=6).map(packed)
)


def reply(kind: str, body: bytes, status: int = 200) -> Reply:
    headers = {"content-type": f"application/x-git-upload-pack-{kind}"}
    return Reply("http://h/x", status, headers, body)


@given(BODIES)
def test_any_list_of_refs_is_an_object_or_one_error(body: bytes) -> None:
    """What is taken for an object is a full hash."""
    try:
        found = _object_of(b"HEAD", reply("result", body))
    except MalformedPackets:
        return
    assert found is None or re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", found)


@given(BODIES)
def test_any_advertisement_is_a_format_or_one_error(body: bytes) -> None:
    """Nothing else is raised."""
    try:
        _object_format(reply("advertisement", body))
    except MalformedPackets:
        return
    assert b"version 2" in body


@pytest.mark.parametrize(
    "answer",
    [
        reply("result", packed([OBJECT + b" HEAD", Mark.FLUSH]), status=500),
        reply("advertisement", packed([OBJECT + b" HEAD", Mark.FLUSH])),
        reply("result", packed([OBJECT + b" HEAD"])),
        reply("result", packed([b"unborn HEAD", Mark.FLUSH])),
        reply("result", b""),
    ],
    ids=["an error", "another type", "cut off", "unborn", "nothing"],
)
def test_what_is_not_a_whole_answer_of_git_is_refused(answer: Reply) -> None:
    """Rather than believed."""
    with pytest.raises(MalformedPackets):
        _object_of(b"HEAD", answer)
