"""From a provider's name to its adapter, through the entry points of `directcd.adapters`."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Protocol

from adapters.delivery import Outcome
from adapters.errors import UnknownProvider
from adapters.request import Request
from adapters.signature import Secrets

GROUP = "directcd.adapters"


class Adapter(Protocol):
    """What a provider's file offers as `ADAPTER`."""

    @property
    def name(self) -> str:
        """The provider's name: the entry point's, and the word in the receiving URL."""
        ...

    def verify(self, request: Request, secrets: Secrets) -> int:
        """
        Return the index of the secret that signed the delivery.

        Raises:
            BadSignature: signed with none of the secrets, or not at all.
        """
        ...

    def parse(self, request: Request) -> Outcome:
        """
        Return what the delivery means.

        Raises:
            MalformedDelivery: not what this provider sends.
            UnsupportedContentType: neither JSON nor a form.
        """
        ...


def verify(
    provider: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Secrets,
    *,
    query: str = "",
    received_at: datetime | None = None,
) -> None:
    """
    Make sure that a delivery was signed with one of the secrets; call it before `parse`.

    Args:
        provider: chosen by the receiving URL, never by the delivery.
        headers: of the request, names in any case.
        body: raw.
        secrets: current and previous ones; none at all refuses everything.
        query: raw query string, for deliveries by GET.
        received_at: aware; without it a signed timestamp may be of any age, as in recordings.

    Raises:
        BadSignature: signed with none of the secrets, or not at all.
        UnknownProvider: no such adapter is installed.
    """
    find(provider).verify(Request(headers, body, query, received_at), secrets)


def parse(provider: str, headers: Mapping[str, str], body: bytes, *, query: str = "") -> Outcome:
    """
    Return what a delivery means.

    Args:
        provider: chosen by the receiving URL, never by the delivery.
        headers: of the request, names in any case.
        body: raw.
        query: raw query string, for deliveries by GET.

    Raises:
        MalformedDelivery: not what this provider sends.
        UnsupportedContentType: neither JSON nor a form.
        UnknownProvider: no such adapter is installed.
    """
    return find(provider).parse(Request(headers, body, query))


@cache
def find(provider: str) -> Adapter:
    """
    Return a provider's adapter, loaded at the first call.

    Raises:
        UnknownProvider: no such adapter is installed, or it cannot be loaded.
    """
    # Lazy: cd4sources only wants repository keys and should not pay 15 ms for this import.
    from importlib.metadata import entry_points

    installed = entry_points(group=GROUP)
    try:
        adapter: Adapter = installed[provider].load()
    except KeyError:
        raise UnknownProvider(
            f"No adapter named {provider!r} is installed.",
            next_step=f"Installed are: {', '.join(sorted(installed.names))}.",
        ) from None
    except Exception as error:  # it is somebody else's module
        raise UnknownProvider(
            f"The adapter {provider!r} cannot be loaded: {type(error).__name__}: {error}.",
            next_step="Correct the package that adds it.",
        ) from error
    if isinstance(adapter, type) or getattr(adapter, "name", "") != provider:
        raise UnknownProvider(
            f"The entry point {provider!r} is no adapter of this name.",
            next_step="Let it point to an object whose name is the entry point's.",
        )
    return adapter
