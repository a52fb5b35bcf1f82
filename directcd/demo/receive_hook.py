"""
A post-receive hook that tells a hub of each pushed ref, as GitHub would: JSON, signed, one a ref.

    python -m directcd.demo.receive_hook WEBHOOK_URL SECRET_FILE CLONE_URL  < "old new ref" lines

What GitHub sends: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

import hashlib
import hmac
import json
import sys
import urllib.request
import uuid
import zlib
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10  # GitHub's own patience


def payload(before: str, after: str, ref: str, clone_url: str) -> bytes:
    """The fields of a push that identify repository, ref and commits."""
    full_name = urlsplit(clone_url).path.strip("/").removesuffix(".git")
    zero = "0" * len(after)
    document = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == zero,
        "deleted": after == zero,
        "forced": False,
        "commits": [],
        "repository": {
            "id": zlib.crc32(full_name.encode()),
            "full_name": full_name,
            "clone_url": clone_url,
            "html_url": clone_url.removesuffix(".git"),
            "default_branch": "main",
        },
    }
    return json.dumps(document).encode()


def headers(body: bytes, secret: bytes) -> dict[str, str]:
    """GitHub's headers, the signature over the raw body among them."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/demo",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(),
    }


def deliver(webhook_url: str, body: bytes, secret: bytes) -> str:
    """Post one delivery and return the hub's answer; raises OSError when it refuses or is away."""
    request = urllib.request.Request(webhook_url, body, headers(body, secret))  # noqa: S310 - our own loopback URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never to a proxy
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        return str(answer.read().decode())


def main() -> None:
    """Tell the hub of every line git wrote to standard input."""
    webhook_url, secret_file, clone_url = sys.argv[1:]
    secret = Path(secret_file).read_bytes().strip()
    for line in sys.stdin:
        before, after, ref = line.split()
        try:
            verdict = deliver(webhook_url, payload(before, after, ref, clone_url), secret)
            print("hub:", json.loads(verdict)["verdict"])  # noqa: T201 - git shows it to the pusher
        except OSError as error:
            print("hub not reached:", error)  # noqa: T201


if __name__ == "__main__":
    main()
