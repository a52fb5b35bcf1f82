"""The profile that brings a forge: its user, its repository, its webhook, and a push through it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.engines.docker import Engine
from tests.support.engines.images import FORGE
from tests.support.engines.stacks import GITEA, GITEA_COMMAND, Stack, git, prepared
from tests.support.forge_apis.server import TOKEN
from tests.support.redis_servers import wait_for

ROOT = Path(__file__).parents[2]
UP = ("--profile", "gitea", "up", "--detach", "--wait", "--wait-timeout", "180")


@pytest.fixture(scope="module")
def stack(stock: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, int]]:
    """One that is up, as `docker compose --profile gitea up --wait` says; and Gitea's port."""
    [port] = free_ports(1)
    with prepared(stock, tmp_path_factory.mktemp("stack"), "compose.yaml") as found:
        with (found.directory / ".env").open("a") as settings:
            settings.write(f"GITEA_PORT={port}\n")
        (found.directory / "forge.yaml").write_text(GITEA.format(image=FORGE, checkout=ROOT))
        command = found.directory / "gitea-command"
        command.write_text(GITEA_COMMAND)
        command.chmod(0o755)
        try:
            found(*UP)
            yield found, port
        finally:
            found("--profile", "gitea", "down", "--volumes", "--timeout", "5")


def test_a_push_to_its_forge_is_delivered(stack: tuple[Stack, int], tmp_path: Path) -> None:
    """The example runs; a commit to it is announced by the webhook and replaces the program."""
    found, port = stack
    assert found.says("Hello", found.program_ports[0])
    clone = tmp_path / "clone"
    url = f"http://directcd:{TOKEN}@127.0.0.1:{port}/directcd/greeter.git"
    subprocess.run(["git", "clone", "-q", url, clone], check=True)
    program = clone / "greeter.py"
    program.write_text(program.read_text().replace("Hello", "Good day"))
    git(clone, "-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qam", "Two")
    git(clone, "push", "-q")
    wait_for(lambda: found.says("Good day", found.program_ports[0]), "not delivered", 60)
    verdicts = [
        one["verdict"] for one in found.deliveries("repository=gitea:3000/directcd/greeter")
    ]
    assert verdicts[0] == "matched"


def test_it_may_be_brought_up_again(stack: tuple[Stack, int]) -> None:
    """There is still one webhook, and no second user."""
    found, _ = stack
    found("--profile", "gitea", "up", "--detach", "--force-recreate", "--no-deps", "gitea-user")
    found(
        "--profile", "gitea", "up", "--detach", "--force-recreate", "--no-deps", "gitea-repository"
    )

    def ended() -> bool:
        return not found("ps", "--services", "--status", "running").count("gitea-repository")

    wait_for(ended, "goes on", 60)
    said = found("--profile", "gitea", "logs", "--no-color", "gitea-repository")
    assert "is there already" in said or "proven" in said, said
