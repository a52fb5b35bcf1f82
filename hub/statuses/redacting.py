"""What the hub itself must not tell a forge: every secret and token that it knows."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hub.forges.errors import TokenUnusable
from hub.forges.opening import token_of
from hub.keeping import REDACTED, shown_text
from hub.log.base import LogUnfit
from hub.log.redis_address import parse_redis_url
from hub.log.redis_connection import password_of
from hub.secrets import Secret, SecretFile, SecretFileError
from hub.settings import HubSettings
from hub.sources import Source

# https://github.blog/engineering/behind-githubs-new-authentication-token-formats/ and
# https://docs.gitlab.com/security/tokens/#token-prefixes; ours begin with dcd_.
_TOKEN = re.compile(r"\b(gh[oprsu]_|github_pat_|gl[a-z]{2,6}-|dcd_)[A-Za-z0-9_.-]{8,}")
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#]+\?)\S+", re.IGNORECASE)
_BEARER = re.compile(r"\b(basic|bearer|token)(:? +)[A-Za-z0-9+/=_.~-]{16,}", re.IGNORECASE)


class Redactor:
    """Takes secrets out of what servers and clients have reported; it was done there before."""

    def __init__(self, settings: HubSettings, sources: Sequence[Source]) -> None:
        """
        Args:
            settings: of the hub.
            sources: all of them.
        """
        self._settings = settings
        self._sources = sources
        one_each = settings.servers.values()
        self._files = [SecretFile(one.token_file) for one in one_each if one.token_file]

    def __call__(self, text: str) -> str:
        """A text without what is secret."""
        shown = shown_text(text, [*self._known()])
        shown = _QUERY.sub(rf"\1{REDACTED}", shown)
        shown = _BEARER.sub(rf"\1\2{REDACTED}", shown)
        return _TOKEN.sub(REDACTED, shown)

    def _known(self) -> Iterator[Secret]:
        for source in self._sources:
            yield from source.readable()
        for name, source_settings in self._settings.sources.items():
            with suppress(TokenUnusable):
                yield Secret(name, token_of(name, source_settings).encode())
        for server_name, server in self._settings.servers.items():
            yield Secret(server_name, server.token.get_secret_value().encode())
        for file in self._files:
            with suppress(SecretFileError):
                yield file.read()
        if url := self._settings.redis.get_secret_value():
            address = parse_redis_url(url)
            for one in (address.credentials, address.sentinel_credentials):
                with suppress(LogUnfit):
                    yield Secret("redis", password_of(one).encode())
