"""The how-to as it is written, on a machine that systemd has booted, and what systemd then does."""

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines.booted import ROOT, Machine, answered, booted

HOW_TO = ROOT / "docs/how-to/run-as-a-service.md"
FORGE, OURS = "https://git.example.com/acme/shop.git", "git://127.0.0.1/shop.git"
HUB, SERVER, CLIENT = "directcd-hub", "directcd-server", "directcd-client@shop"
RESTARTS = 20
WRONG_STARTS, RESTART_SECONDS = 4, 2
WATCHDOG_SECONDS = 4
SECRET = "/etc/directcd/secrets/hub/github"

# A program with a daemon that has left its session, and a build that has nothing to do.
REPOSITORY = """
mkdir -p /srv/git /tmp/shop && cd /tmp/shop && git init --quiet --initial-branch=main
printf 'case $1 in artifact) echo program;; esac\\n' > build.sh
printf '#!/bin/sh\\nsetsid sleep 3001 &\\nexec sleep 3000\\n' > program
chmod +x program
git add --all
git -c user.name=dev -c user.email=dev@example.com commit --quiet --message first
git clone --quiet --bare . /srv/git/shop.git
systemd-run --quiet --unit=forge git daemon --base-path=/srv/git --export-all /srv/git
"""

STUBBORN_SECONDS = 6
STUBBORN = """
cd /tmp/shop
printf '#!/bin/sh\\ntrap "" TERM\\nsetsid sleep 4001 &\\nexec sleep 4000\\n' > program
git -c user.name=dev -c user.email=dev@example.com commit --quiet --all --message stubborn
git push --quiet /srv/git/shop.git main
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which somebody has done everything that the how-to says, in its order."""
    with booted(tmp_path_factory.mktemp("machine")) as found:
        found.run(REPOSITORY)
        for block in blocks(HOW_TO):
            found.run(block.replace(FORGE, OURS))
        yield found


def blocks(page: Path) -> list[str]:
    """The commands of a page, a script each."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def eventually(machine: Machine, condition: str, seconds: float = 60) -> None:
    """Wait until a command there succeeds."""
    waiting = shlex.quote(f"until {condition}; do sleep 0.1; done")
    machine.run(f"timeout {seconds} sh -c {waiting}")


def user_of(machine: Machine, unit: str) -> str:
    """Whom a service runs as, this time."""
    return machine.run(f"ps -o user:32= -p {machine.shows(unit, 'MainPID')}").strip()


def as_user(user: str) -> str:
    """What makes a command another user's."""
    return f"setpriv --reuid {user} --clear-groups"


SENDING = ["env", "PYTHONPATH=/repository", "PYTHONDONTWRITEBYTECODE=1",
           "/opt/directcd/bin/python", "-m", "tests.support.sending", "8080", SECRET]  # fmt: skip


def test_everything_runs_and_says_what_it_does(machine: Machine) -> None:
    """Type=notify: a service that is started does its work."""
    for unit in (HUB, SERVER, CLIENT):
        assert machine.shows(unit, "SubState") == "running"
    assert machine.shows(HUB, "StatusText").startswith("hub: ")
    assert machine.shows(SERVER, "StatusText").startswith("server: shop v-")
    assert machine.shows(CLIENT, "StatusText").endswith(" runs")


def test_restarts_under_load_refuse_no_delivery(machine: Machine) -> None:
    """The socket is systemd's, so who connects in between waits for the next hub."""
    sending = machine.started(SENDING)
    began = time.monotonic()
    for _ in range(RESTARTS):
        machine.run(f"systemctl restart {HUB}")
    seconds = time.monotonic() - began
    found = answered(sending)
    assert set(found) == {"202"}
    assert found["202"] > RESTARTS
    print(f"{RESTARTS} restarts in {seconds:.1f} s, {found['202']} deliveries taken")  # noqa: T201


def test_what_was_delivered_is_there_after_a_restart(machine: Machine) -> None:
    """State is the service's own directory, whoever its user is this time."""
    count = "directcd deliveries list --json | wc -l"
    before = machine.run(count)
    user = user_of(machine, HUB)
    machine.run(f"systemctl restart {HUB}")
    assert int(machine.run(count)) == int(before) > 0
    assert user != "root"


def test_a_killed_service_is_started_again(machine: Machine) -> None:
    """All three, and the program with its client."""
    for unit in (HUB, SERVER, CLIENT):
        pid = machine.shows(unit, "MainPID")
        machine.run(f"kill -9 {pid}")
        eventually(machine, f"test $(systemctl show -P MainPID {unit}) -gt 0 && "
                            f"test $(systemctl show -P MainPID {unit}) != {pid} && "
                            f"systemctl is-active --quiet {unit}")  # fmt: skip
    assert machine.run("pgrep -fc 'sleep 300[01]'").strip() == "2"


