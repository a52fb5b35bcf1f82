"""Deliveries made in tests, where no sample has what is wanted."""

import hmac
import json

from tests.support.samples import SECRET


def github(payload: object, event: str = "push") -> tuple[dict[str, str], bytes]:
    """Return headers and body of a correctly signed GitHub delivery."""
    body = json.dumps(payload).encode()
    digest = hmac.digest(SECRET.encode(), body, "sha256").hex()
    headers = {
        "content-type": "application/json",
        "x-github-delivery": "d-1",
        "x-github-event": event,
        "x-hub-signature-256": f"sha256={digest}",
    }
    return headers, body
