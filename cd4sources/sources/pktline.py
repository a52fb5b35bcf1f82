"""
git's packet lines, the framing of its protocol: any bytes are lines, or one error.

Four hexadecimal digits give the length, themselves included; 0000 to 0002 are marks.
See https://git-scm.com/docs/gitprotocol-common#_pkt_line_format
"""

from collections.abc import Iterable, Iterator
from enum import Enum

MAX_BYTES = 65_520
"""Of one packet, its length included."""

_LENGTH_BYTES = 4
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Mark(Enum):
    """A packet without a line."""

    FLUSH = b"0000"
    DELIMITER = b"0001"
    END = b"0002"


class MalformedPackets(ValueError):
    """These bytes are not packet lines."""


def packed(packets: Iterable[bytes | Mark]) -> bytes:
    """
    Lines and marks as bytes.

    Args:
        packets: Lines without the line feed, which is added.
    """
    return b"".join(
        one.value if isinstance(one, Mark) else b"%04x%s\n" % (_LENGTH_BYTES + len(one) + 1, one)
        for one in packets
    )


def unpacked(data: bytes) -> Iterator[bytes | Mark]:
    """
    Bytes as lines, without the line feed at their end, and marks.

    Raises:
        MalformedPackets: They are cut off, or no packet lines.
    """
    start = 0
    while start < len(data):
        length = _length(data[start : start + _LENGTH_BYTES])
        if length < _LENGTH_BYTES:
            yield Mark(b"%04x" % length)
            start += _LENGTH_BYTES
            continue
        if start + length > len(data):
            raise MalformedPackets("a packet is cut off")
        yield data[start + _LENGTH_BYTES : start + length].removesuffix(b"\n")
        start += length


def _length(digits: bytes) -> int:
    if len(digits) < _LENGTH_BYTES or not _HEX.issuperset(digits):
        raise MalformedPackets("a packet does not begin with its length")
    length = int(digits, 16)
    if length == _LENGTH_BYTES - 1 or length > MAX_BYTES:
        raise MalformedPackets("a packet has an impossible length")
    return length
