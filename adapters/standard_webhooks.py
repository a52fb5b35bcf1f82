"""
Any sender that follows Standard Webhooks; the payload is that of `adapters.hint`.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from adapters.delivery import Outcome
from adapters.hint import hint
from adapters.request import Request
from adapters.signature import Secrets, keys_of
from adapters.standard_signature import is_signed, standard_refusal


class StandardWebhooks:
    """Id, time and body are signed together, so that a delivery cannot be replayed later."""

    name = "standard_webhooks"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        for index, key in keys_of(secrets):
            if is_signed(request, key):
                return index
        raise standard_refusal(request)

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        return hint(request)


ADAPTER = StandardWebhooks()
