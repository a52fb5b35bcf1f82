"""
The chart's hub in a real pod: `podman play kube`, as root on Debian.

What podman 4 makes of the manifests, where that is not what Kubernetes makes of them:

- `startupProbe` and `livenessProbe` become health checks that run curl in the container, which the
  image has not; they are taken out, and the hub is asked from outside.
- The container's port is not reached from outside of the pod; it gets a `hostPort`.
- `fsGroup`, `seccompProfile`, `enableServiceLinks`, `topologySpreadConstraints`, `strategy`, a
  volume's `defaultMode` and `sizeLimit` are not looked at, nor is
  `terminationGracePeriodSeconds`: whoever stops the pod says how long it may take.
- A Secret is what `podman secret` has under its name, and an `emptyDir` a volume that all pods of
  the machine share by its name; it gets another one.
"""

import base64
import json
import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from directcd.demo.world import free_ports
from tests.support.charts import Manifest, Rendered, render
from tests.support.deliveries import SECRET
from tests.support.engines import debian
from tests.support.engines.docker import Engine, EngineMissing
from tests.support.engines.images import RUNTIME

PROGRAMS = {"podman": "podman", "runc": "runc", "catatonit": "catatonit"}
STOP_SECONDS = 30  # as hub.terminationGracePeriodSeconds
MOST = 4096  # files and processes
SETTINGS = """
[containers]
default_ulimits = ["nofile={most}:{most}", "nproc={most}:{most}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@dataclass(frozen=True)
class Podman:
    """A podman that needs no systemd."""

    settings: Path

    def __call__(self, *words: str | Path, given: str = "") -> str:
        """What a command that succeeds has printed."""
        # podman would read Docker's own settings where that says they are.
        others = {name: value for name, value in os.environ.items() if name != "DOCKER_CONFIG"}
        environment = others | {"CONTAINERS_CONF": str(self.settings)}
        done = subprocess.run(
            ["podman", *words], env=environment, input=given, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"podman {words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        # Of `logs` both outputs are the container's; of others the second one is empty.
        return done.stdout + (done.stderr if words[0] == "logs" else "")


@dataclass(frozen=True)
class Pod:
    """A hub's pod, and the port of this machine that leads to it."""

    podman: Podman
    container: str
    port: int

    def inspect(self) -> dict[str, Any]:
        """What podman has made of the container."""
        [found] = json.loads(self.podman("inspect", self.container))
        return dict(found)

    @property
    def secret(self) -> bytes:
        """What the hub reads: podman 4.3 mounts a Secret's `data` in base64, as it is written."""
        return self.run("sh", "-c", "cat /run/secrets/directcd/*/github").encode()

    def run(self, *words: str) -> str:
        """What a command in the container prints."""
        state = self.inspect()["State"]
        assert state["Running"], f"{state}: {self.logs()}"
        return self.podman("exec", self.container, *words)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL when the time is over; the exit code."""
        self.podman("stop", "--time", str(STOP_SECONDS), self.container)
        code: int = self.inspect()["State"]["ExitCode"]
        return code

    def logs(self) -> str:
        """What it has said, on both of its outputs."""
        return self.podman("logs", self.container)

    def start(self) -> None:
        """Begin again with the same volumes."""
        self.podman("start", self.container)


def podman(place: Path, engine: Engine) -> Podman:
    """
    Podman with the engine's image of this checkout.

    Raises:
        EngineMissing: there is none, and it cannot be installed.
    """
    if not debian.is_ours():
        raise EngineMissing("needs root on Debian, for podman and its networks")
    debian.install(**PROGRAMS)
    settings, archive = place / "containers.conf", place / "image.tar"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings.write_text(SETTINGS.format(most=min(hard, MOST)), encoding="utf-8")
    found = Podman(settings)
    engine("save", "--output", archive, RUNTIME)
    found("load", "--quiet", "--input", archive)
    archive.unlink()
    return found


@contextmanager
def played(podman: Podman, place: Path) -> Iterator[Pod]:
    """The chart's hub with the embedded log and one source, for the length of a `with` block."""
    name, [port] = own_name(), free_ports(1)
    podman("secret", "create", name, "-", given=_secret(name))
    try:
        manifests = _for_podman(render(_values(name)), name, port)
        with playing(podman, place, manifests, f"{name}-hub-pod-0"):
            yield Pod(podman, f"{name}-hub-pod-0-hub", port)
    finally:
        podman("secret", "rm", name)


def own_name() -> str:
    """What everything of this process is called, so that all of it can be removed."""
    return f"directcd-tests-{os.getpid()}"


@contextmanager
def playing(podman: Podman, place: Path, manifests: Sequence[Manifest], pod: str) -> Iterator[None]:
    """Objects that make a pod of a name; it goes away with our volumes."""
    file = place / "pod.yaml"
    file.write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
    try:
        podman("play", "kube", file)
        yield
    finally:
        podman("pod", "rm", "--force", "--ignore", "--time", "0", pod)
        for volume in podman("volume", "ls", "--quiet", "--filter", f"name={own_name()}").split():
            podman("volume", "rm", "--force", volume)


def image() -> Manifest:
    """The chart's value for this checkout's image."""
    repository, _, tag = f"localhost/{RUNTIME}".partition(":")
    return {"repository": repository, "tag": tag}


def _values(name: str) -> Manifest:
    source = {"provider": "github", "secrets_files": [f"/run/secrets/directcd/{name}/github"]}
    return {
        "fullnameOverride": name,
        "image": image(),
        "hub": {"existingSecrets": [name], "config": {"sources": {"main": source}}},
    }


def _secret(name: str) -> str:
    data = {"github": base64.b64encode(SECRET).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    return json.dumps(secret)


def _for_podman(found: Rendered, name: str, port: int) -> list[Manifest]:
    """The hub's objects in the order in which podman needs them."""
    [hub] = found.of("Deployment")
    pod = hub["spec"]["template"]["spec"]
    [container] = pod["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        del container[probe]
    container["ports"] = [{**one, "hostPort": port} for one in container["ports"]]
    for one in pod["volumes"] + container["volumeMounts"]:
        one["name"] = one["name"].replace("tmp", f"{name}-tmp")
    maps = [one for one in found.of("ConfigMap") if "directcd.toml" in one["data"]]
    return [*found.of("PersistentVolumeClaim"), *maps, hub]
