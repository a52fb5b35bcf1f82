"""Packet lines: any bytes are lines or one error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd4sources.sources.pktline import MalformedPackets, Mark, packed, unpacked

LINES = st.binary(max_size=200).filter(lambda line: not line.endswith(b"\n"))


@given(st.lists(st.one_of(LINES, st.sampled_from(Mark))))
def test_what_was_packed_is_unpacked(packets: list[bytes | Mark]) -> None:
    """Lines and marks come back as they were."""
    assert list(unpacked(packed(packets))) == packets


@settings(max_examples=500)
@given(st.one_of(st.binary(), st.from_regex(rb"([0-9a-f]{4}.{0,20}){0,4}", fullmatch=True)))
def test_any_bytes_are_lines_or_one_error(data: bytes) -> None:
    """Whoever answers, nothing else is raised."""
    try:
        lines = list(unpacked(data))
    except MalformedPackets:
        return
    assert sum(4 + len(one) if isinstance(one, bytes) else 4 for one in lines) <= len(data)


@pytest.mark.parametrize(
    "data",
    [b"0", b"00zz", b"+005a", b" 05a", b"0003", b"0009abc", b"fff1" + b"x" * 65_517, b"0x05a"],
)
def test_what_is_no_packet_is_refused(data: bytes) -> None:
    """Cut off, without a length, or with an impossible one."""
    with pytest.raises(MalformedPackets):
        list(unpacked(data))
