"""The repository of a delivery, from whatever the provider says of it."""

import re
from functools import lru_cache
from itertools import chain

from adapters.delivery import Repository
from adapters.identity import repository_keys

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


# The same few repositories come again and again, and three URLs take longer to understand than
# the rest of a payload. At most 512 entries, of 1 KiB usually and of 28 KiB when somebody tries.
@lru_cache(maxsize=512)
def repository(
    *,
    identifier: int | str | None,
    full_name: str | None,
    clone_url: str | None,
    ssh_url: str | None = None,
    html_url: str | None = None,
    default_branch: str | None = None,
) -> Repository:
    """
    Return a repository with the keys of its URLs.

    Args:
        identifier: the provider's own, which survives renames.
        full_name: the path of its page or clone URL when the provider does not say.
        clone_url: over HTTP.
        ssh_url: in any form that git understands.
        html_url: of the page that a person looks at.
        default_branch: short or full name.
    """
    urls = (_address(clone_url), _address(ssh_url), _address(html_url))
    return Repository(
        keys=frozenset(chain.from_iterable(map(repository_keys, urls))),
        full_name=plain(full_name) or _path(urls[2] or urls[0]),
        id=plain(identifier) if isinstance(identifier, str) else identifier,
        clone_url=urls[0],
        ssh_url=urls[1],
        html_url=urls[2],
        default_branch=plain(default_branch).removeprefix("refs/heads/"),
    )


def _address(url: str | None) -> str:
    # A CI job's clone URL has a token in it, as user or as password. An SSH user is an address.
    scheme, separator, rest = plain(url).partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if at and (":" in user or "ssh" not in scheme.lower()):
        authority = host
    return f"{scheme}{separator}{authority}{slash}{path}"


def plain(text: str | None) -> str:
    """Return a text as it can be shown, on terminals too; "" for none."""
    return _CONTROL.sub("", text) if text else ""


def _path(url: str) -> str:
    return url.partition("://")[2].partition("/")[2].strip("/").removesuffix(".git")
