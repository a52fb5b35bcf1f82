"""
The hub's settings as values: what each field means, its unit, its default and why.

Nothing here reads the environment or directcd.toml; the command does that and passes the values.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from hub.aliases import HostAlias
from hub.endpoints import Endpoint
from hub.log.redis_address import parse_redis_url
from hub.tokens import Scope

MIB = 1024 * 1024
SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
MOST_KEPT = 10**12
RECONCILED = "reconcile"
"""Stands for a source where the hub itself has found a push that no delivery told of."""
Network = IPv4Network | IPv6Network
GITHUB_META = "github-meta"


class _Settings(BaseModel):
    """Frozen, strict about unknown keys, silent about the values that failed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def _redis_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value():
        parse_redis_url(url.get_secret_value())
    return url


def _server_url(url: str) -> str:
    Endpoint.parse(url)
    return url.rstrip("/")


def _http_url(url: str) -> str:
    if url:
        Endpoint.parse(url)
    return url.rstrip("/")


def _sender(value: object) -> object:
    if value == GITHUB_META or isinstance(value, Network):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(f'must be a network, such as 192.0.2.0/24, or "{GITHUB_META}"') from None


Sender = Annotated[Network | Literal["github-meta"], BeforeValidator(_sender)]


def _forge_url(url: str) -> str:
    if url and "?" in Endpoint.parse(url).target:
        raise ValueError("it is no address of a forge: write e.g. https://git.example.com")
    return url.rstrip("/")


_BASE64 = re.compile("[A-Za-z0-9+/]{2,}={0,2}")


class SourceSettings(_Settings):
    """One webhook endpoint: `[hub.sources.NAME]` answers at `/webhooks/PROVIDER/NAME`."""

    provider: str
    """The installed adapter that reads deliveries, e.g. `gitea`. Never guessed from headers."""

    secrets: tuple[SecretStr, ...] = ()
    """
    Webhook secrets, the current one first. Any one of them verifies, so that a secret can be
    rotated with overlap; `GET /v1/sources` says when an older one is no longer used.
    """

    secrets_files: tuple[Path, ...] = ()
    """
    Files that hold one secret each, older than `secrets` if both are given; read again when they
    change, without a restart. One that cannot be read does not keep the others from verifying.
    Beside each, FILE.previous is read as an older secret while it is there: `directcd hook rotate`
    keeps the one before there until no webhook signs with it.
    """

    repositories: tuple[str, ...] = ()
    """
    Repository keys this source may speak for, with `*` wildcards (`github.com/acme/*`).
    Default: all, because a valid signature already proves who is sending.
    """

    host_aliases: dict[str, str] = Field(default_factory=dict)
    """
    Names of the forge in its own payloads, and the names subscribers know it by:
    `{"gitea:3000" = "git.example.com"}`, also with a leading path. A repository then has the keys
    of both; `repositories` is asked afterwards. Default: none, payloads name public addresses.
    """

    base_url: Annotated[str, AfterValidator(_forge_url)] = ""
    """
    The forge's address, e.g. `https://git.example.com`: what the paths of its repositories follow.
    Needed where the hub asks the forge something, and for deliveries that name their repository by
    no URL (old Bitbucket Servers). Default: that of github.com, gitlab.com or bitbucket.org.
    """

    api_url: Annotated[str, AfterValidator(_forge_url)] = ""
    """
    The address of the forge's API, where it is not below `base_url` as usual (`/api/v1` at Gitea,
    `/api/v4` at GitLab, `/api/v3` at GitHub Enterprise Server). Default: as usual.
    """

    api_token_file: Path | None = None
    """
    Holds a token of the forge, read each time: with it the hub looks for pushes that it was not
    told of, and writes commit statuses. Default: it asks the forge nothing.
    """

    api_token: SecretStr = SecretStr("")
    """
    The token itself, where no file can be had; another one needs a restart. Default: none.
    """

    recover_interval_seconds: float = Field(default=300.0, ge=0)
    """
    How often the forge is asked for pushes that no delivery told of, in seconds, besides at start
    and after outages. Forges try few times or once; a look at a thousand repositories costs 0.7 s
    of CPU. 0: never. Needs a token.
    """

    commit_statuses: bool = True
    """Write beside each commit how far it has come, one status a target. Needs a token."""

    deployments: bool = False
    """Also show each target as an environment (GitHub). Off by default: it wants one more scope."""

    allowed_senders: tuple[Sender, ...] = ()
    """
    Networks that may deliver (`192.0.2.0/24`), and `github-meta` for those that GitHub publishes;
    others are refused before their body is read. Default: everybody, as the signature proves who
    sends; this is a second lock.
    """

    insecure: bool = False
    """Accept unsigned deliveries. Off by default: anyone could wake the servers at will."""

    @property
    def has_api_token(self) -> bool:
        """Whether the forge may be asked anything."""
        return bool(self.api_token_file or self.api_token.get_secret_value())

    @model_validator(mode="after")
    def _signed_unless_told(self) -> "SourceSettings":
        if not (self.secrets or self.secrets_files or self.insecure):
            raise ValueError(
                "no secret: give secrets or secrets_files, or say insecure = true to accept "
                "unsigned deliveries"
            )
        if self.insecure and (self.secrets or self.secrets_files):
            raise ValueError("insecure = true checks nothing: remove it, or the secrets")
        if any(not secret.get_secret_value().strip() for secret in self.secrets):
            raise ValueError("an empty secret protects nothing: remove it from secrets")
        if any(not _is_whole(secret.get_secret_value()) for secret in self.secrets):
            raise ValueError("a secret that begins with whsec_ goes on in base64: copy all of it")
        return self

    @model_validator(mode="after")
    def _addresses_are_understood(self) -> "SourceSettings":
        for internal, public in self.host_aliases.items():
            HostAlias(internal, public)
        if GITHUB_META in self.allowed_senders and self.provider != "github":
            raise ValueError(f"allowed_senders: {GITHUB_META} is for sources of github")
        if self.api_token_file and self.api_token.get_secret_value():
            raise ValueError("api_token and api_token_file: give one of them")
        if any("://" in pattern for pattern in self.repositories):
            raise ValueError("repositories are keys without a scheme: git.example.com/acme/*")
        return self


