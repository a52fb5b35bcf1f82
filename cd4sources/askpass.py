"""
How a password reaches git: over an inherited pipe, never in argv, environment, disk or logs.

git runs the program named by GIT_ASKPASS with its question as argument and reads one line. Ours is
a small shell script, the same for everybody, that reads the line from a pipe; its environment says
only the pipe's number. See https://git-scm.com/docs/gitcredentials
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cd4sources.targets import Credential

_ANSWERS = 8  # git asks once a connection it opens; what is left over is never read
_SCRIPT = """\
#!/bin/sh
case "$1" in
[Uu]sername*) answer=$DIRECTCD_ASKPASS_USER ;;
*) answer=$DIRECTCD_ASKPASS_PASSWORD ;;
esac
IFS= read -r line <"/dev/fd/$answer" && printf '%s\\n' "$line"
"""


@dataclass(frozen=True)
class Answering:
    """What a git that may ask needs: variables, and the pipes to inherit."""

    env: dict[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()


@contextmanager
def answering(credential: Credential | None, home: Path) -> Iterator[Answering]:
    """
    Keep the answers ready while a git command runs.

    Args:
        credential: User and password; None: git must not ask.
        home: Directory for the script.
    """
    if credential is None:
        yield Answering({"GIT_ASKPASS": "false"})
        return
    user, password = _filled(credential.user), _filled(credential.password)
    try:
        yield Answering(
            {
                "GIT_ASKPASS": str(_script(home)),
                "DIRECTCD_ASKPASS_USER": str(user),
                "DIRECTCD_ASKPASS_PASSWORD": str(password),
            },
            (user, password),
        )
    finally:
        os.close(user)
        os.close(password)


def _filled(line: str) -> int:
    """The read end of a pipe that holds the line several times; too short a line to block on."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, f"{line}\n".encode() * _ANSWERS)
    finally:
        os.close(write_end)
    return read_end


def _script(home: Path) -> Path:
    """The script, written anew when it is missing or was changed."""
    script = home / "askpass.sh"
    if not script.exists() or script.read_text(encoding="utf-8") != _SCRIPT:
        fresh = script.with_suffix(f".{os.getpid()}")
        fresh.write_text(_SCRIPT, encoding="utf-8")
        fresh.chmod(0o700)
        fresh.replace(script)
    return script
