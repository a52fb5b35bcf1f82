"""
One forge, two names: the address a forge writes into payloads, and the one subscribers know.

A forge in a compose network or behind a proxy may call itself `gitea:3000`; its repositories then
get the keys of their public name as well.
"""

from urllib.parse import quote

from adapters import repository_keys

_INVENTED = "/acme/app"


class HostAlias:
    """An internal host, with a port or leading path where it has one, and its public name."""

    def __init__(self, internal: str, public: str) -> None:
        """
        Args:
            internal: such as `gitea:3000` or `proxy:8080/git`; a scheme is left out of account.
            public: such as `git.example.com`, likewise.

        Raises:
            ValueError: one of them is no address of a forge.
        """
        self._internal = f"{_name(internal)}/"
        _name(public)
        self._public = _without_scheme(public)

    def keys(self, keys: frozenset[str]) -> frozenset[str]:
        """The public keys of a repository that has these keys; none when it is elsewhere."""
        found: set[str] = set()
        for key in keys:
            if key.startswith(self._internal):
                path = quote(key.removeprefix(self._internal))
                found |= repository_keys(f"https://{self._public}/{path}")
        return frozenset(found)


def _name(text: str) -> str:
    # Spelled as in keys: lower case, no default port.
    keys = repository_keys(f"https://{_without_scheme(text)}{_INVENTED}")
    if not keys:
        raise ValueError("host_aliases: write host, host:port or host/path on both sides")
    return max(keys, key=len).removesuffix(_INVENTED)


def _without_scheme(text: str) -> str:
    return text.rpartition("://")[2].strip("/")