def _folded(globs: tuple[str, ...]) -> tuple[str, ...]:
    """As keys are written: in lower case, but for paths of a subscriber's own machine."""
    return tuple(glob if glob.startswith("file:") else glob.lower() for glob in globs)


class HubTokenSettings(_Settings):
    """What the holder of one bearer token may ask of the hub."""

    name: str = Field(min_length=1, max_length=100)
    """Who holds it: shown in refusals and logs."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The token's digest, as `directcd token new` prints it; no secret."""

    scopes: tuple[Scope, ...] = Field(default=("read",), min_length=1)
    """
    `read`: look. `subscribe`: follow pushes. `report`: tell how far one has come. `admin`: all
    that, and change. A cd4sources server needs `subscribe` and `report`, a client `report`.
    """

    repositories: Annotated[tuple[str, ...], AfterValidator(_folded)] = ()
    """
    Globs over repository keys (`git.example.com/acme/*`) that it may follow, report and look at;
    what is about all repositories is then not shown. Default: all.
    """


class ServerSettings(_Settings):
    """A cd4sources server whose builds the dashboard shows."""

    url: Annotated[str, AfterValidator(_server_url)]
    """Where its API is, e.g. `http://10.0.0.7:8081`."""

    token_file: Path | None = None
    """
    Holds a bearer token of that server with the scope `read`; read each time. Default: none is
    sent.
    """

    token: SecretStr = SecretStr("")
    """The token itself, where there is no file: `directcd up` makes one for its own server."""


