"""`directcd pull` as a process: the literal command, real git, a real Go toolchain."""

import asyncio
import json
import os
import shlex
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.deliveries import push
from tests.support.githttp import GitServer
from tests.support.go_modules import GO_MARKS, go_root
from tests.support.hub_process import running_hub
from tests.support.pulled import GO_MOD, LIBRARY, library, program
from tests.support.pulling import DIRECTCD, QUICK, Place, hears, output, running, waiting_script
from tests.support.sources import Source
from tests.support.waiting import DEADLINE_SECONDS, eventually

WEBHOOK = "/webhooks/github/main"
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

pytestmark = GO_MARKS


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
    source.commit({"build.sh": build_sh, "words": waiting_script("first")})
    command = (*DIRECTCD, "--repo", str(source.path), "-t", "0.1", "--settle", "0", "-o", "app")
    async with running(place, *command):
        await place.answer("first _")
        for number in range(30):
            source.commit({"words": waiting_script(f"push{number}")})
            await asyncio.sleep(0.1)
        await place.answer("push29 _")
    lines = log.read_text().split()
    assert lines == ["begin", "end"] * (len(lines) // 2)
    assert 2 < len(lines) // 2 < 31


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
    source.commit({"build.sh": build_sh, "words": waiting_script("one")})
    with running_hub(tmp_path) as hub, GitServer.serving(tmp_path / "git") as server:
        url, address = server.url("acme/shop/.git"), f"http://127.0.0.1:{hub.port}"
        options = ("--branch", "main", "-t", "3600", "--settle", "0.1", "--hub", address)
        command = (*DIRECTCD, "--repo", url, *options, "-o", "app", "-v")
        async with running(place, *command) as process, httpx.AsyncClient(base_url=address) as http:
            await hears(process, b"subscribed")
            await place.answer("one _")
            delivery = push(source.commit({"words": waiting_script("two")}), url=url)
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
