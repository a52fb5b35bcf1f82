"""The API of the forge that a source stands for, as its settings say."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping

from hub.forges.base import Forge
from hub.forges.errors import ForgeRefused, TokenUnusable
from hub.forges.git_refs import GitRefs
from hub.forges.gitea import Gitea, GiteaKind
from hub.forges.github import API_URL, HEADERS, GitHub
from hub.forges.gitlab import GitLab
from hub.forges.http import ForgeHttp, Headers
from hub.secrets import SecretFile, SecretFileError
from hub.settings import SourceSettings

WEB_URLS = {
    "bitbucket": "https://bitbucket.org",
    "github": "https://github.com",
    "gitlab": "https://gitlab.com",
}
"""Of forges that are one site to most; of any other `base_url` says it."""

# Who says that the password is a token; other forges take any name.
_USERS = {"bitbucket": "x-token-auth", "github": "x-access-token", "gitlab": "oauth2"}
_TOKEN = re.compile(r"[\x21-\x7e]+")
_BELOW = {"github": "/api/v3", "gitlab": "/api/v4"}  # of GitHub: Enterprise Server's
_GITEA_KINDS: dict[str, GiteaKind] = {"gitea": "gitea", "forgejo": "forgejo", "gogs": "gogs"}

SPOKEN = frozenset({"github", "gitlab", *_GITEA_KINDS})
"""The providers whose API we speak."""


def web_url(settings: SourceSettings) -> str:
    """What the paths of its repositories follow; "" when nobody has said."""
    return settings.base_url or WEB_URLS.get(settings.provider, "")


def forge_of(name: str, settings: SourceSettings, token: str = "") -> Forge:
    """
    The API of a source's forge.

    Args:
        name: the source's.
        settings: validated.
        token: another than that of its settings.

    Raises:
        ForgeRefused: we speak no API of this provider, or its address is not known.
    """
    provider, web = settings.provider, web_url(settings)
    if provider not in SPOKEN:
        step = "register the webhook at the forge's own pages: docs/reference/providers.md"
        raise ForgeRefused(f"directcd speaks no API of {provider}", step)
    if not web:
        step = f'set base_url in [hub.sources.{name}], e.g. "https://git.example.com"'
        raise ForgeRefused(f"the address of {name}'s forge is not known", step)
    http = ForgeHttp(api_url(settings), _headers(name, settings, token))
    if provider == "github":
        return GitHub(http, web)
    if provider == "gitlab":
        return GitLab(http, web)
    return Gitea(http, web, _GITEA_KINDS[provider])


def git_refs_of(name: str, settings: SourceSettings) -> GitRefs:
    """Who asks a source's forge where refs stand; git wants the token as a password."""
    user = _USERS.get(settings.provider, "directcd")

    def headers() -> Headers:
        login = f"{user}:{token_of(name, settings)}".encode()
        return {"authorization": f"Basic {b64encode(login).decode()}"}

    return GitRefs(ForgeHttp(web_url(settings), headers))


def token_of(name: str, settings: SourceSettings) -> str:
    """
    The token of a source, read anew each time.

    Raises:
        TokenUnusable: there is none, or its file cannot be read.
    """
    if settings.api_token_file is None:
        return _given(name, settings.api_token.get_secret_value().strip())
    step = f"mend api_token_file of [hub.sources.{name}]"
    try:
        token = SecretFile(settings.api_token_file).read().value.decode("latin-1")
    except SecretFileError as error:
        raise TokenUnusable(f"no token for {settings.provider}: {error}", step) from error
    return _whole(token, step)


def _given(name: str, token: str) -> str:
    step = f"set api_token_file in [hub.sources.{name}]"
    if token:
        return _whole(token, step)
    raise TokenUnusable(f"source {name} has no token for its forge", step)


def _whole(token: str, step: str) -> str:
    # Whatever else there is would be refused as a header, by an error that shows it.
    if not _TOKEN.fullmatch(token):
        raise TokenUnusable("what is there is no token: it has spaces or line breaks in it", step)
    return token


def api_url(settings: SourceSettings) -> str:
    """Where the API of a source's forge is, which is at `web_url`; no slash at the end."""
    if settings.api_url:
        return settings.api_url
    web = web_url(settings)
    if settings.provider == "github" and web == WEB_URLS["github"]:
        return API_URL
    return web + _BELOW.get(settings.provider, "/api/v1")


def _headers(name: str, settings: SourceSettings, token: str) -> Callable[[], Headers]:
    # Gitea also takes Bearer, but old ones and Gogs only this.
    scheme = "token" if settings.provider in _GITEA_KINDS else "Bearer"
    more: Mapping[str, str] = HEADERS if settings.provider == "github" else {}

    def headers() -> Headers:
        return {**more, "authorization": f"{scheme} {token or token_of(name, settings)}"}

    return headers
