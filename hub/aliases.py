"""
One forge, two names: the address a forge writes into payloads, and the one subscribers know.

A forge in a compose network or behind a proxy may call itself `gitea:3000`; its repositories then
get the keys of their public name as well.
"""

from dataclasses import replace
from itertools import chain
from urllib.parse import quote

from adapters import Repository, repository_keys

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

    def applied(self, repository: Repository) -> Repository:
        """
        The repository with its public keys as well; the same when it is elsewhere.

        Its clone URL becomes the public one: that is the address a person can use, and the name by
        which the same repository is recognised, whatever the forge called itself.
        """
        found = frozenset(chain.from_iterable(map(self._public_keys, repository.keys)))
        if not found:
            return repository
        paths = map(self._path, repository_keys(repository.clone_url))
        path = next(filter(None, paths), "")
        url = f"https://{self._public}/{path}" if path else repository.clone_url
        return replace(repository, keys=repository.keys | found, clone_url=url)

    def _public_keys(self, key: str) -> frozenset[str]:
        path = self._path(key)
        return repository_keys(f"https://{self._public}/{path}") if path else frozenset()

    def _path(self, key: str) -> str:
        # As URLs write it.
        inside = key.startswith(self._internal)
        return quote(key.removeprefix(self._internal)) if inside else ""


def _name(text: str) -> str:
    # Spelled as in keys: lower case, no default port.
    keys = repository_keys(f"https://{_without_scheme(text)}{_INVENTED}")
    if not keys or not all(key.endswith(_INVENTED) for key in keys):
        raise ValueError("host_aliases: write host, host:port or host/path on both sides")
    return max(keys, key=len).removesuffix(_INVENTED)


def _without_scheme(text: str) -> str:
    return text.rpartition("://")[2].strip("/")
