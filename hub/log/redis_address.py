"""Where Redis is, as one URL: a single server, a Sentinel group, a Cluster; also with TLS."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

Kind = Literal["single", "sentinel", "cluster"]
Endpoint = tuple[str, int]

SCHEMES = (
    "redis",
    "rediss",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
PARAMETERS = frozenset({
    "ca", "cert", "key", "password_file", "prefix",
    "sentinel_username", "sentinel_password", "sentinel_password_file",
})  # fmt: skip
REDIS_PORT = 6379
SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    User name (empty: the default user) and password; never shown.

    Attributes:
        username: empty for the default user.
        password: empty for none.
        password_file: holds it instead; read for each connection, so that it can change.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form; empty: the system's authorities, no certificate of our own."""

    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """
    What a URL says.

    Attributes:
        kind: how the server that holds the log is found.
        endpoints: of the server, of the Sentinels, or of some of the Cluster's nodes.
        credentials: for the servers.
        sentinel_credentials: for the Sentinels.
        master: the name that the Sentinels know the servers by.
        database: 0 in a Cluster.
        tls: None for plain connections.
        prefix: the keys' first part, so that several hubs can share a server.
    """

    kind: Kind
    endpoints: tuple[Endpoint, ...]
    credentials: Credentials = Credentials()
    sentinel_credentials: Credentials = Credentials()
    master: str = ""
    database: int = 0
    tls: Tls | None = None
    prefix: str = "directcd"

    def __str__(self) -> str:
        hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.endpoints)
        return f"{hosts}/{self.master}" if self.master else hosts


def parse_redis_url(url: str) -> RedisAddress:
    """
    The address in a URL.

        redis://[user:password@]host[:6379][/database]
        redis+sentinel://[user:password@]host[:26379],host,…/master name[/database]
        redis+cluster://[user:password@]host[:6379],host,…

    `rediss` in place of `redis` means TLS. Parameters: `ca`, `cert`, `key` (files), `prefix`,
    `password_file`, `sentinel_username`, `sentinel_password`, `sentinel_password_file`. User names
    and passwords are percent-encoded.

    Raises:
        ValueError: it is none of these; the message never holds a password.
    """
    parts = _split(url.strip())
    if parts.scheme not in SCHEMES:
        raise ValueError(f"write one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    parameters = _parameters(parts)
    kind = _kind(parts.scheme)
    master, database = _path(kind, parts.path.strip("/"))
    tls = Tls(*(parameters.get(name, "") for name in ("ca", "cert", "key")))
    user_info, _, hosts = parts.netloc.rpartition("@")
    return RedisAddress(
        kind=kind,
        endpoints=_endpoints(hosts, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT),
        credentials=_credentials(user_info, parameters.get("password_file", "")),
        sentinel_credentials=_unambiguous(
            parameters.get("sentinel_username", ""),
            parameters.get("sentinel_password", ""),
            parameters.get("sentinel_password_file", ""),
        ),
        master=master,
        database=database,
        tls=tls if parts.scheme.startswith("rediss") else None,
        prefix=_prefix(parameters.get("prefix", "directcd")),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("it is no URL") from None  # the reason may hold a password
    # A password that ends the host before it has begun.
    if parts.fragment or any("@" in behind for behind in (parts.path, parts.query)):
        raise ValueError(
            "percent-encode what is special in a password or a file's name: # is %23, / is %2F, "
            "? is %3F, @ is %40"
        )
    return parts


def _kind(scheme: str) -> Kind:
    if scheme.endswith("+sentinel"):
        return "sentinel"
    return "cluster" if scheme.endswith("+cluster") else "single"


def _parameters(parts: SplitResult) -> dict[str, str]:
    found = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(found.keys() - PARAMETERS)
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0]}; known: {', '.join(sorted(PARAMETERS))}")
    if parts.scheme.startswith("redis+") or parts.scheme == "redis":
        wrong = sorted(found.keys() & {"ca", "cert", "key"})
        if wrong:
            raise ValueError(f"{wrong[0]} is for TLS: begin with rediss")
    return found


def _prefix(prefix: str) -> str:
    if not prefix or set("{}* \n") & set(prefix):
        raise ValueError("prefix is a plain word, such as directcd-staging")
    return prefix


def _path(kind: Kind, path: str) -> tuple[str, int]:
    master, _, rest = path.partition("/") if kind == "sentinel" else ("", "", path)
    if kind == "sentinel" and not master:
        raise ValueError("the Sentinels' name of the master is missing: redis+sentinel://host/NAME")
    if rest and not rest.isdecimal():
        raise ValueError("a database is a number, such as redis://host/0")
    if kind == "cluster" and rest not in {"", "0"}:
        raise ValueError("a Cluster has database 0 only")
    return unquote(master), int(rest or 0)


def _credentials(user_info: str, password_file: str) -> Credentials:
    username, colon, password = user_info.partition(":")
    if user_info and not colon and not password_file:
        raise ValueError("credentials are user:password@ or :password@, or user@ and password_file")
    return _unambiguous(unquote(username), unquote(password), password_file)


def _unambiguous(username: str, password: str, password_file: str) -> Credentials:
    if password and password_file:
        raise ValueError("a password and a password_file: give one of them")
    return Credentials(username, password, password_file)


def _endpoints(hosts: str, default_port: int) -> tuple[Endpoint, ...]:
    return tuple(_endpoint(one, default_port) for one in hosts.split(","))


def _endpoint(text: str, default_port: int) -> Endpoint:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ValueError("a host is missing, or its port is no number below 65536")
    return host, port or default_port
