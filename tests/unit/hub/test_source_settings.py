"""What a source's settings refuse, at the start and in words."""

from typing import Any

import pytest
from pydantic import ValidationError

from hub.settings import HubSettings, SourceSettings

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "no secret"),
    "unsigned and signed": ({"secrets": ["s"], "insecure": True}, "checks nothing"),
    "empty secret": ({"secrets": [" "]}, "protects nothing"),
    "half a signing token": ({"secrets": ["whsec_not base64!"]}, "copy all of it"),
    "URL as pattern": ({"secrets": ["s"], "repositories": ["https://h.test/a/*"]}, "without"),
    "base_url with a query": ({"secrets": ["s"], "base_url": "https://h.test/x?y"}, "base_url"),
    "no sender": ({"secrets": ["s"], "allowed_senders": ["example.com"]}, "must be a network"),
    "a number as sender": ({"secrets": ["s"], "allowed_senders": [3]}, "must be a network"),
    "GitHub's list": ({"secrets": ["s"], "allowed_senders": ["github-meta"]}, "of github"),
    "alias with a query": ({"secrets": ["s"], "host_aliases": {"a:1": "h.test/x?y"}}, "host/path"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name: str) -> None:
    """Before the first delivery is refused for a reason nobody sees."""
    values, message = MISTAKES[name]
    with pytest.raises(ValidationError, match=message):
        SourceSettings.model_validate({"provider": "gitea", **values})


@pytest.mark.parametrize("secret", ["whsec_MDEyMw==", "whsec_MDEyMw", "my whsec_ secret"])
def test_other_secrets_are_anything(secret: str) -> None:
    """Only a whole prefix promises base64."""
    SourceSettings.model_validate({"provider": "github", "secrets": [secret]})


@pytest.mark.parametrize("name", ["a b", "a/b", "", "é"])
def test_a_source_is_called_what_a_url_can_hold(name: str) -> None:
    """It stands in the webhook's address."""
    source = {"provider": "gitea", "secrets": ["s"]}
    with pytest.raises(ValidationError):
        HubSettings.model_validate({"sources": {name: source}})