class HubSettings(_Settings):
    """What receives webhooks, remembers them, and tells those that follow."""

    listen: str = "127.0.0.1:8080"
    """Address for webhooks and API. Loopback by default: exposing it is a decision."""

    data: Path = Path("/var/lib/directcd/hub")
    """
    Directory of the embedded log, or of what waits while Redis is away. One hub process at a time
    may use it.
    """

    redis: Annotated[SecretStr, AfterValidator(_redis_url)] = SecretStr("")
    """
    Redis 7 or Valkey that the hubs of one installation share: `redis://[user:password@]host/0`,
    `redis+sentinel://host,host/NAME`, `redis+cluster://host,host`; `rediss…` for TLS. `data` then
    holds what waits while Redis is away. Default: none, the log is a file in `data`.
    """

    public_url: Annotated[str, AfterValidator(_http_url)] = ""
    """How forges and people reach this hub, for the links it prints. Default: paths alone."""

    trusted_proxies: tuple[Network, ...] = ()
    """
    Networks of the proxies in front: who sends is then the last address of X-Forwarded-For that is
    none of theirs. Default: none, the sender is who connects; a header could say anything.
    """

    sources: dict[SourceName, SourceSettings] = Field(default_factory=dict)
    """Webhook endpoints by name: letters, digits, `.`, `_` and `-`, for it stands in the URL."""

    tokens: tuple[HubTokenSettings, ...] = ()
    """Who may use the API, several during a rotation. Default: everybody who reaches `listen`."""

    servers: dict[SourceName, ServerSettings] = Field(default_factory=dict)
    """
    cd4sources servers whose builds the dashboard shows, by name: `[hub.servers.NAME]`. The hub asks
    these and no others. Default: none; `directcd up` introduces its own.
    """

    otlp_endpoint: Annotated[str, AfterValidator(_http_url)] = ""
    """
    An OpenTelemetry collector (OTLP over HTTP, e.g. `http://127.0.0.1:4318`) that is sent each
    push's stages as spans. Needs `directcd[otel]`. Default: none.
    """

    public_dashboard: bool | None = None
    """
    With `tokens`: whether pages are shown to everybody, without what was in deliveries, and without
    their buttons. Default: true, as who waits for a deployment needs no account, unless a token is
    bounded to `repositories`: its holder would see more without it. Badges always are.
    """

    body_limit_bytes: int = Field(default=25 * MIB, ge=1024)
    """Largest accepted delivery, in bytes. 25 MiB is the cap of GitHub and GitLab themselves."""

    deduplication_seconds: float = Field(default=600.0, ge=0)
    """How long the same news is recognised as a repeat, in seconds. 0 switches it off."""

    keep_events: int = Field(default=100_000, ge=1, le=MOST_KEPT)
    """Events a returning subscriber can catch up on (about 1 KB each); older ones are a gap."""

    spool_limit_bytes: int = Field(default=1024 * MIB, ge=MIB)
    """
    What may wait in `data` while Redis is away, in bytes; beyond that deliveries are answered 503.
    1 GiB is about 80,000 deliveries (13 KB each).
    """

    keep_deliveries: int = Field(default=10_000, ge=1, le=MOST_KEPT)
    """Deliveries whose outcome can still be looked up (about 2 KB each, and their payload)."""

    keep_deliveries_days: float = Field(default=30.0, gt=0)
    """
    How long they can be, in days, and refused ones too. A month: longer than anybody looks back,
    and payloads name people.
    """

    keep_payloads: int = Field(default=1_000, ge=0, le=MOST_KEPT)
    """
    Payloads that Redis keeps, each of 256 KiB at most: there they take memory, 10 MB if all have
    the usual 10 KB. The embedded log keeps them as long as their deliveries.
    """

    callback_retry_seconds: float = Field(default=86_400.0, ge=0)
    """
    How long one notification is tried at a callback before it becomes a dead letter, in seconds.
    A day: a receiver that is away for a night misses nothing.
    """

    callback_allow_private: bool = False
    """
    Call any address a callback's URL leads to. Off by default: a subscriber could otherwise reach
    what only the hub's own network may reach. Prefer `callback_allowed_networks`.
    """

    callback_allowed_networks: tuple[Network, ...] = ()
    """
    Networks that callbacks may go to besides public addresses: `["10.20.0.0/16"]`. Default: none.
    """

    @field_validator("sources")
    @classmethod
    def _named_apart(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        if RECONCILED in sources:
            raise ValueError(f"{RECONCILED} is no name for a source: what the hub finds has it")
        return sources

    @property
    def has_public_pages(self) -> bool:
        """What `public_dashboard` comes to."""
        is_bounded = any(one.repositories for one in self.tokens)
        return not is_bounded if self.public_dashboard is None else self.public_dashboard


def _is_whole(secret: str) -> bool:
    # Only with this prefix can be told what a secret should look like.
    kind, prefix, text = secret.strip().partition("whsec_")
    return bool(kind) or not prefix or bool(_BASE64.fullmatch(text))
