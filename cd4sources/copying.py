"""Taking a build's artifact over: a file that a build made is not to be trusted."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1024 * 1024


class NotAnArtifact(OSError):
    """What is to be published is no regular file, or not the one that the build left."""


def copy_artifact(source: Path, destination: Path) -> tuple[int, str]:
    """
    Copy a regular file, executable (but never setuid) and on disk for good.

    Args:
        source: The artifact; a link, a device or a fifo in its place is refused at once.
        destination: A new file.

    Returns:
        Its size and SHA-256.

    Raises:
        NotAnArtifact: It is no regular file, or became shorter meanwhile.
        OSError: It cannot be read, or the disk does not take it.
    """
    digest = hashlib.sha256()
    with _opened(source) as reader, destination.open("xb") as writer:
        left = size = os.fstat(reader.fileno()).st_size
        # What is appended meanwhile is not waited for.
        while chunk := reader.read(min(left, _CHUNK_BYTES)):
            digest.update(chunk)
            writer.write(chunk)
            left -= len(chunk)
        if left:
            raise NotAnArtifact(f"{source} became shorter while it was copied; build it again")
        writer.flush()
        os.fsync(writer.fileno())
    destination.chmod(0o755)
    return size, digest.hexdigest()


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as reader:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAnArtifact(f"{source} is not a regular file; pack it into one")
        yield reader
