"""`directcd subscriptions`, against a hub in a process of its own."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_command import directcd
from tests.support.deliveries import SHOP
from tests.support.hub_process import running_hub

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The command, told where the hub is."""
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        url = f"http://127.0.0.1:{hub.port}"
        yield lambda *words: directcd("subscriptions", *words, "--hub", url)


def data(run: Run, *words: str) -> dict[str, Any]:
    """What it prints with --json."""
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_subscription_is_added_paused_resumed_and_removed(run: Run) -> None:
    """By its name or its id; it is listed with its state."""
    added = data(run, "add", "bot", "-r", SHOP, "--ref", "main", "--path", "src/**")
    assert added["repositories"][0]["paths"] == ["src/**"]
    assert data(run, "pause", "bot")["paused"]
    assert "bot   paused  stream" in run("list").stdout
    assert not data(run, "resume", added["id"])["paused"]
    assert data(run, "remove", "bot") == {"removed": added["id"]}
    assert data(run, "list")["subscriptions"] == []


def test_a_callback_tells_its_secret_once(run: Run, tmp_path: Path) -> None:
    """The one that the hub has made; one that was given is not told."""
    words = ("add", "called", "-r", SHOP, "--callback", "https://1.1.1.1/pushes")
    assert "whsec_" in run(*words).stdout
    secret = tmp_path / "secret"
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    given = run(*words, "--secret-file", str(secret))
    shown = run("show", "called")
    assert "whsec_" not in given.stdout + shown.stdout
    assert "callback https://1.1.1.1/pushes" in shown.stdout


def test_a_name_that_is_not_there_is_said_with_those_that_are(run: Run) -> None:
    """Code 1, as for every "no"."""
    data(run, "add", "nightly", "-r", SHOP)
    done = run("pause", "nightlee")
    assert (done.returncode, "nightly" in done.stderr) == (1, True)


def test_passwords_are_refused(run: Run) -> None:
    """Every user of the machine could read them."""
    assert run("add", "x", "-r", "https://ada:pw@git.example.com/a/b").returncode == 2
