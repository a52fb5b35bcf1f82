"""
Verify and parse one delivery, beside the least that any receiver must do.

The reference is `hmac.digest` over the body plus `json.loads` of it: no check, no values.
Figures are CPU microseconds of this process, the median of several rounds in turns.
"""

import gc
import hmac
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from adapters import Request
from adapters.registry import find
from tests.support.samples import PROVIDERS, Sample, all_samples

SECRET = "It's a secret"  # noqa: S105 - of a benchmark
ROUNDS = 9
API = "https://api.github.com/repos/acme/shop"
PLACES = [
    *("forks", "keys{/key_id}", "collaborators{/collaborator}", "teams", "hooks", "events"),
    *("issues/events{/number}", "assignees{/user}", "branches{/branch}", "tags", "git/blobs{/sha}"),
    *("git/tags{/sha}", "git/refs{/sha}", "git/trees{/sha}", "statuses/{sha}", "languages"),
    *("stargazers", "contributors", "subscribers", "subscription", "commits{/sha}"),
    *("git/commits{/sha}", "comments{/number}", "issues/comments{/number}", "contents/{+path}"),
    *("compare/{base}...{head}", "merges", "{archive_format}{/ref}", "downloads", "pulls{/number}"),
    *("issues{/number}", "milestones{/number}", "notifications{?since,all,participating}"),
    *("labels{/name}", "releases{/id}", "deployments"),
]
ADA = {"name": "Ada Lovelace", "email": "ada@example.com", "username": "ada"}


def user(name: str, number: int) -> dict[str, Any]:
    """An account with all its URLs."""
    places = ("followers", "following", "gists", "starred", "subscriptions", "orgs", "repos")
    urls = {f"{place}_url": f"https://api.github.com/users/{name}/{place}" for place in places}
    return {"login": name, "id": number, "node_id": "U_kg" * 4, "type": "User", **urls}


def repository() -> dict[str, Any]:
    """A repository with all its URLs."""
    urls = {
        place.partition("{")[0].replace("/", "_") + "_url": f"{API}/{place}" for place in PLACES
    }
    counts = ("size", "watchers", "forks", "open_issues", "stargazers", "network_count")
    flags = ("private", "fork", "has_issues", "has_wiki", "has_pages", "archived", "disabled")
    return {
        "id": 424242, "node_id": "R_kgDO" * 3, "name": "shop", "full_name": "acme/shop",
        "owner": user("acme", 4242), "html_url": "https://github.com/acme/shop",
        "description": "Delivers itself.", "url": "https://github.com/acme/shop", **urls,
        "created_at": 1760000000, "pushed_at": 1760000300, "updated_at": "2025-10-09T08:58:20Z",
        "git_url": "git://github.com/acme/shop.git", "ssh_url": "git@github.com:acme/shop.git",
        "clone_url": "https://github.com/acme/shop.git", "language": "Python", "homepage": None,
        "license": None, "default_branch": "main", "topics": [], "visibility": "public",
        **dict.fromkeys(counts, 7), **dict.fromkeys(flags, False),
    }  # fmt: skip


def commit(number: int, message: str) -> dict[str, Any]:
    """A listed commit that touched three files."""
    sha = f"{number:040x}"
    return {
        "id": sha, "tree_id": sha[::-1], "distinct": True, "message": message,
        "timestamp": "2025-10-09T10:57:20+02:00", "url": f"https://github.com/acme/shop/commit/{sha}",
        "author": ADA, "committer": ADA, "added": [f"docs/{number}.md"], "removed": [],
        "modified": ["src/shop/basket.py", "tests/test_basket.py"],
    }  # fmt: skip


def push(commits: int, message: str) -> bytes:
    """A GitHub push."""
    listed = [commit(number, message) for number in range(commits)]
    head = listed[-1] if listed else {"id": "b" * 40}
    return json.dumps({
        "ref": "refs/heads/main", "before": "a" * 40, "after": head["id"], "forced": False,
        "created": False, "deleted": False, "base_ref": None, "repository": repository(),
        "compare": "https://github.com/acme/shop/compare/aaaaaaaaaaaa...bbbbbbbbbbbb",
        "pusher": ADA, "sender": user("ada", 42), "commits": listed, "head_commit": head,
    }).encode()  # fmt: skip


def small() -> bytes:
    """A push with the fields that matter and little else."""
    names = ("id", "full_name", "clone_url", "ssh_url", "html_url", "default_branch")
    whole = json.loads(push(1, "Change"))
    return json.dumps({**{name: whole[name] for name in ("ref", "before", "after", "commits")},
        "repository": {name: whole["repository"][name] for name in names}}).encode()  # fmt: skip


def github(body: bytes) -> Request:
    """A signed delivery, as the hub has it: header names in lower case."""
    return Request({
        "content-type": "application/json", "x-github-event": "push", "x-github-delivery": "d-1",
        "x-hub-signature-256": "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex(),
    }, body)  # fmt: skip


def cpu_us(function: Callable[[], object], calls: int) -> float:
    """CPU time of one call, in microseconds."""
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls * 1e6


def compare(name: str, provider: str, request: Request, text: bytes, secret: str) -> None:
    """Print what one delivery costs here and at the reference."""
    adapter, secrets, key = find(provider), [secret], secret.encode()

    def ours() -> None:
        adapter.verify(request, secrets)
        adapter.parse(request)

    def reference() -> None:
        hmac.digest(key, request.body, "sha256")
        json.loads(text)

    calls = max(5, 10_000_000 // (len(text) + 4000))
    rounds = [(cpu_us(ours, calls), cpu_us(reference, calls)) for _ in range(ROUNDS)]
    mine, least = (statistics.median(times) for times in zip(*rounds, strict=True))
    figures = f"{len(text):>9,} B {mine:9.1f} us   hmac + json {least:9.1f} us"
    print(f"{name:>17} {figures}   ratio {mine / least:.2f}")


def own_push(provider: str) -> Sample:
    """A provider's longest signed sample of a push."""
    return max(
        (
            one
            for one in all_samples()
            if (one.provider, one.row["kind"], one.query) == (provider, "push", "")
            and one.row["secret"] and not one.row["signature_must_fail"]
        ),
        key=lambda one: len(one.text),
    )  # fmt: skip


if __name__ == "__main__":
    gc.disable()
    bodies = {
        "small": small(),
        "usual": push(8, "Change the basket"),
        "2,048 commits": push(2048, "m" * 330),
    }
    for title, body in bodies.items():
        compare(f"github {title}", "github", github(body), body, SECRET)
    for provider in PROVIDERS:
        if provider != "github":
            own = own_push(provider)
            headers = {name.lower(): value for name, value in own.headers.items()}
            compare(provider, provider, Request(headers, own.body), own.text, own.secrets[0])
