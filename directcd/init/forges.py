"""Which forge a host is, and what to tick there (docs/reference/providers.md has more)."""

HOSTS = {
    "github": "github",
    "gitlab": "gitlab",
    "bitbucket.org": "bitbucket",
    "bitbucket": "bitbucket_server",
    "codeberg.org": "forgejo",
    "forgejo": "forgejo",
    "gitea": "gitea",
    "gogs": "gogs",
    "dev.azure.com": "azure_devops",
    "visualstudio.com": "azure_devops",
}
"""What a host's name contains, and the provider; the first that fits."""

EVENTS = {
    "azure_devops": "Code pushed",
    "bitbucket": "Repository push",
    "bitbucket_server": "Repository: Push",
    "forgejo": "Push and Delete",
    "gitea": "Push and Delete",
    "github": "Just the push event",
    "gitlab": "Push events and Tag push events",
    "gogs": "Push, Create and Delete",
}


def guessed(key: str) -> str:
    """The provider by a repository's key (`github.com/acme/shop`); empty when nothing tells it."""
    host = key.partition("/")[0]
    return next((provider for part, provider in HOSTS.items() if part in host), "")
