"""The chart's hub in a pod that runs, as far as podman reads manifests as Kubernetes does."""

import asyncio
import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines.docker import Engine, EngineMissing
from tests.support.engines.played import Pod, Podman, played, podman
from tests.support.engines.played_together import commit, together
from tests.support.hub_process import deliver
from tests.support.waiting import eventually

SENDERS = 4
STOPS = 3
BETWEEN = 200  # deliveries that are answered before each stop
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def ours(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """Podman with the image of this checkout."""
    try:
        return podman(tmp_path_factory.mktemp("podman"), engine)
    except EngineMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def pod(ours: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """The hub of the chart, ready."""
    with played(ours, tmp_path_factory.mktemp("pod")) as found:
        wait_until_ready(found)
        yield found


def wait_until_ready(pod: Pod) -> None:
    """Until its readiness probe would succeed."""
    asyncio.run(eventually(lambda: is_ready(pod)))


def is_ready(pod: Pod) -> bool:
    """What the kubelet asks."""
    with suppress(OSError):
        return bool(asked(pod, "/readyz")["status"] == "ok")
    return False


def asked(pod: Pod, path: str) -> Any:
    """What the hub answers."""
    with _NO_PROXY.open(f"http://127.0.0.1:{pod.port}{path}", timeout=5) as answer:
        return json.load(answer)


def test_the_pod_is_as_restricted_as_it_says(pod: Pod) -> None:
    """Its user, its rights, its root, its memory; and it runs all the same."""
    assert_restricted(pod)
    assert pod.inspect()["HostConfig"]["Memory"] == 512 * 1024 * 1024


def assert_restricted(pod: Pod) -> None:
    """What the chart says of every container's rights is so."""
    found = pod.inspect()
    assert found["Config"]["User"] == "10001:10001"
    assert not found["EffectiveCaps"]
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
    assert pod.run("id", "-u").strip() == "10001"
    places = "/ /etc/directcd /run/secrets /run/secrets/directcd/* /opt /tmp /var/lib/directcd/*"
    try_each = "if touch $one/probe 2>/dev/null; then rm $one/probe; echo $one; fi"
    writable = pod.run("sh", "-c", f"for one in {places}; do {try_each}; done").split()
    assert writable == ["/tmp", f"/var/lib/directcd/{pod.container.rpartition('-')[2]}"]


def test_what_helm_test_runs_succeeds(pod: Pod) -> None:
    """`directcd health`, from a container of the image."""
    assert pod.run("directcd", "health").strip().endswith(": ok")


async def test_a_signed_webhook_is_taken_and_another_is_not(pod: Pod) -> None:
    """The secret is the Secret's."""
    assert (await deliver(pod.port, 1, pod.secret))[0] == 202
    assert (await deliver(pod.port, 2, b"wrong"))[0] == 401


async def test_stops_under_load_lose_nothing_that_was_acknowledged(pod: Pod) -> None:
    """Who is connected is answered, who is not is refused; what was taken is there afterwards."""
    load = Load(pod)
    async with asyncio.TaskGroup() as tasks:
        for first in range(SENDERS):
            tasks.create_task(load.send(first), name=f"sender {first}")
        for _ in range(STOPS):
            await load.has_taken(BETWEEN)
            assert await asyncio.to_thread(pod.stop) == 0
            await asyncio.to_thread(pod.start)
            await eventually(lambda: is_ready(pod))
        load.is_over.set()
    kept = {one["explanation"]["event"]["after"] for one in deliveries(pod)}
    print(f"{STOPS} stops, {len(load.taken)} taken, {dict(load.others)}")  # noqa: T201
    assert load.taken <= kept
    assert load.others.keys() <= {"refused"}


class Load:
    """Senders who do not stop when nobody listens."""

    def __init__(self, pod: Pod) -> None:
        self.port, self.secret = pod.port, pod.secret
        self.taken: set[str] = set()
        self.others: Counter[str] = Counter()
        self.is_over = asyncio.Event()

    async def has_taken(self, more: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.taken) + more
        await eventually(lambda: len(self.taken) >= wanted)

    async def send(self, first: int) -> None:
        """Deliver one after the other until it is over."""
        number = first + 1000
        while not self.is_over.is_set():
            number += SENDERS
            await self._deliver(number)

    async def _deliver(self, number: int) -> None:
        try:
            status, _ = await deliver(self.port, number, self.secret)
        except ConnectionRefusedError:
            self.others["refused"] += 1
            await asyncio.sleep(0.01)  # this process has more to do than to knock
        except (OSError, IndexError) as error:
            self.others[type(error).__name__] += 1
        else:
            assert status == 202
            self.taken.add(f"{number:040x}")  # its commit, as ten_kilobytes has it


def deliveries(pod: Pod) -> list[dict[str, Any]]:
    """All that the hub knows, newest first."""
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        page = asked(pod, f"/v1/deliveries?limit=500{before}")
        found += page["deliveries"]
        if not page["next"]:
            return found
        before = f"&before={page['next']}"


async def test_what_is_committed_runs(ours: Podman, tmp_path: Path) -> None:
    """Built by the chart's server and run by its client, neither with more rights than the hub."""
    repository = tmp_path / "shop"
    commit(repository, "one")
    with together(ours, tmp_path, repository) as pods:
        await eventually(lambda: said(pods["client"]) == "one")
        commit(repository, "two")
        await eventually(lambda: said(pods["client"]) == "two")
        for pod in pods.values():
            assert_restricted(pod)
        for pod in pods.values():
            assert pod.stop() == 0, pod.logs()


def said(pod: Pod) -> str:
    """What the program answers; nothing while there is none."""
    with suppress(OSError), _NO_PROXY.open(f"http://127.0.0.1:{pod.port}/", timeout=5) as answer:
        return str(answer.read().decode())
    return ""
