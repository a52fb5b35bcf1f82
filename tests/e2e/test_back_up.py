"""Back up while everything runs, restore as the page says, and see what comes of it."""

import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from directcd.demo.world import fetch, free_ports
from tests.support.pages.blocks import Block, blocks
from tests.support.pages.following import ROOT, Reader

BACK_UP, RESTORE_HUB, RESTORE_SERVER, LOOK = (
    block for block in blocks(ROOT / "docs/how-to/back-up.md") if block.is_run
)
CONFIG = """
[hub]
listen = "127.0.0.1:{hub}"
data = "{home}/lib/hub"
[hub.sources.main]
provider = "generic"
insecure = true
[server]
listen = "127.0.0.1:{server}"
hub = "http://127.0.0.1:{hub}"
data = "{home}/lib/server"
poll_interval_seconds = 3600
[[target]]
name = "shop"
repositories = [{{ url = "git://127.0.0.1:{git}/shop.git", ref = "main" }}]
"""
# Comes back when the service does its work, or is gone. Nobody listens for the hub but itself.
SYSTEMCTL = """#!/bin/sh
set -eu
cd ~
if [ "$2" = directcd-hub.socket ]; then set -- "$1" "$3"; fi
set -- "$1" "${{2%.service}}"
case $1 in
start)
    directcd "${{2#directcd-}}" -c ~/etc/directcd/directcd.toml >> "$2.log" 2>&1 &
    echo $! > "$2.pid"
    case $2 in *-hub) port={hub} ;; *) port={server} ;; esac
    until directcd health "http://127.0.0.1:$port"; do sleep 0.1; done ;;
stop)
    kill "$(cat "$2.pid")"
    while kill -0 "$(cat "$2.pid")"; do sleep 0.1; done ;;
esac > /dev/null 2>&1
"""
REPOSITORY = """
chmod +x ~/bin/systemctl
git init --quiet --bare --initial-branch=main ~/forge/shop.git
git daemon --reuseaddr --export-all --listen=127.0.0.1 --port={git} --base-path="$HOME/forge" &
git init --quiet --initial-branch=main ~/work
cd ~/work
git remote add origin ~/forge/shop.git
echo 'case $1 in artifact) echo program ;; esac' > build.sh
systemctl start directcd-hub
"""
PUSH = """
cd ~/work
echo '#!/bin/sh' > program && echo '# {text}' >> program && chmod +x program
git add . && git commit --quiet -m {text} && git push --quiet origin main
after=$(git rev-parse HEAD)
printf '{{"repository": "git://127.0.0.1:{git}/shop.git", "ref": "main", "after": "%s"}}' $after |
    curl --silent --fail --output answer --header 'Content-Type: application/json' --data @- \\
    http://127.0.0.1:{hub}/webhooks/generic/main
"""
BUILT = """
until directcd versions list shop | grep "$(git -C ~/work rev-parse --short=12 HEAD)"; do
    sleep 0.1
done
"""


class Operator:
    """Somebody at a terminal, with a hub, a server and a repository."""

    def __init__(self, reader: Reader, ports: dict[str, int]) -> None:
        self._reader = reader
        self._ports = ports
        self.log = reader.home / "lib/hub/log.sqlite3"
        self._hub = f"http://127.0.0.1:{ports['hub']}"
        home = str(reader.home)
        for name, text in {
            "bin/systemctl": SYSTEMCTL,
            "etc/directcd/directcd.toml": CONFIG,
        }.items():
            file = reader.home / name
            file.parent.mkdir(parents=True)
            file.write_text(text.format(home=home, **ports))
        self.do(REPOSITORY)

    def do(self, commands: str, **words: str) -> str:
        """Type commands; what they print."""
        return self.follow(Block("here", "sh", commands.format(**words, **self._ports), ()))

    def follow(self, block: Block) -> str:
        """Type what a page says; what is printed."""
        return self._reader.type(block)

    def cursor(self) -> str:
        """Where the hub's log ends."""
        with urllib.request.urlopen(f"{self._hub}/v1/events") as answer:  # noqa: S310 - loopback
            return str(answer.headers["X-Directcd-Cursor"])

    def gap_after(self, cursor: str) -> str:
        """What the hub tells somebody who has heard of all up to a cursor; empty for no gap."""
        answer = self._asked(f"/v1/events?timeout=0&after={cursor}")
        return str(answer["gap"]) if answer else ""

    def deliveries(self) -> int:
        """How many the hub remembers."""
        return len(self._asked("/v1/deliveries")["deliveries"])

    def _asked(self, path: str) -> Any:
        return json.loads(fetch(f"{self._hub}{path}") or b"null")


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """Everything runs."""
    ports = dict(zip(("hub", "server", "git"), free_ports(3), strict=True))
    home = tmp_path / "home"
    places = {"/var/lib/directcd": "lib", "/var/backups/directcd": "backups", "/etc": "etc"}
    changes = {place: str(home / ours) for place, ours in places.items()}
    asked = {"DIRECTCD_SERVER_URL": f"http://127.0.0.1:{ports['server']}"}
    with Reader(tmp_path, changes, asked) as reader:
        yield Operator(reader, ports)


def test_a_log_that_is_set_back_tells_whoever_knows_more(operator: Operator) -> None:
    """Those at the backup go on without a gap, the others get one, also when numbers come again."""
    operator.do("systemctl start directcd-server")
    operator.do(PUSH, text="first")
    operator.do(BUILT)
    at_the_backup = operator.cursor()
    assert "the log is ok" in operator.follow(BACK_UP)
    operator.do(PUSH, text="second")
    ahead = operator.cursor()
    operator.follow(RESTORE_HUB)
    assert (operator.gap_after(at_the_backup), operator.deliveries()) == ("", 1)
    assert operator.gap_after(ahead) == "the log was set back to an older state"
    operator.do(PUSH, text="third")
    assert operator.gap_after(ahead) == "the log was set back, and its positions were used again"
    operator.do(BUILT)  # by the server that was there all the time, and has subscribed again


def test_a_server_offers_what_the_backup_has(operator: Operator) -> None:
    """The pin, too; without a backup the newest is built again, under the same version."""
    operator.do("systemctl start directcd-server")
    operator.do(PUSH, text="first")
    operator.do(BUILT)
    operator.do(PUSH, text="second")
    operator.do(BUILT)
    operator.do("directcd versions rollback shop")
    kept = operator.follow(LOOK)
    operator.follow(BACK_UP)
    operator.do("rm -rf ~/lib/server/* && mkdir ~/lib/server/versions")
    operator.follow(RESTORE_SERVER)
    assert "pinned" in kept
    assert operator.follow(LOOK) == kept
    operator.do(
        "systemctl stop directcd-server; rm -rf ~/lib/server/*; systemctl start directcd-server"
    )
    operator.do(BUILT)
    [newest] = operator.follow(LOOK).splitlines()[1:]
    assert newest.split()[0] in kept


def test_a_log_that_a_later_version_has_changed_is_refused(operator: Operator) -> None:
    """An earlier one says so and leaves it as it is: docs/how-to/upgrade.md."""
    operator.do("systemctl stop directcd-hub")
    with closing(sqlite3.connect(operator.log)) as log:
        log.execute("PRAGMA user_version = 999")
    said = operator.do("! directcd hub -c ~/etc/directcd/directcd.toml")
    assert "the log was made by a later directcd (its version is 999)" in said
