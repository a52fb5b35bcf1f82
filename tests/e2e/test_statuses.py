"""What a forge shows of real pushes: hub, server, client and git are as they always are."""

from collections.abc import Iterator

import pytest

from directcd.demo import files
from directcd.demo.world import PARTS, World
from tests.support.forge_apis import FakeGitHub

BAD_BUILD = "echo compiling; echo 'greeter.c:3: no such thing' >&2; exit 3\n"
BAD_PROGRAM = "#!/bin/sh\necho 'cannot start: no config' >&2\nexit 7\n"


@pytest.fixture
def world() -> Iterator[World]:
    """A demo whose hub has a token of a forge."""
    with World() as made:
        yield made


@pytest.fixture
def forge(world: World) -> Iterator[FakeGitHub]:
    """The forge, where the hub writes."""
    fake = FakeGitHub(f"http://127.0.0.1:{world.git_port}")
    fake.repository("acme/greeter")
    keys = f'base_url = "{fake.web_url}"\napi_url = "{fake.url}"\napi_token = "{fake.token}"\n'
    text = world.config.read_text()
    world.config.write_text(text.replace('provider = "github"\n', f'provider = "github"\n{keys}'))
    yield fake
    fake.close()


@pytest.mark.timeout(120)
def test_commits_say_how_far_they_have_come(world: World, forge: FakeGitHub) -> None:
    """One that runs, one that cannot be built, one that ends, and one that was passed over."""
    for name in PARTS:
        world.start(name)
    world.wait_for("the server to follow the hub", world.ready)
    good = pushed(world, greeter("one"))
    until(world, forge, good, "success running on 1/1 client")
    bad = pushed(world, {"build.sh": BAD_BUILD})
    until(world, forge, bad, "failure building failed: greeter.c:3: no such thing")
    sick = pushed(world, {"build.sh": files.BUILD, "greeter.py": BAD_PROGRAM})
    until(world, forge, sick, "failure quarantined: it exited with status 7", "no config)")
    slow = files.BUILD.replace("mkdir -p out", "sleep 2; mkdir -p out")
    first = pushed(world, greeter("two", slow))
    until(world, forge, first, "pending building")
    passed = pushed(world, greeter("three", slow))
    until(world, forge, passed, "pending fetching")
    last = pushed(world, greeter("four", slow))
    until(world, forge, last, "success running on 1/1 client")
    until(world, forge, passed, f"success superseded by {last[:7]}")
    assert said(forge, good) == "success running on 1/1 client"


def greeter(message: str, build: str = files.BUILD) -> dict[str, str]:
    """The files of a program that says something."""
    return {"greeter.py": files.program(message), "build.sh": build}


def pushed(world: World, contents: dict[str, str]) -> str:
    """Commit and push; the commit."""
    commit = world.commit_files(contents, "change")
    world.push()
    return commit


def said(forge: FakeGitHub, commit: str) -> str:
    """What stands beside a commit now."""
    of_it = [document for _, of, document in forge.statuses if of == commit]
    return f"{of_it[-1]['state']} {of_it[-1]['description']}" if of_it else ""


def until(world: World, forge: FakeGitHub, commit: str, begins: str, ends: str = "") -> None:
    """Wait until this stands there."""

    def is_said() -> bool:
        text = said(forge, commit)
        return text.startswith(begins) and text.endswith(ends)

    world.wait_for(begins, is_said)
