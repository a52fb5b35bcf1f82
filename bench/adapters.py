"""
Verify and parse one delivery, beside the least that any receiver must do.

The reference is `hmac.digest` over the body plus `json.loads` of it: no check, no values.
Figures are CPU microseconds of this process, the median of several rounds.
"""

import hashlib
import hmac
import json
import statistics
import time
from collections.abc import Callable

from adapters import parse, verify

SECRET = b"It's a secret"
ROUNDS = 9


def push(commits: int, filler: int = 0) -> bytes:
    """A GitHub push with so many commits of about 1.9 KB each."""
    document = {
        "ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40, "forced": False,
        "created": False, "deleted": False, "head_commit": {"id": "b" * 40},
        "repository": {
            "id": 42, "full_name": "acme/shop", "default_branch": "main",
            "clone_url": "https://github.com/acme/shop.git", "description": "x" * filler,
            "ssh_url": "git@github.com:acme/shop.git", "html_url": "https://github.com/acme/shop",
        },
        "commits": [
            {"id": f"{n:040x}", "message": "m" * 1200, "author": {"name": "a", "email": "e"},
             "added": [], "removed": [], "modified": [f"src/{n}/{i}.py" for i in range(20)]}
            for n in range(commits)
        ],
    }  # fmt: skip
    return json.dumps(document).encode()


def cpu_us(function: Callable[[], object], calls: int) -> float:
    """Median CPU time of one call, in microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            function()
        rounds.append((time.process_time() - start) / calls * 1e6)
    return statistics.median(rounds)


def compare(name: str, body: bytes, calls: int) -> None:
    """Print what one delivery costs here and at the reference."""
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": "d",
        "x-hub-signature-256": "sha256=" + hmac.digest(SECRET, body, hashlib.sha256).hex(),
    }

    def ours() -> None:
        verify("github", headers, body, [SECRET])
        parse("github", headers, body)

    def reference() -> None:
        hmac.digest(SECRET, body, hashlib.sha256)
        json.loads(body)

    mine, least = cpu_us(ours, calls), cpu_us(reference, calls)
    print(f"{name:>14}: {mine:9.1f} us   hmac + json {least:9.1f} us   ratio {mine / least:.2f}")


if __name__ == "__main__":
    compare("1 KB", push(0, 300), 2000)
    compare("10 KB", push(5), 2000)
    compare("2,048 commits", push(2048), 10)
