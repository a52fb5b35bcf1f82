"""A real Docker Engine with Compose."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.engines import debian
from tests.support.redis_servers import wait_for

PLUGINS = ("docker-compose", "docker-buildx")
START_SECONDS = 60.0
WORK_SECONDS = 600.0


class EngineMissing(Exception):
    """No engine answers, and none can be started; the message says why."""


class Engine:
    """
    A Docker Engine that answers.

    Attributes:
        environment: with which `docker` reaches it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment}

    def __call__(self, *words: str | Path, cwd: Path | None = None, given: str = "") -> str:
        """What a docker command that succeeds has printed."""
        done = self.tried(*words, cwd=cwd, given=given)
        said = f"docker {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        return done.stdout

    def tried(
        self, *words: str | Path, cwd: Path | None = None, given: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """A docker command that may fail."""
        return subprocess.run(
            ["docker", *words], env=self.environment, cwd=cwd, input=given, timeout=WORK_SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@contextmanager
def running_engine() -> Iterator[Engine]:
    """
    The engine that answers, or one of the test's own.

    Raises:
        EngineMissing: there is none, and none can be started.
    """
    found = Engine({})
    if shutil.which("docker") and found.tried("compose", "ls").returncode == 0:
        yield found
        return
    if not debian.is_ours():
        raise EngineMissing("no Docker Engine with Compose answers; root on Debian can start one")
    debian.install(dockerd="docker.io")
    with (
        tempfile.TemporaryDirectory(prefix="directcd-engine-") as directory,
        _started(Path(directory)) as engine,
    ):
        yield engine


@contextmanager
def _started(directory: Path) -> Iterator[Engine]:
    debian.unpack(directory / "packages", *PLUGINS)
    plugins = directory / "packages/usr/libexec/docker/cli-plugins"
    shutil.move(plugins, directory / "cli-plugins")
    socket, log = f"unix://{directory}/socket", directory / "log"
    command: list[str | Path] = [
        "dockerd", "--data-root", directory / "data", "--exec-root", directory / "run",
        "--pidfile", directory / "pid", "--host", socket, "--bip", "10.99.0.1/24",
        "--iptables=false", "--ip6tables=false", "--ip-forward=false",
    ]  # fmt: skip
    engine = Engine({"DOCKER_HOST": socket, "DOCKER_CONFIG": str(directory)})
    with log.open("wb") as output, subprocess.Popen(command, stderr=output) as daemon:
        try:
            wait_for(lambda: _answers(engine, daemon, log), "dockerd is silent", START_SECONDS)
            yield engine
        finally:
            daemon.terminate()
    for left in ("ip link delete docker0", f"umount {directory}/run/netns/default"):
        subprocess.run(left.split(), check=False, capture_output=True)


def _answers(engine: Engine, daemon: "subprocess.Popen[bytes]", log: Path) -> bool:
    if daemon.poll() is not None:
        raise EngineMissing(f"dockerd does not start: {log.read_text()[-500:]}")
    return engine.tried("info").returncode == 0
