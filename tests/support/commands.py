"""Commands that go on running while a test looks at them."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def started(command: Sequence[str | Path], word: str) -> Iterator[subprocess.Popen[str]]:
    """A command that has printed a word on stderr; it ends with the block, come what may."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(word in line for line in process.stderr), f"ended without saying {word}"
            yield process
        finally:
            process.kill()


def terminate(process: "subprocess.Popen[str]") -> int:
    """SIGTERM; the exit code."""
    process.terminate()
    process.communicate()
    return process.returncode
