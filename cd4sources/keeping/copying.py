"""Taking a build's artifact over: a file that a build made is not to be trusted."""

import hashlib
import os
import stat
from pathlib import Path

from cd4sources.disk import plainly

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
    with open(source, "rb", opener=plainly) as reader, destination.open("xb") as writer:
        found = os.fstat(reader.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NotAnArtifact(f"{source} is not a regular file; pack it into one")
        left = size = found.st_size
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
