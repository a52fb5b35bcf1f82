"""The demo's world: a directory with a repository and a configuration, and processes over it."""

import asyncio
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from cd4sources.running.commands import reap_leftovers
from directcd.demo import files

T = TypeVar("T")

PARTS = ("hub", "server", "client")
STOP_SECONDS = 8.0
WAIT_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.01
GIT_IDENTITY = {
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@example.invalid",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@example.invalid",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class DemoError(Exception):
    """Something the demo relies on did not happen; the message says what, and shows the logs."""


class World:
    """
    A repository, a configuration and the processes that deliver the one by the other.

    Use it as a context manager: leaving ends every process and removes every file.
    """

    def __init__(self, *, poll_interval_seconds: float = 30.0) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="directcd-demo-"))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._interrupted = False
        ports = free_ports(4)
        self.git_port, self.hub_port, self.server_port, self.program_port = ports
        self.repository_url = f"git://127.0.0.1:{self.git_port}/acme/greeter.git"
        self.hub_url = f"http://127.0.0.1:{self.hub_port}"
        self._bare = self.root / "git/acme/greeter.git"
        self._work = self.root / "work"
        self._values = {**vars(self), "python": sys.executable,
                        "webhook_url": f"{self.hub_url}/webhooks/github/main",
                        "poll_interval_seconds": poll_interval_seconds}  # fmt: skip

    def __enter__(self) -> Self:
        try:
            self._make_repository()
            self._write("secret", secrets.token_hex(32)).chmod(0o600)
            self.config = self._write("directcd.toml", files.CONFIG % self._values)
            self._serve_git()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process, gently first, and remove the directory; a second Ctrl-C waits."""
        with _handled(signal.SIG_IGN):
            for name in reversed(list(self._processes)):
                self.stop(name)
            for part in ("server", "client"):  # what a killed one has left running
                asyncio.run(reap_leftovers(self.root / part))
            shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let SIGINT, SIGTERM and SIGHUP unwind the stack, so that the world cleans up."""

        def interrupt(*_: object) -> None:
            # Remembered, too: what is raised within a finalizer gets lost.
            self._interrupted = True
            raise KeyboardInterrupt

        with _handled(interrupt):
            yield

    # --- the repository -------------------------------------------------------------------------

    def commit(self, message: str) -> str:
        """Change what the program says, commit it, and return the commit; nothing is pushed."""
        return self.commit_files(
            {"greeter.py": files.program(message), "build.sh": files.BUILD}, message
        )

    def commit_files(self, contents: dict[str, str], message: str) -> str:
        """Write files, commit them, and return the commit; nothing is pushed."""
        for name, text in contents.items():
            (self._work / name).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def push(self) -> None:
        """Push for real; the receive hook tells the hub."""
        self._git("push", "--quiet", "origin", "main")

    def _make_repository(self) -> None:
        self._work.mkdir()
        self._bare.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self._bare))
        self._git("init", "--quiet", "--initial-branch=main", str(self._work))
        self._git("remote", "add", "origin", str(self._bare))
        hook = self._bare / "hooks/post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(files.HOOK % self._values)
        hook.chmod(0o755)

    def _serve_git(self) -> None:
        self._spawn(
            "git daemon",
            ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1",
             f"--port={self.git_port}", f"--base-path={self.root / 'git'}"],
        )  # fmt: skip
        self.wait_for("git daemon to listen", lambda: port_open(self.git_port))

    def _git(self, *arguments: str) -> str:
        result = subprocess.run(
            ["git", *arguments],  # noqa: S607 - git comes from PATH, as for the product
            cwd=self._work,
            env=environment() | GIT_IDENTITY,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise DemoError(f"git {arguments[0]} failed: {result.stderr.strip()}")
        return result.stdout

    # --- the processes --------------------------------------------------------------------------

    def start(self, part: str) -> None:
        """Start the hub, the server or the client as a process of its own."""
        command = [sys.executable, "-m", "directcd", part, "--config", str(self.config)]
        self._spawn(part, command)

    def kill(self, part: str) -> None:
        """SIGKILL one process, and only it: what a crash does."""
        process = self._processes.pop(part)
        process.kill()
        process.wait()

    def stop(self, part: str) -> None:
        """SIGTERM, then SIGKILL for whatever is left of the process group."""
        process = self._processes.pop(part)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            _kill_group(process.pid)

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.root / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )

    # --- looking --------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the hub takes deliveries and the server follows it."""
        try:
            return bool(self.hub("/v1/subscriptions")["subscriptions"])
        except OSError:
            return False

    def hub(self, path: str) -> Any:
        """What the hub answers to a GET, decoded; raises OSError when it does not answer."""
        return json.loads(fetch(f"{self.hub_url}{path}"))

    def stages(self, commit: str) -> list[dict[str, Any]]:
        """The stages reported so far for a commit."""
        traces = self.hub("/v1/targets/greeter/timeline")["traces"]
        return next((t["stages"] for t in traces if t["commit"] == commit), [])

    def answer(self) -> str:
        """What the running program says, "" while none does."""
        try:
            return fetch(f"http://127.0.0.1:{self.program_port}/").decode()
        except (OSError, http.client.HTTPException):
            return ""

    def wait_for(self, what: str, condition: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
        """
        The condition's first true value.

        Raises:
            DemoError: it stayed false, or a process ended meanwhile.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if self._interrupted:
                raise KeyboardInterrupt
            if value:
                return value
            self._check_processes()
            time.sleep(LOOK_EVERY_SECONDS)
        raise DemoError(f"waited {seconds:g} s for {what}\n{self.logs()}")

    def logs(self) -> str:
        """The last lines of every process."""
        tails = [f"--- {p.name}\n{_tail(p)}" for p in sorted(self.root.glob("*.log"))]
        return "\n".join(tails)

    def _check_processes(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise DemoError(f"{name} ended with code {process.returncode}\n{self.logs()}")

    def _write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text)
        return path


def environment() -> dict[str, str]:
    """Ours, without what would make git or directcd work on something else than the demo's."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DIRECTCD_"))}


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; all are held until the last is found, so none is given twice."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for listener in sockets:
        listener.close()
    return ports


def port_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fetch(url: str) -> bytes:
    """The body behind a loopback URL; raises OSError when there is none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return bytes(answer.read())


@contextmanager
def _handled(handler: Callable[..., None] | signal.Handlers) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP handled so within the block, and as before behind it."""
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(ending, handler) for ending in endings]
    try:
        yield
    finally:
        for ending, earlier in zip(endings, before, strict=True):
            signal.signal(ending, earlier)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-20:])
