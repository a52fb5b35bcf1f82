"""
The headers of a callback: CloudEvents in structured mode, signed as Standard Webhooks say.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from datetime import datetime

from pydantic import SecretStr

CONTENT_TYPE = "application/cloudevents+json"
_PREFIX = "whsec_"


def signed_headers(
    secret: SecretStr, webhook_id: str, body: bytes, now: datetime
) -> dict[str, str]:
    """
    The headers that go with a body.

    Args:
        secret: `whsec_` and the base64 of the key.
        webhook_id: the same at every attempt: by it a receiver knows what it has had already.
        body: exactly what is sent.
        now: the time of this attempt; a receiver refuses one that is minutes old.
    """
    timestamp = str(int(now.timestamp()))
    key = b64decode(secret.get_secret_value().removeprefix(_PREFIX))
    digest = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
