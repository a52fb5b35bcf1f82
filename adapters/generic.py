"""
Any sender that can compute an HMAC: a script, a CI job, a forge that is not known here.

The payload is that of `adapters.hint`. The header `X-Signature: sha256=<hex>` is also what Flux
calls generic-hmac: https://fluxcd.io/flux/components/notification/receivers/#generic-hmac-receiver
"""

import hmac

from adapters.delivery import Outcome
from adapters.hint import hint
from adapters.request import Request
from adapters.signature import Secrets, as_bytes, hex_digest
from adapters.standard_signature import signed_or_sent

_HEADERS = ("x-signature", "x-hub-signature-256")


class Generic:
    """The raw body is signed: in hexadecimal or, with a `whsec_` secret, as Standard Webhooks."""

    name = "generic"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """Return the index of the secret that signed the delivery, or raise BadSignature."""
        name = next(filter(request.header, _HEADERS), _HEADERS[0])
        digest = as_bytes(request.header(name).removeprefix("sha256="))
        return signed_or_sent(
            request,
            secrets,
            name=name,
            sent=lambda key: hmac.compare_digest(digest, hex_digest(key, request.body)),
        )

    def parse(self, request: Request) -> Outcome:
        """Return what a delivery means, or raise an AdapterError."""
        return hint(request)


ADAPTER = Generic()
