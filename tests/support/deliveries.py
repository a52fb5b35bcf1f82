"""Signed GitHub deliveries for tests, as the demo's forge makes them."""

import json
from dataclasses import dataclass, field
from typing import Any

from directcd.demo import receive_hook

SECRET = b"s3cr3t"
ZERO = "0" * 40
A, B, C = "a" * 40, "b" * 40, "c" * 40
SHOP = "https://github.com/acme/shop.git"
MAIN = "refs/heads/main"


@dataclass
class Post:
    """One webhook request: body and headers, signed."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def push(
    after: str, before: str = ZERO, *, ref: str = MAIN, url: str = SHOP, secret: bytes = SECRET
) -> Post:
    """A push as GitHub would post it, with a delivery id of its own."""
    body = receive_hook.payload(before, after, ref, url)
    return Post(body, receive_hook.headers(body, secret))


def github(event: str, document: dict[str, Any], secret: bytes = SECRET) -> Post:
    """Any GitHub event."""
    body = json.dumps(document).encode()
    return Post(body, receive_hook.headers(body, secret) | {"X-GitHub-Event": event})
