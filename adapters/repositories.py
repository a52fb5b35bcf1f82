"""The repository of a delivery, from whatever the provider says of it."""

from functools import lru_cache
from itertools import chain

from adapters.delivery import Repository
from adapters.identity import repository_keys


# The same few repositories come again and again, and three URLs take longer to understand than
# the rest of a payload. At most 512 entries of 5 KiB of text.
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
        full_name: taken from `html_url` when the provider does not say.
        clone_url: over HTTP.
        ssh_url: in any form that git understands.
        html_url: of the page that a person looks at.
        default_branch: short or full name.
    """
    urls = (clone_url or "", ssh_url or "", html_url or "")
    return Repository(
        keys=frozenset(chain.from_iterable(map(repository_keys, urls))),
        full_name=full_name or urls[2].partition("://")[2].partition("/")[2],
        id=identifier,
        clone_url=urls[0],
        ssh_url=urls[1],
        html_url=urls[2],
        default_branch=(default_branch or "").removeprefix("refs/heads/"),
    )
