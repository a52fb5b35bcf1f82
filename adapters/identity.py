"""
When do two URLs name the same repository? When they share a repository key.

A key is `host[:port]/path` in lower case. A URL with a port of its own has a second key without
it, because SSH and HTTP ports of one forge differ: two forges on one host may then collide, which
costs a needless look, never a missed one. Keys are compared whole, never by their ends.
"""

import re
from urllib.parse import unquote

MAX_URL_CHARACTERS = 2048

_SCHEMES = {"git", "git+http", "git+https", "git+ssh", "http", "https", "ssh", "ssh+git"}
_DEFAULT_PORTS = {"", "22", "80", "443", "9418"}
_HOST_ALIASES = {
    "altssh.bitbucket.org": "bitbucket.org",
    "altssh.gitlab.com": "gitlab.com",
    "ssh.dev.azure.com": "dev.azure.com",
    "ssh.github.com": "github.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
    "www.github.com": "github.com",
}
_AZURE = "dev.azure.com"
_AZURE_OLD_DOMAIN = ".visualstudio.com"
_NEVER_BITBUCKET_SERVER = {"bitbucket.org", "github.com", "gitlab.com", _AZURE}

_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_QUERY = re.compile("[?#]")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::([0-9]{0,5}))?")
# `host.tld/path` and, so that every key is its own key, `host:port/path`.
_BARE = re.compile(r"([^@:/]+\.[^@:/]+|(?:\[[^]@/]+\]|[^@:/]{2,}):[0-9]{1,5})/(.+)")
# A host of one letter is a drive; an @ after the colon means that a password stands before it.
_SCP = re.compile(r"(?:[^@:/]+@)?(\[[^]@/]+\]|[^]@:/[]{2,}):(?!:)(/?[^@/]+(?:/.*)?)")
_AZURE_SSH = re.compile("v3/([^/]+)/([^/]+)/([^/]+)")
_AZURE_SHORT = re.compile("([^/]+)/_git/([^/]+)")
_BITBUCKET_SERVER: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("((?:.+/)?)scm/([^/]+/[^/]+)"), r"\1\2"),
    (re.compile("((?:.+/)?)projects/([^/]+)/repos/([^/]+)(?:/browse(?:/.*)?)?"), r"\1\2/\3"),
    (re.compile("((?:.+/)?)users/([^/]+)/repos/([^/]+)(?:/browse(?:/.*)?)?"), r"\1~\2/\3"),
)


def repository_keys(url: str) -> frozenset[str]:
    """
    Return the keys of a repository's URL.

    Args:
        url: any spelling that git or a forge uses: a URL, `[user@]host:path`, or a bare
            `host.tld/path`; user names and passwords in it leave no trace.

    Returns:
        One key, or two where the URL has a port of its own. None for what is local or names
        nothing; there is no error.
    """
    text = url.strip()
    if len(text) > MAX_URL_CHARACTERS or _UNUSABLE.search(text):
        return frozenset()
    authority, path = _split(text)
    host, port = _host_and_port(authority)
    path = _normal_path(path)
    if not host or not path:
        return frozenset()
    alias = _HOST_ALIASES.get(host)
    if alias is not None:
        host, port = alias, ""
    host, path = _without_dialect(host, path)
    key = f"{host}/{path}"
    return frozenset({key} if port in _DEFAULT_PORTS else {key, f"{host}:{port}/{path}"})


def _split(text: str) -> tuple[str, str]:
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme.lower() not in _SCHEMES:
            return "", ""
        authority, _, path = _QUERY.split(rest, maxsplit=1)[0].partition("/")
        return authority.rpartition("@")[2], path
    found = _BARE.fullmatch(_QUERY.split(text, maxsplit=1)[0]) or _SCP.fullmatch(text)
    return (found[1], found[2]) if found else ("", "")


def _host_and_port(authority: str) -> tuple[str, str]:
    name = authority.lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return "", ""
    found = _AUTHORITY.fullmatch(name)
    return (found[1], (found[2] or "").lstrip("0")) if found else ("", "")


def _normal_path(path: str) -> str:
    decoded = unquote(path).lower()
    segments = [segment for segment in decoded.split("/") if segment]
    if _UNUSABLE.search(decoded) or not {".", ".."}.isdisjoint(segments):
        return ""
    return "/".join(segments).removesuffix(".git").rstrip("/")


def _without_dialect(host: str, path: str) -> tuple[str, str]:
    if host.endswith(_AZURE_OLD_DOMAIN):
        organisation = host.removesuffix(_AZURE_OLD_DOMAIN)
        host, path = _AZURE, f"{organisation}/{path.removeprefix('defaultcollection/')}"
    if host == _AZURE:
        return host, _azure_path(path)
    if host not in _NEVER_BITBUCKET_SERVER:
        path = _bitbucket_server_path(path)
    return host, path


def _azure_path(path: str) -> str:
    if found := _AZURE_SSH.fullmatch(path):
        return f"{found[1]}/{found[2]}/_git/{found[3]}"
    if found := _AZURE_SHORT.fullmatch(path):
        return f"{found[1]}/{found[2]}/_git/{found[2]}"
    return path


def _bitbucket_server_path(path: str) -> str:
    for pattern, canonical in _BITBUCKET_SERVER:
        if found := pattern.fullmatch(path):
            return found.expand(canonical)
    return path
