"""The hub replicas: real `directcd hub` processes that can be killed and started again."""

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.http import Answer, NoAnswer, Refused, request
from tests.chaos.timeline import Timeline
from tests.support.deliveries import SECRET

CONFIG = f"""
[hub]
listen = "127.0.0.1:{{port}}"
data = "{{data}}"
redis = "{{redis}}"
callback_allowed_networks = ["127.0.0.0/8"]
[hub.sources.main]
provider = "github"
secrets = ["{SECRET.decode()}"]
"""
START_SECONDS = 30.0
PAUSE_SECONDS = 0.005


def quiet_ports(count: int) -> list[int]:
    """Ports from which the kernel takes none for outgoing connections: free, and they stay so."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(12_000, 32_000)  # noqa: S311 - nobody's secret
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


@dataclass
class Life:
    """One process of a hub, from its start until it was ready."""

    label: str
    started: float
    ready: float = float("inf")


class HubProcess:
    """
    One replica.

    Attributes:
        name: its letter.
        port: its own for good.
        lives: its processes, the present one last.
    """

    def __init__(self, name: str, directory: Path, redis_url: str, timeline: Timeline) -> None:
        self.name = name
        [self.port] = quiet_ports(1)
        self.lives: list[Life] = []
        self.data = directory / name
        self._timeline = timeline
        self._file = directory / f"{name}.toml"
        self._log = directory / f"{name}.log"
        self._file.write_text(CONFIG.format(port=self.port, data=self.data, redis=redis_url))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def label(self) -> str:
        """Which process of which replica this is."""
        return self.lives[-1].label

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        life = Life(f"{self.name}#{len(self.lives) + 1}", time.monotonic())
        self.lives.append(life)
        self._process = self._spawn()
        while await self.get("/livez") is None:
            assert self._process.poll() is None, f"{life.label} ended: see {self._log}"
            assert time.monotonic() < life.started + START_SECONDS, f"{life.label} does not answer"
            await asyncio.sleep(0.02)
        life.ready = time.monotonic()
        self._timeline.note(f"hub {life.label} answers")

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "directcd", "hub", "-c", str(self._file)]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    async def get(self, target: str) -> Answer | None:
        """An answer, if there is one now."""
        with suppress(Refused, NoAnswer):
            return await request(self.port, target, seconds=5)
        return None

    async def post(self, target: str, document: dict[str, Any]) -> Answer:
        """The answer to a POST of JSON."""
        headers = {"Content-Type": "application/json"}
        return await request(self.port, target, body=json.dumps(document).encode(), headers=headers)

    async def health(self) -> dict[str, Any]:
        """What `/readyz` says; empty when nothing."""
        answer = await self.get("/readyz")
        if answer is None or answer.status != 200:
            return {}
        found: dict[str, Any] = json.loads(answer.body)
        return found

    async def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        await self._ended()

    async def terminate(self) -> float:
        """SIGTERM; how long it took."""
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        await self._ended()
        assert self._process is not None
        assert self._process.returncode == 0, f"{self.label} ended with {self._process.returncode}"
        return time.monotonic() - began

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Leave no process behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._timeline.note(f"hub {self.label} gets {number.name}")
        self._process.send_signal(number)

    async def _ended(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(20):
            while self._process.poll() is None:
                await asyncio.sleep(PAUSE_SECONDS)
        self._timeline.note(f"hub {self.label} has ended")
