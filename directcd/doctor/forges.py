"""
Would the forges call this hub at all? Several refuse private addresses until they are told.

The settings are those of docs/reference/providers.md, which has the sources.
"""

from urllib.parse import urlsplit

from cd4sources.http import HttpError
from directcd.doctor.findings import Finding, ok, warning
from directcd.doctor.hubs import Hub
from directcd.doctor.names import kind_of, lookup
from directcd.serving import host_and_port
from hub.settings import HubSettings

_ON_THE_INTERNET = frozenset({"github", "bitbucket", "azure_devops"})

_GITEA = (
    'if Gitea 1.16 or later shows "webhook can only call allowed HTTP servers": app.ini, '
    "[webhook] ALLOWED_HOST_LIST = external,{kind} (from 1.27 on in [security]), and restart it"
)
_REFUSALS = {
    "gitea": _GITEA,
    "forgejo": "in Forgejo's app.ini: [webhook] ALLOWED_HOST_LIST = external,{kind}; restart it",
    "gogs": "in Gogs' app.ini: [security] LOCAL_NETWORK_ALLOWLIST = {host}; restart it",
    "gitlab": "GitLab: Admin, Settings, Network, Outbound requests: allow requests from webhooks "
    "to the local network",
}


async def check(settings: HubSettings, hub: Hub) -> list[Finding]:
    """The address that forges are given, and who would not call it; who has called is no doubt."""
    host = urlsplit(settings.public_url).hostname or ""
    where = "hub.public_url" if host else "hub.listen"
    if host and (unknown := await lookup(host, where)).severity != "ok":
        return [unknown]
    host = host or host_and_port(settings.listen)[0]
    kind = await kind_of(host) if host else "private"
    had = await _who_has_called(hub)
    return [
        _of_source(name, source.provider, kind, host, where)
        for name, source in settings.sources.items()
        if kind in {"loopback", "private"} and name not in had
    ] or [ok("forges may call it", where)]


async def _who_has_called(hub: Hub) -> set[str]:
    try:
        return {one.name for one in await hub.sources() if one.last_delivery_at}
    except HttpError:  # it does not run, or wants a token
        return set()


def _of_source(name: str, provider: str, kind: str, host: str, where: str) -> Finding:
    address = f"a {kind} address" if host else "this machine's addresses"
    if provider in _ON_THE_INTERNET:
        what = f"source {name}: {provider} delivers from the internet, and {host} is {address}"
        step = "set public_url to what the forge can reach, a proxy that passes /webhooks/ on"
        return warning(what, where, step)
    step = _REFUSALS.get(provider, "").format(kind=kind, host=host)
    if not step:
        return ok(f"source {name}: its deliveries come to {address}", where)
    what = f"source {name} had no delivery yet, and {provider} may refuse to call {address}"
    return warning(what, where, step)
