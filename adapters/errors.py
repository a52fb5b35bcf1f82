"""
Every way a delivery can be refused.

AdapterError
├── BadSignature              not from a holder of the secret
├── MalformedDelivery         not what this provider sends
├── UnsupportedContentType    neither JSON nor a form
└── UnknownProvider           no adapter of that name is installed

The first line of a class's docstring is its default message. `BadSignature` is raised for
unauthenticated senders: its texts name the header and the body's length and nothing else.
"""

from typing import ClassVar


class AdapterError(Exception):
    """The delivery cannot be used."""

    code: ClassVar[str] = "adapter-error"
    """Stable and machine-readable."""
    default_next_step: ClassVar[str] = "Compare the webhook's settings with this source."

    def __init__(self, detail: str = "", *, next_step: str = "") -> None:
        """
        Describe one refusal.

        Args:
            detail: what is wrong and where; the class's docstring by default.
            next_step: what a person should do about it; the class's own advice by default.
        """
        self.detail = detail or (type(self).__doc__ or "").partition("\n")[0]
        self.next_step = next_step or self.default_next_step
        super().__init__(self.detail)

    def __str__(self) -> str:
        """What is wrong, where, and what to do next."""
        return f"{self.detail} {self.next_step}"


class BadSignature(AdapterError):
    """The delivery is not signed with a secret of this source."""

    code = "bad-signature"
    default_next_step = "Give the webhook and this source the same secret, then deliver again."

    def __init__(self, detail: str = "", *, next_step: str = "", finding: str = "") -> None:
        """
        Describe one refusal.

        Args:
            detail: what is wrong and where.
            next_step: what a person should do about it.
            finding: what is wrong with the headers, when no body at all could make up for it.
        """
        super().__init__(detail, next_step=next_step)
        self.finding = finding


class MalformedDelivery(AdapterError):
    """The delivery is not what this provider sends."""

    code = "malformed-delivery"
    default_next_step = "Check that the webhook's type matches the provider of this source."


class UnsupportedContentType(AdapterError):
    """The delivery is neither JSON nor a form."""

    code = "unsupported-content-type"
    default_next_step = "Set the webhook's content type to application/json."


class UnknownProvider(AdapterError):
    """No adapter for this provider is installed."""

    code = "unknown-provider"
    default_next_step = "Correct the source's provider, or install the package that adds it."
