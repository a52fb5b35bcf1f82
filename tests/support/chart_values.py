"""
Check that what the chart says of its values is whole; with `--write`, have it be so.

values.schema.json is written by hand but for the settings of directcd.toml among its `$defs`, which
are the product's own; README.md's table of values is made of it and of values.yaml.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from directcd.schema import schema as settings_schema
from tests.support.reference.text import code, flat, table

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "directcd"
MARK = "<!-- From here on written by scripts/fix: change values.schema.json or values.yaml. -->\n"
NAMES = {
    "cd4sources__settings__ServerSettings": "ServerSettings",
    "hub__settings__ServerSettings": "KnownServerSettings",
}
# The chart's own: the places that it mounts, the Redis that decides how a hub is replaced.
OURS = {"ClientSettings": ["data"], "HubSettings": ["data", "redis"], "ServerSettings": ["data"]}
# A ConfigMap is no place for them: each has a setting beside it that names a file.
SECRETS = {"SourceSettings": ["api_token", "secrets"], "KnownServerSettings": ["token"]}
# Of a URL: a user where a token could be one, or a password.
LOGIN = {"not": {"pattern": "^https?://[^/]*@|:[^/]*@|password="}}
# The same, and a query, where some forges take tokens.
LOGIN_OR_QUERY = {"not": {"pattern": rf"{LOGIN['not']['pattern']}|[?]"}}
WRITTEN = {
    ("ClientSettings", "health_url"): LOGIN,
    ("ClientSettings", "hub"): LOGIN,
    ("ClientSettings", "servers", "items"): LOGIN,
    ("HubSettings", "listen"): {"pattern": ":8080$"},
    ("HubSettings", "public_url"): LOGIN,
    ("KnownServerSettings", "url"): LOGIN,
    ("RepositorySettings", "url"): LOGIN_OR_QUERY,
    ("SourceSettings", "api_url"): LOGIN,
    ("SourceSettings", "base_url"): LOGIN,
    ("ServerSettings", "hub"): LOGIN,
    ("ServerSettings", "listen"): {"pattern": ":8081$"},
}
_OF_VALUES = ("default", "title", "writeOnly", "format")


def wanted() -> dict[Path, str]:
    """The two files as they should be."""
    document = json.loads(_read("values.schema.json"))
    document["$defs"] |= settings()
    head = _read("README.md").partition(MARK)[0]
    values = yaml.safe_load(_read("values.yaml"))
    return {
        CHART / "values.schema.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        CHART / "README.md": f"{head}{MARK}\n{described(document, values)}\n",
    }


def settings() -> dict[str, Any]:
    """The tables of directcd.toml without what the chart decides, and without secrets."""
    text = json.dumps(settings_schema()["$defs"])
    for long, short in NAMES.items():
        text = text.replace(long, short)
    found: dict[str, Any] = json.loads(text)
    for name, keys in [*OURS.items(), *SECRETS.items()]:
        for key in keys:
            del found[name]["properties"][key]
    for (name, key, *items), rule in WRITTEN.items():
        setting = found[name]["properties"][key]
        (setting[items[0]] if items else setting).update(rule)
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(found: Any) -> Any:
    """Without defaults, which Helm would not use, and in one paragraph."""
    if isinstance(found, list):
        return [_plain(one) for one in found]
    if not isinstance(found, dict):
        return found
    kept = {key: _plain(one) for key, one in found.items() if key not in _OF_VALUES}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept


def described(document: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The table of values."""
    rows = _rows("", document, values, document)
    return table(("value", "default", "what it is, and why"), rows)


def _rows(
    way: str, schema: Mapping[str, Any], values: Any, document: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for key, one in schema["properties"].items():
        if key not in values:
            continue
        place, default, whole = f"{way}{key}", values[key], _resolved(one, document)
        is_group = bool(default) and isinstance(default, dict) and "properties" in whole
        written = "" if is_group else code(json.dumps(default, ensure_ascii=False))
        yield code(place), written, flat(whole["description"])
        if is_group:
            yield from _rows(f"{place}.", whole, default, document)


def _resolved(one: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = one.get("$ref") or next((all_of["$ref"] for all_of in one.get("allOf", ())), "")
    target = document["$defs"][reference.rpartition("/")[2]] if reference else {}
    return {**target, **one}


def _read(name: str) -> str:
    return (CHART / name).read_text(encoding="utf-8")


def main() -> None:
    """Read or write both files."""
    stale = {file: text for file, text in wanted().items() if file.read_text("utf-8") != text}
    if sys.argv[1:] == ["--write"]:
        for file, text in stale.items():
            file.write_text(text, encoding="utf-8")
    elif stale:
        names = ", ".join(file.name for file in stale)
        sys.exit(f"{CHART.name}: {names}: not what the settings and values say; run scripts/fix")


if __name__ == "__main__":
    main()
