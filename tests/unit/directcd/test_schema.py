"""The schema of directcd.toml takes what the command takes, and says what each setting means."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from directcd.cli import command

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """As it is printed."""
    printed = CliRunner().invoke(command, ["config", "schema"])
    assert printed.exit_code == 0
    found: dict[str, Any] = json.loads(printed.stdout)
    return found


def documents() -> Iterator[dict[str, Any]]:
    """The README's files."""
    for text in re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        yield tomllib.loads(text)


def test_it_takes_what_users_copy(schema: dict[str, Any]) -> None:
    """Tables, lists of tables and inline tables."""
    jsonschema.Draft202012Validator.check_schema(schema)
    copied = list(documents())
    assert copied
    for document in copied:
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    "text",
    [
        "[hubb]",
        '[hub]\nlisten_on = "127.0.0.1:1"',
        "[hub]\nkeep_events = 0",
        "[[target]]\nname = 'app'\nrepositories = []",
        "[server]\nbuild_sandbox = 'docker'",
    ],
)
def test_it_refuses_mistakes(schema: dict[str, Any], text: str) -> None:
    """While they are typed."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema)


def test_every_setting_says_what_it_means(schema: dict[str, Any]) -> None:
    """Also those of tables in tables."""
    tables = [schema, *schema["$defs"].values()]
    settings = [item for table in tables for item in table.get("properties", {}).items()]
    assert len(settings) > 90
    assert [name for name, one in settings if not one.get("description")] == []
