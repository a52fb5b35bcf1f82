"""The log of a process, as machines read it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started, terminate
from tests.support.hub_process import HUB, deliver


@pytest.mark.parametrize(
    "words", [["--log-format", "json", "up"], ["--log-format=json", "up"]], ids=["two", "one"]
)
def test_the_format_may_stand_before_the_command(tmp_path: Path, words: list[str]) -> None:
    """As behind it."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(HUB.format(port=port, data=tmp_path / "hub"))
    command = [sys.executable, "-m", "directcd", *words, "-c", str(file)]
    with started(command, '"listening"') as process:
        assert terminate(process) == 0


def test_a_delivery_is_one_line_of_json_with_everything(tmp_path: Path) -> None:
    """And so is every other line."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(HUB.format(port=port, data=tmp_path / "hub"))
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file), "--log-format", "json"]
    with started(command, '"listening"') as process:
        status, _ = asyncio.run(deliver(port, 1))
        process.terminate()
        assert process.stderr
        lines = [json.loads(line) for line in process.stderr]
    [line] = [one for one in lines if one["message"] == "delivery"]
    assert (line["delivery"], line["status"], line["verdict"]) == (1, status, "no-match")
    assert (line["repository"], line["ref"]) == ("github.com/acme/shop", "refs/heads/main")
    assert (line["commit"], len(line["trace_id"])) == (f"{1:040x}", 32)
    assert line["bytes"] > 10_000
    assert line["ms"] > 0
