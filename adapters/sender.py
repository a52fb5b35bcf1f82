"""
Who sent a delivery, by its headers: to find mistakes in the set-up, never to decide on trust.

Forks keep the headers of what they were forked from, so the youngest is asked for first: Forgejo
also sends Gitea's, Gitea Gogs', and Gogs GitHub's.
"""

from adapters.request import Request

_BY_HEADER = (
    ("x-forgejo-event", "forgejo"),
    ("x-gitea-event", "gitea"),
    ("x-gogs-event", "gogs"),
    ("x-gitlab-event", "gitlab"),
    ("x-hook-uuid", "bitbucket"),
    ("x-event-key", "bitbucket_server"),
    ("x-github-event", "github"),
    ("x-vss-activityid", "azure_devops"),
)
_KNOWN = {name for _, name in _BY_HEADER} | {"generic", "standard_webhooks"}


def other_sender(provider: str, request: Request) -> str:
    """
    Return the provider whose headers a delivery has, when that is not the one given.

    Empty when it is, when nobody is recognised, and for providers of other packages: they may have
    taken over anyone's headers.
    """
    if provider not in _KNOWN:
        return ""
    present = {name.lower() for name, value in request.headers.items() if value}
    found = next((name for header, name in _BY_HEADER if header in present), "")
    return "" if found == provider else found
