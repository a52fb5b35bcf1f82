"""
Which submodules a git index has: git leaves what a build puts into them.

The format is https://git-scm.com/docs/index-format: a header, then for each file 40 bytes of what
`lstat` said (the mode at 24), the object's name, 16 bits of flags (one of them: 16 more follow),
and the path up to a zero byte, filled up with zeros to a multiple of eight.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_SUBMODULE = 0o160000
_HEADER = struct.Struct(">4sII")
_MODE_AT = 24
_NUMBER = struct.Struct(">I")
_STAT_BYTES = 40
_FLAGS = struct.Struct(">H")
_EXTENDED = 0x4000
_ALIGNMENT = 8


def submodules_of(index: Path, object_bytes: int) -> list[Path]:
    """
    The paths of an index's submodules.

    Args:
        index: The file, of version 2 or 3, which git writes unless told otherwise.
        object_bytes: How long the name of an object is: 20 (SHA-1) or 32 (SHA-256).
    """
    data = index.read_bytes()
    # Nearly always there is none; then the bytes of the mode are nowhere, and nothing is parsed.
    if _NUMBER.pack(_SUBMODULE) not in data:
        return []
    return [path for mode, path in _entries(data, object_bytes) if mode == _SUBMODULE]


def _entries(data: bytes, object_bytes: int) -> Iterator[tuple[int, Path]]:
    _, _, count = _HEADER.unpack_from(data)
    start = _HEADER.size
    for _ in range(count):
        flags_at = start + _STAT_BYTES + object_bytes
        (flags,) = _FLAGS.unpack_from(data, flags_at)
        path_at = flags_at + _FLAGS.size * (2 if flags & _EXTENDED else 1)
        end = data.index(b"\0", path_at)
        (mode,) = _NUMBER.unpack_from(data, start + _MODE_AT)
        yield mode, Path(data[path_at:end].decode(errors="surrogateescape"))
        start += (end - start) // _ALIGNMENT * _ALIGNMENT + _ALIGNMENT
