"""
Hub, server and client of the chart in one pod of podman, with a repository and its program.

podman knows no StatefulSet and gives Services no names. So the containers that the chart makes,
each with its own settings, rights and mounts, are put into one pod, where every name is the pod's.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from directcd.demo.world import free_ports
from tests.support.charts import Manifest, Rendered, render
from tests.support.engines.played import Pod, Podman, image, own_name, playing

COMPONENTS = ("hub", "server", "client")
UID = 10001
PORT = 9000
BUILD = "case $1 in artifact) echo program;; esac\n"
# It is handed the socket that the client listens on, so that a swap loses nobody.
PROGRAM = """#!/usr/bin/env python3
import socket
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n{word}")
    connection.close()
"""
# Git reads no repository of somebody else's unless it is told to.
_IDENTITY = (
    "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "safe.directory=*",
    "-c", "init.defaultBranch=main",
)  # fmt: skip
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def commit(repository: Path, word: str) -> None:
    """Have the program say a word, from the next version on."""
    repository.mkdir(exist_ok=True)
    (repository / "build.sh").write_text(BUILD)
    program = repository / "program"
    program.write_text(PROGRAM.format(word=word))
    program.chmod(0o755)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", word]):
        subprocess.run(["git", "-C", repository, *_IDENTITY, *words], check=True)
    for found in (repository, *repository.rglob("*")):
        os.chown(found, UID, UID, follow_symlinks=False)


@contextmanager
def together(podman: Podman, place: Path, repository: Path) -> Iterator[dict[str, Pod]]:
    """Every component by its name; its port leads to the program."""
    name, [port] = _name(), free_ports(1)
    found = render(_values(repository))
    maps = [found.one("ConfigMap", component) for component in COMPONENTS]
    pod: Manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
    pod["spec"] = _one_pod(found, port)
    with playing(podman, place, [*maps, pod], name):
        yield {one: Pod(podman, f"{name}-{one}", port) for one in COMPONENTS}


def _name() -> str:
    # Volumes are shared by their names, and the hub that is played alone may still run.
    return f"{own_name()}-together"


def _values(repository: Path) -> Manifest:
    return {
        "fullnameOverride": _name(),
        "image": image(),
        "targets": [{"name": "shop", "repositories": [{"url": str(repository)}]}],
        "server": {
            "enabled": True,
            "config": {"poll_interval_seconds": 1},
            "pod": {
                "volumes": [{"name": "repository", "hostPath": {"path": str(repository)}}],
                "volumeMounts": [{"name": "repository", "mountPath": str(repository)}],
            },
        },
        "client": {
            "enabled": True,
            "config": {"sockets": [f"0.0.0.0:{PORT}"], "health_url": f"http://127.0.0.1:{PORT}"},
            "ports": [{"name": "program", "containerPort": PORT}],
        },
        "networkPolicy": {"client": {"from": [{"podSelector": {}}]}},
    }


def _one_pod(found: Rendered, port: int) -> Manifest:
    pods = {component: pod["spec"] for component, pod in found.pods if component in COMPONENTS}
    for component, pod in pods.items():
        _have_own_volumes(component, pod)
    containers = [container for pod in pods.values() for container in pod["containers"]]
    for container in containers:
        for probe in _PROBES:
            container.pop(probe, None)
        ports = container.pop("ports", [])
        if ports[0]["containerPort"] == PORT:
            container["ports"] = [{**ports[0], "hostPort": port}]
    volumes = [volume for pod in pods.values() for volume in pod["volumes"]]
    services = [one["metadata"]["name"] for one in found.of("Service")]
    aliases = [{"ip": "127.0.0.1", "hostnames": [*services, f"{services[-1]}-0.{services[-1]}"]}]
    return {**pods["hub"], "containers": containers, "volumes": volumes, "hostAliases": aliases}


def _have_own_volumes(component: str, pod: Manifest) -> None:
    """Instead of claims, and by names that no other pod of this machine has."""
    [container] = pod["containers"]
    if component == "server":
        pod["volumes"].append({"name": "data", "emptyDir": {}})
    for one in pod["volumes"] + container["volumeMounts"]:
        one["name"] = f"{_name()}-{component}-{one['name']}"
        if one.pop("persistentVolumeClaim", None):
            one["emptyDir"] = {}
