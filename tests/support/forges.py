"""Signed deliveries of other forges than GitHub, small and invented."""

import base64
import hmac
import json
from datetime import datetime
from typing import Any

from tests.support.deliveries import SECRET, Post

JSON = {"Content-Type": "application/json"}
STANDARD_KEY = base64.b64encode(b"a key of thirty-two bytes, Ada's").decode()


def _hex(secret: bytes, body: bytes) -> str:
    return hmac.digest(secret, body, "sha256").hex()


def gitea(url: str, before: str, after: str, secret: bytes = SECRET, **more: str) -> Post:
    """A push to the default branch of a repository at a URL, with more in its payload."""
    document = {"ref": "refs/heads/main", "before": before, "after": after, **more}
    body = json.dumps(document | {"repository": {"full_name": "x", "clone_url": url}}).encode()
    signature = {"X-Gitea-Event": "push", "X-Gitea-Signature": _hex(secret, body)}
    return Post(body, JSON | signature)


def bitbucket(delivery: str, *changes: tuple[str, str | None, str | None]) -> Post:
    """One delivery of a push to several branches: (branch, old hash, new hash)."""
    document = {
        "push": {
            "changes": [
                {"old": _side(name, old), "new": _side(name, new)} for name, old, new in changes
            ]
        },
        "repository": {
            "full_name": "acme/shop",
            "uuid": "{9c1b5f0e-0000-4000-8000-000000000001}",
            "links": {"html": {"href": "https://bitbucket.org/acme/shop"}},
        },
    }
    body = json.dumps(document).encode()
    headers = {
        "X-Event-Key": "repo:push",
        "X-Hook-UUID": "{9c1b5f0e-0000-4000-8000-000000000002}",
        "X-Request-UUID": delivery,
        "X-Hub-Signature": f"sha256={_hex(SECRET, body)}",
    }
    return Post(body, JSON | headers)


def _side(name: str, commit: str | None) -> dict[str, Any] | None:
    return {"type": "branch", "name": name, "target": {"hash": commit}} if commit else None


def bitbucket_server(before: str, after: str) -> Post:
    """A push as old versions report it: without any URL."""
    document = {
        "repository": {"slug": "shop", "id": 1, "project": {"key": "ACME"}},
        "changes": [{"ref": {"id": "refs/heads/main"}, "fromHash": before, "toHash": after}],
    }
    body = json.dumps(document).encode()
    headers = {
        "X-Event-Key": "repo:refs_changed",
        "X-Request-Id": "r1",
        "X-Hub-Signature": f"sha256={_hex(SECRET, body)}",
    }
    return Post(body, JSON | headers)


def hint(secret: bytes = SECRET, **document: Any) -> Post:
    """A generic delivery: look at this ref of this repository."""
    fields = {"repository": "https://git.example.com/acme/shop.git", "ref": "main"} | document
    body = json.dumps(fields).encode()
    return Post(body, JSON | {"X-Signature": _hex(secret, body)})


def standard(at: datetime) -> Post:
    """A Standard Webhooks delivery that was signed at a time."""
    body = hint().body
    stamp = f"msg_1.{int(at.timestamp())}."
    key = base64.b64decode(STANDARD_KEY)
    signature = base64.b64encode(hmac.digest(key, stamp.encode() + body, "sha256")).decode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{signature}",
    }
    return Post(body, JSON | headers)
