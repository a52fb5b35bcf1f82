"""Containers of one image, as hardened as the Compose files have them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.engines.docker import Engine

HARDENED = (
    "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--network=host",
)  # fmt: skip


def run(engine: Engine, image: str, *words: str, options: tuple[str, ...] = ()) -> str:
    """What a container that succeeds has printed."""
    return engine("run", "--rm", *HARDENED, *options, image, *words)


@contextmanager
def container(
    engine: Engine, image: str, *words: str, options: tuple[str, ...] = ()
) -> Iterator[str]:
    """The id of a container that goes on running for the length of a `with` block."""
    name = engine("run", "--detach", *HARDENED, *options, image, *words).strip()
    try:
        yield name
    finally:
        engine("rm", "--force", "--volumes", name)


def state(engine: Engine, name: str, field: str) -> str:
    """One field of a container's state, such as `ExitCode` or `Health.Status`."""
    return engine("inspect", "--format", f"{{{{.State.{field}}}}}", name).strip()
