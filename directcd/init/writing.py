"""The text of a directcd.toml for one repository. Pure."""

import json

from directcd.init.forges import EVENTS
from directcd.init.looking import Seen
from hub.forges.opening import WEB_URLS

ROOM = ".directcd"
"""Beside directcd.toml: data directories and secrets; git is told to ignore it."""

SECRET = f"{ROOM}/webhook-secret"
SOURCE = "main"

_HUB = """\
[hub]                                # receives webhooks
listen = "127.0.0.1:8080"            # ":8080" for every address; only /webhooks/ is for strangers
data = "{room}/hub"
# public_url = "https://hub.example.com"    # how the forge reaches it, e.g. through a proxy

[hub.sources.{source}]                   # → POST /webhooks/{provider}/{source}
provider = {quoted_provider}
{base_url}secrets_files = ["{secret}"]    # the forge gets the same secret
# repositories = [{key}]    # what it may speak for; default: all

"""

_REST = """\
[server]                             # fetches, builds and offers
listen = "127.0.0.1:8081"
data = "{room}/server"
poll_interval_seconds = {poll}           # how long a lost webhook can delay a push

[[target]]
name = {target}
repositories = [{{ {repository} }}]
# A private repository has password_file = "/run/secrets/token" beside its url, or ssh_key_file.
# {recipe}

[client]                             # runs the program and replaces it
servers = ["http://127.0.0.1:8081"]
target = {target}
data = "{room}/client"
# args = ["--port", "9000"]          # what the program is started with
overlap = "auto"                     # old and new side by side if that works
# health_url = "http://127.0.0.1:9000/healthz"    # answers 2xx when the program is ready
"""

_RECIPES = {
    "build.sh": "Built by its build.sh: `build.sh build`, then `build.sh artifact` names the file.",
    "go.mod": "Built by `go build`, because it has a go.mod and no build.sh.",
    "": "It has neither build.sh nor go.mod: add one, or nothing can be built.",
}


def document(seen: Seen, provider: str) -> str:
    """
    The whole file.

    Args:
        seen: the repository.
        provider: its forge; empty when it is polled only.
    """
    hub = _HUB.format(
        room=ROOM,
        source=SOURCE,
        secret=SECRET,
        provider=provider,
        quoted_provider=_quoted(provider),
        key=_quoted(seen.key),
        base_url=_base_url(seen, provider),
    )
    ref = f", ref = {_quoted(seen.ref)}" if seen.ref else ""
    rest = _REST.format(
        room=ROOM,
        poll=60 if provider else 10,
        target=_quoted(seen.target),
        repository=f"url = {_quoted(seen.url)}{ref}",
        recipe=_RECIPES[seen.recipe],
    )
    title = "# Written by `directcd init`. Next: `directcd config check`, `directcd up`.\n\n"
    return title + (hub if provider else "") + rest


def _base_url(seen: Seen, provider: str) -> str:
    """The line with the address of a forge: hub and `directcd hook` ask it; a script has none."""
    if provider not in EVENTS:
        return ""
    scheme, separator, rest = seen.url.partition("://")
    is_web = separator and scheme in {"http", "https"}
    host = rest.partition("/")[0] if is_web else seen.key.partition("/")[0]
    address = f"{scheme if is_web else 'https'}://{host}"
    is_known = address == WEB_URLS.get(provider)
    return "" if is_known else f"base_url = {_quoted(address)}    # the forge's pages\n"


def _quoted(text: str) -> str:
    # TOML reads strings as JSON writes them.
    return json.dumps(text, ensure_ascii=False)