def test_a_stuck_process_is_killed_by_the_watchdog(machine: Machine) -> None:
    """One that is stopped pings no more than one whose loop is stuck."""
    place = f"/run/systemd/system/{HUB}.service.d"
    limit = f"[Service]\\nWatchdogSec={WATCHDOG_SECONDS}\\n"
    machine.run(f"mkdir -p {place}; printf '{limit}' > {place}/watchdog.conf")
    machine.run(f"systemctl daemon-reload; systemctl restart {HUB}")
    pid, began = machine.shows(HUB, "MainPID"), time.monotonic()
    machine.run(f"kill -STOP {pid}")
    eventually(machine, f"! kill -0 {pid} 2>/dev/null")
    seconds = time.monotonic() - began
    eventually(machine, "directcd health")
    assert "Watchdog timeout" in machine.run(f"journalctl --unit {HUB} --no-pager")
    machine.run(f"rm -r {place}; systemctl daemon-reload; systemctl restart {HUB}")
    print(f"killed {seconds:.1f} s after it stood still, of {WATCHDOG_SECONDS} s")  # noqa: T201


@pytest.mark.parametrize("who", ["nobody", SERVER, CLIENT])
def test_credentials_are_for_their_service_alone(machine: Machine, who: str) -> None:
    """Neither the file on disk nor the copy in memory."""
    user = who if who == "nobody" else user_of(machine, who)
    for name in ("secrets_github", "directcd.toml"):
        reading = f"{as_user(user)} cat /run/credentials/{HUB}.service/{name} 2>&1 || true"
        assert "Permission denied" in machine.run(reading)
    assert "Permission denied" in machine.run(f"{as_user(user)} cat {SECRET} 2>&1 || true")
    machine.run(f"cat /run/credentials/{HUB}.service/secrets_github")


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_builds_and_programs_can_read_what_their_service_can(machine: Machine, unit: str) -> None:
    """As the page says; so nothing of the hub's is in there."""
    file = f"/run/credentials/{unit}.service/directcd.toml"
    found = machine.run(f"{as_user(user_of(machine, unit))} cat {file}")
    assert OURS in found
    assert "[hub" not in found


def test_a_program_may_take_longer_to_stop_than_systemd_was_told(machine: Machine) -> None:
    """As long as directcd asks for more time, it is not killed before it has killed the program."""
    place, file = f"/run/systemd/system/{CLIENT}.service.d", "/etc/directcd/shop.toml"
    machine.run(f"mkdir -p {place}; printf '[Service]\\nTimeoutStopSec=1\\n' > {place}/stop.conf")
    machine.run(f"echo 'stop_timeout_seconds = {STUBBORN_SECONDS}' >> {file}")
    machine.run(STUBBORN)
    machine.run(f"systemctl daemon-reload; systemctl restart {CLIENT}; directcd notify {OURS}")
    eventually(machine, "pgrep --exact --full 'sleep 4000'")
    eventually(machine, "! pgrep --exact --full 'sleep 3000'")
    began = time.monotonic()
    machine.run(f"systemctl restart {CLIENT}")
    assert time.monotonic() - began > STUBBORN_SECONDS
    assert "timed out" not in machine.run(f"journalctl --unit {CLIENT} --no-pager --since -1min")
    machine.run(f"rm -r {place}; systemctl daemon-reload")


def test_nothing_of_a_program_is_left_after_its_client(machine: Machine) -> None:
    """Not even a daemon that has left its session."""
    machine.run(f"systemctl stop {CLIENT}")
    assert machine.run("pgrep -f 'sleep [34]00[01]' || true") == ""
    assert machine.shows(CLIENT, "Result") == "success"


def test_a_wrong_configuration_is_said_and_not_tried_again(machine: Machine) -> None:
    """The journal has the sentence, and the state is `failed`."""
    file = "/etc/directcd/server.toml"
    machine.run(f"cp {file} /tmp/right.toml; echo 'nonsense = 1' >> {file}")
    machine.run(f"! systemctl restart {SERVER}")
    assert machine.shows(SERVER, "ExecMainStatus") == "2"
    assert machine.shows(SERVER, "SubState") == "failed"
    assert "nonsense" in machine.run(f"journalctl --unit {SERVER} --no-pager --lines 5")
    machine.run(f"cp /tmp/right.toml {file}; systemctl restart {SERVER}")


def test_who_connects_to_a_hub_that_cannot_start_makes_no_busy_loop(machine: Machine) -> None:
    """It is started at its own pace, and runs when its file has been mended."""
    file, starts = "/etc/directcd/hub.toml", f"journalctl --unit {HUB} --no-pager --since=@"
    machine.run(f"cp {file} /tmp/right.toml; echo 'nonsense = 1' >> {file}")
    since = machine.run("date +%s").strip()
    machine.run(f"! systemctl restart {HUB}; timeout 1 bash -c ': < /dev/tcp/127.0.0.1/8080'")
    began = time.monotonic()
    failed = f"{starts}{since} | grep -c status=2"
    eventually(machine, f"test $({failed}) -gt {WRONG_STARTS}")
    assert time.monotonic() - began > (WRONG_STARTS - 1) * RESTART_SECONDS
    machine.run(f"cp /tmp/right.toml {file}")
    eventually(machine, "directcd health")
