"""
How deliveries stand in a spool's file: one record after the other, each with its length and CRC.

A record begins with bytes that no text can hold (0xff is in no UTF-8), so that after a damaged one
the next is found again, and nobody's payload can pass for a record.
"""

import struct
from collections.abc import Iterator
from typing import IO
from zlib import crc32

_MAGIC = b"\xff\xd1\xff\xcd"
_HEADER = struct.Struct("<4sII")  # magic, length and CRC-32 of the payload
_CHUNK_BYTES = 1024 * 1024


def framed(payload: bytes) -> bytes:
    """The record that holds a payload."""
    return _HEADER.pack(_MAGIC, len(payload), crc32(payload)) + payload


def is_torn(tail: bytes) -> bool:
    """Whether this is the beginning of one record that its writer did not come to the end of."""
    if len(tail) < _HEADER.size:
        return _MAGIC.startswith(tail[: len(_MAGIC)])
    magic, length, _ = _HEADER.unpack_from(tail)
    return bool(magic == _MAGIC and len(tail) < _HEADER.size + length)


def records(file: IO[bytes], start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """
    The payloads of the whole records between two offsets, with where each begins and ends.

    What lies between the end of one and the beginning of the next is damaged.
    """
    while (found := _next(file, start, end)) is not None:
        yield found
        start = found[2]


def _next(file: IO[bytes], start: int, end: int) -> tuple[bytes, int, int] | None:
    found = _record_at(file, start, end)
    while found is None:
        place = _find_magic(file, start + 1, end)
        if place is None:
            return None
        start = place
        found = _record_at(file, start, end)
    return found


def _record_at(file: IO[bytes], start: int, end: int) -> tuple[bytes, int, int] | None:
    if start + _HEADER.size > end:
        return None
    file.seek(start)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, length, checksum = _HEADER.unpack(header)
    stop = start + _HEADER.size + length
    if magic != _MAGIC or stop > end:
        return None
    payload = file.read(length)
    if len(payload) < length or crc32(payload) != checksum:
        return None
    return payload, start, stop


def _find_magic(file: IO[bytes], start: int, end: int) -> int | None:
    while start + len(_MAGIC) <= end:
        file.seek(start)
        chunk = file.read(min(_CHUNK_BYTES, end - start))
        at = chunk.find(_MAGIC)
        if at >= 0:
            return start + at
        if len(chunk) < len(_MAGIC):
            return None
        start += len(chunk) - len(_MAGIC) + 1  # it may lie across the chunk's end
    return None
