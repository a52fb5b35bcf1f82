"""
A Debian machine that systemd has booted, in a container of podman; needs root.

Debian's packages come from wherever this machine's own come from. The image is kept for the next
run.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engines import debian

ROOT = Path(__file__).parents[3]
IMAGE = "localhost/directcd-tests/debian-systemd:bookworm"
TOOLS = {"podman": "podman runc netavark", "mmdebstrap": "mmdebstrap"}
PACKAGES = "systemd,systemd-sysv,dbus,python3-venv,git,ca-certificates,procps"
MOST = 16_384  # files and processes

# In a container systemd leaves mounts private, and its credentials are mounts that it makes
# in one name space for another: https://systemd.io/CREDENTIALS/
BOOTS = ("--privileged", "--systemd=always", "--cgroupns=private", "--network=none")
BOOT = "mount --make-rshared / && exec /sbin/init"


def run(*words: str | Path, text: str | None = None) -> str:
    """The standard output of a command that succeeds."""
    # podman would read Docker's own settings where that says they are.
    others = {name: value for name, value in os.environ.items() if name != "DOCKER_CONFIG"}
    done = subprocess.run(
        words, env=others, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words[:3]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@dataclass(frozen=True)
class Machine:
    """A booted machine."""

    name: str

    def run(self, script: str) -> str:
        """What a script of root's prints, which succeeds line by line."""
        return run(*self._inside, "bash", "-euc", script)

    def shows(self, unit: str, name: str) -> str:
        """A property of a unit, as systemd has it."""
        return self.run(f"systemctl show --property={name} --value {unit}").strip()

    def started(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        """A command that goes on there; its input is ours."""
        inside = [*self._inside[:2], "-i", *self._inside[2:]]
        return subprocess.Popen(
            [*inside, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def _inside(self) -> list[str]:
        offline = ("--env", "PIP_NO_INDEX=1", "--env", "PIP_FIND_LINKS=/wheels")
        return ["podman", "exec", *offline, "--workdir", "/release", self.name]


@contextmanager
def booted(place: Path) -> Iterator[Machine]:
    """A machine without a network, with a release in /release and what pip needs in /wheels."""
    _have_tools()
    if subprocess.run(("podman", "image", "exists", IMAGE), check=False).returncode:
        _make_image(place)
    name = f"directcd-systemd-{os.getpid()}"
    options = [*_limits(), *_volumes(_release(place), _wheels(place))]
    run("podman", "run", "--detach", "--name", name, *BOOTS, *options, IMAGE, "sh", "-c", BOOT)
    try:
        machine = Machine(name)
        machine.run("until systemctl is-system-running --wait; do sleep 0.1; done")
        yield machine
    finally:
        run("podman", "rm", "--force", "--time", "0", name)


def _have_tools() -> None:
    if not debian.is_ours():
        reason = "needs root on Debian, for podman and a Debian of its own"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    debian.install(**TOOLS)


def _limits() -> Iterator[str]:
    """No more than ours: podman's own may be more than we may give."""
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        _, hard = resource.getrlimit(number)
        most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
        yield f"--ulimit={name}={most}:{most}"


def _volumes(release: Path, wheels: Path) -> Iterator[str]:
    yield f"--volume={release}:/release:rw"
    yield f"--volume={wheels}:/wheels:ro"
    yield f"--volume={ROOT}:/repository:ro"


def _make_image(place: Path) -> None:
    tar = place / "debian.tar"
    options = ("--quiet", "--variant=minbase", f"--include={PACKAGES}", "--skip=output/dev")
    run("mmdebstrap", *options, "bookworm", tar)
    run("podman", "import", "--quiet", tar, IMAGE)
    tar.unlink()


def _release(place: Path) -> Path:
    """The files of a release."""
    release = place / "release"
    run(sys.executable, "-m", "hatchling", "build", "--directory", release)
    return release


def _wheels(place: Path) -> Path:
    """What the runtime lock names, for the machine's Python, which is Debian 12's."""
    wheels = place / "wheels"
    lock = ROOT / "requirements/runtime.txt"
    kind = ("--only-binary=:all:", "--python-version=3.11", "--implementation=cp")
    quiet = ("--quiet", "--disable-pip-version-check")
    pip = ("python3", "-m", "pip", "download", *quiet, *kind)
    run(*pip, "--require-hashes", "--requirement", lock, "--dest", wheels)
    return wheels


def answered(sending: "subprocess.Popen[str]") -> dict[str, int]:
    """End `tests.support.sending`; how many deliveries were answered by which status."""
    output, _ = sending.communicate("")
    found: dict[str, int] = json.loads(output)
    return found
