"""What directcd.toml lacks before a webhook can be registered: sentences with the exact lines."""

import json
from urllib.parse import urlsplit

from adapters import repository_keys
from directcd.init.forges import guessed
from hub.forges.opening import WEB_URLS
from hub.settings import HubSettings

_MORE = """\
secrets_files = [".directcd/webhook-secret"]    # made when it is not there
api_token_file = "/run/secrets/forge-token"     # or --token-file, or DIRECTCD_FORGE_TOKEN"""


def hub() -> str:
    """No hub, or none with a source."""
    return "no forge is known: directcd.toml needs [hub], and in it a source; add\n\n" + _source(
        "main", "gitea", "https://git.example.com"
    )


def public_url(listen: str) -> str:
    """How the hub is reached."""
    return (
        f"how do forges reach the hub, which listens on {listen}? Add to [hub]:\n\n"
        'public_url = "https://hub.example.com"'
    )


def target() -> str:
    """Nothing that could be registered by itself."""
    return "no target of directcd.toml has a repository at a forge: name a REPOSITORY, or --org"


def admission(source: str, key: str) -> str:
    """A repository that the right source may not speak for."""
    line = f"repositories = [{json.dumps(key)}, …]"
    return f"source {source} may not speak for {key}: in [hub.sources.{source}],\n\n{line}"


def source(settings: HubSettings, words: str) -> str:
    """A host that no source stands for."""
    key = min(repository_keys(words), default="")
    if not key:
        return "that is no repository: write its URL, host/path, or its path with --source NAME"
    host, provider = key.partition("/")[0], guessed(key)
    address = _address(words, host)
    said = f"no source of directcd.toml stands for {host}"
    for name, one in settings.sources.items():
        is_it = one.provider == provider or (not provider and one.provider not in WEB_URLS)
        if not one.base_url and is_it and address not in WEB_URLS.values():
            return (
                f"{said}; add to [hub.sources.{name}], if it does:\n\nbase_url = {_text(address)}"
            )
    name = host.replace(":", "-") if "main" in settings.sources else "main"
    return f"{said}; add\n\n{_source(name, provider or 'gitea', address)}"


def _source(name: str, provider: str, address: str) -> str:
    written = _text(name) if "." in name else name
    lines = [f"[hub.sources.{written}]", f"provider = {_text(provider)}"]
    if address != WEB_URLS.get(provider):
        lines.append(f"base_url = {_text(address)}")
    return "\n".join([*lines, _MORE])


def _address(words: str, host: str) -> str:
    scheme, separator, _ = words.partition("://")
    is_web = separator and scheme in {"http", "https"}
    return (
        f"{scheme}://{urlsplit(words).netloc.rpartition('@')[2]}" if is_web else f"https://{host}"
    )


def _text(text: str) -> str:
    # TOML reads strings as JSON writes them.
    return json.dumps(text, ensure_ascii=False)
