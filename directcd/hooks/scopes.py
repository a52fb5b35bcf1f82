"""The least that a token must be allowed for webhooks (docs/how-to/register-a-webhook.md)."""

from hub.forges.values import Place

_GITEA = "it needs the scope write:repository, and its owner must administer the repository"
_GITEA_ORGANISATION = "it needs the scope write:organization, and its owner must own {name}"
_GITHUB = (
    "it needs the scope admin:repo_hook, or of a fine-grained token the repository permission "
    "Webhooks (read and write), and its owner must administer the repository"
)
_GITHUB_ORGANISATION = (
    "it needs the scope admin:org_hook, or of a fine-grained token the organization permission "
    "Webhooks (read and write), and its owner must own {name}"
)
_SCOPES = {
    "github": (_GITHUB, _GITHUB_ORGANISATION),
    "gitlab": (
        "it needs the scope api, and the role Maintainer in the project",
        "it needs the scope api, and the role Owner in {name}; group webhooks are GitLab Premium",
    ),
    "gitea": (_GITEA, _GITEA_ORGANISATION),
    "forgejo": (_GITEA, _GITEA_ORGANISATION),
    "gogs": (
        "its owner must administer the repository (Gogs' tokens have no scopes)",
        "Gogs registers webhooks of repositories alone by its API",
    ),
}


def scope_of(provider: str, place: Place) -> str:
    """What the token needs to register webhooks at a place."""
    of_repositories, of_organisations = _SCOPES[provider]
    return of_organisations.format(name=place.name) if place.is_organisation else of_repositories
