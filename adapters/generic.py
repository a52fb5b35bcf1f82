"""
Any sender that can compute an HMAC: a script, a CI job, a forge that is not known here.

The payload is that of `adapters.hint`. The header `X-Signature: sha256=<hex>` is also what Flux
calls generic-hmac: https://fluxcd.io/flux/components/notification/receivers/#generic-hmac-receiver
"""

import hmac

from adapters.delivery import Outcome
from adapters.errors import BadSignature
from adapters.hint import hint
from adapters.request import Request
from adapters.signature import Secrets, as_bytes, hex_digest, keys_of, refusal
from adapters.standard_signature import SECRET_PREFIX, is_signed, standard_refusal

_HEADERS = ("x-signature", "x-hub-signature-256")


class Generic:
    """The raw body is signed: in hexadecimal or, with a `whsec_` secret, as Standard Webhooks."""

    name = "generic"

    def verify(self, request: Request, secrets: Secrets) -> int:
        """
        Return the index of the secret that signed the delivery.

        Raises:
            BadSignature: signed with none of the secrets, or not at all.
        """
        digest = as_bytes(_given(request).removeprefix("sha256="))
        keys = list(keys_of(secrets))
        for index, key in keys:
            if key.startswith(SECRET_PREFIX):
                matches = is_signed(request, key)
            else:
                matches = hmac.compare_digest(digest, hex_digest(key, request.body).encode())
            if matches:
                return index
        if keys and all(key.startswith(SECRET_PREFIX) for _, key in keys):
            raise standard_refusal(request)
        raise _refusal(request)

    def parse(self, request: Request) -> Outcome:
        """
        Return what a delivery means.

        Raises:
            MalformedDelivery: no payload of the shape that `adapters.hint` describes.
            UnsupportedContentType: neither JSON nor a form.
        """
        return hint(request)


def _given(request: Request) -> str:
    return next(filter(None, map(request.header, _HEADERS)), "")


def _refusal(request: Request) -> BadSignature:
    state = "does not match" if _given(request) else "is missing or empty"
    return refusal(request, _HEADERS[0], state)


ADAPTER = Generic()
