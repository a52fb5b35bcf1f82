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
from hub.forges.opening import WEB_URLS, web_url
from hub.settings import HubSettings, SourceSettings

_GITEA = (
    'if Gitea 1.16 or later shows "webhook can only call allowed HTTP servers": app.ini, '
    "[webhook] ALLOWED_HOST_LIST = external,{kind} (from 1.27 on in [security]), and restart it"
)
_REACHED = "set public_url to what the forge can reach, a proxy that passes /webhooks/ on"
_REFUSALS = {
    "gitea": _GITEA,
    "forgejo": "in Forgejo's app.ini: [webhook] ALLOWED_HOST_LIST = external,{kind}; restart it",
    "gogs": "in Gogs' app.ini: [security] LOCAL_NETWORK_ALLOWLIST = {host}; restart it",
    "gitlab": "GitLab: Admin, Settings, Network, Outbound requests: allow requests from webhooks "
    "to the local network",
}


async def check(settings: HubSettings, hub: Hub) -> list[Finding]:
    """The address that forges are given, and who would not call it; who has called is no doubt."""
    host, where = _address(settings)
    if settings.public_url and (unknown := await lookup(host, where)).severity != "ok":
        return [unknown]
    kind = await _kind(host)
    had = await _who_has_called(hub)
    return [
        _of_source(f"source {name} had no delivery yet, and", source, kind, (host, where))
        for name, source in settings.sources.items()
        if kind in {"loopback", "private"} and name not in had
    ] or [ok("forges may call it", where)]


async def would_call(settings: HubSettings, name: str) -> Finding:
    """Whether the forge of a source would call the hub, as far as that can be told from here."""
    host, where = _address(settings)
    kind = await _kind(host)
    if kind not in {"loopback", "private"}:
        return ok("the forge may call it", where)
    return _of_source(f"source {name}:", settings.sources[name], kind, (host, where))


def _address(settings: HubSettings) -> tuple[str, str]:
    """The host that forges call, and what names it."""
    if host := urlsplit(settings.public_url).hostname or "":
        return host, "hub.public_url"
    return host_and_port(settings.listen)[0], "hub.listen"


async def _kind(host: str) -> str:
    return await kind_of(host) if host else "private"


async def _who_has_called(hub: Hub) -> set[str]:
    try:
        return {one.name for one in await hub.sources() if one.last_delivery_at}
    except HttpError:  # it does not run, or wants a token
        return set()


def _of_source(begin: str, source: SourceSettings, kind: str, at: tuple[str, str]) -> Finding:
    (host, where), provider = at, source.provider
    address = f"a {kind} address" if host else "this machine's addresses"
    step = _REFUSALS.get(provider, "").format(kind=kind, host=host)
    if _is_on_the_internet(source):
        what = f"{begin} {provider} delivers from the internet, and {host} is {address}"
        return warning(what, where, "; ".join(filter(None, (_REACHED, _of_our_own(source, step)))))
    if not step:
        return ok(f"{begin} its deliveries come to {address}", where)
    return warning(f"{begin} {provider} may refuse to call {address}", where, step)


def _of_our_own(source: SourceSettings, step: str) -> str:
    """What else may be meant by a source that names no address."""
    return f"of a {source.provider} of your own set base_url, and in {step}" if step else ""


def _is_on_the_internet(source: SourceSettings) -> bool:
    return source.provider == "azure_devops" or web_url(source) in WEB_URLS.values()
