"""How-to pages, followed word for word by somebody whose shop is delivered by `directcd up`."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cd4sources.running.commands import reap_leftovers
from directcd.demo.world import fetch, free_ports
from tests.support.pages.blocks import Block
from tests.support.pages.following import ROOT, Reader

PAGES = (
    "operate-versions",
    "pull-directly",
    "subscribe",
    "see-why",
    "upgrade",
    "private-repositories",
    "rotate-secrets",
    "guard-a-hub",
    "guard-a-server",
)
PROGRAM = """#!/usr/bin/env python3
import http.server, sys
http.server.ThreadingHTTPServer.allow_reuse_port = True
address = ("127.0.0.1", int(sys.argv[2]) if sys.argv[1:] else 0)
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""
SET_UP = f"""
git init --quiet --bare --initial-branch=main forge/acme/shop.git
git daemon --reuseaddr --export-all --enable=receive-pack --listen=127.0.0.1 --port=9418 \\
    --base-path="$HOME/forge" &
until git clone --quiet git://127.0.0.1:9418/acme/shop.git; do sleep 0.1; done
cd shop
echo 'case $1 in artifact) echo program.py ;; esac' > build.sh
cat > program.py <<'EOF'
{PROGRAM}EOF
chmod +x program.py
git add . && git commit --quiet -m one && git push --quiet origin HEAD:main
directcd init --provider generic
sed -i 's/^# args = .*/args = ["--port", "9001"]/' directcd.toml
"""
UP = "cd ~/shop && directcd up\n"
PUSH = """
until directcd versions list shop | grep running; do sleep 0.1; done
echo '# two' >> program.py
git commit --quiet --all -m two && git push --quiet origin HEAD:main
body='{"repository": "git://127.0.0.1:9418/acme/shop.git", "ref": "main", "after": "COMMIT"}'
body=$(echo "$body" | sed "s/COMMIT/$(git rev-parse HEAD)/")
printf %s "$body" | python3 -c '
import hmac, pathlib, sys
secret = pathlib.Path(".directcd/webhook-secret").read_bytes().strip()
print("X-Signature:", hmac.digest(secret, sys.stdin.buffer.read(), "sha256").hex())
' > signature
curl --silent --fail --header @signature --header 'Content-Type: application/json' --data "$body" \\
    http://127.0.0.1:8080/webhooks/generic/main
curl --silent --fail --header 'Content-Type: application/json' --data '{"name": "nightly",
    "repositories": [{"url": "https://github.com/acme/shop.git"}], "lease_seconds": 60}' \\
    http://127.0.0.1:8080/v1/subscriptions
until directcd versions list shop | grep -c v- | grep 2; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    """Ours, for those of the pages."""
    names = ("8080", "8081", "9000", "9001", "9418")
    return dict(zip(names, map(str, free_ports(len(names))), strict=True))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, str]) -> Iterator[Reader]:
    """Somebody in a clone of the shop, whose second version runs."""
    room = tmp_path_factory.mktemp("reader")
    ours = f"git://127.0.0.1:{ports['9418']}/acme/shop.git"
    changes = ports | {
        "https://git.example.com/acme/shop.git": ours,
        "/var/lib/shop": str(room / "home/once"),
    }
    with Reader(room, changes, {"DIRECTCD_CLIENT__SETTLE_SECONDS": "0.2"}) as somebody:
        somebody.type(Block("before", "sh", SET_UP, ()))
        somebody.type(Block("before", "sh", UP, ("terminal 9", "runs on")))
        somebody.type(Block("before", "sh", PUSH, ()))
        yield somebody
    asyncio.run(reap_leftovers(room / "home/once/client"))  # `--once` leaves its program running


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_says(reader: Reader, ports: dict[str, str], page: str) -> None:
    """Every command that has no reason not to be run."""
    [build, *_] = of(ports["8081"], "builds")
    [nightly] = [one for one in of(ports["8080"], "subscriptions") if one["name"] == "nightly"]
    reader.change("NAME", nightly["name"])
    reader.change("ID", nightly["id"] if page == "subscribe" else build["id"])
    reader.change("v-0123456789ab", build["version"])
    reader.follow(ROOT / f"docs/how-to/{page}.md")


def of(port: str, what: str) -> list[dict[str, Any]]:
    """What hub or server lists."""
    listed: list[dict[str, Any]] = json.loads(fetch(f"http://127.0.0.1:{port}/v1/{what}"))[what]
    return listed
