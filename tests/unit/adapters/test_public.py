"""What the package offers, and what it does not let anyone change."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import adapters
from adapters import AdapterError, Outcome, RefChange, Repository, UnknownProvider, parse
from adapters.registry import find
from tests.support.samples import PROVIDERS, sample


def test_exported_names_are_the_contract() -> None:
    """Nothing but the listed names is public."""
    public = {name for name, value in vars(adapters).items() if not isinstance(value, ModuleType)}
    assert {name for name in public if not name.startswith("_")} == set(adapters.__all__)


def test_values_are_frozen() -> None:
    """Outcome, repository and change can be shared without fear, and hold no other state."""
    push = sample("handmade/github/push-branch")
    outcome = parse("github", push.headers, push.body)
    assert outcome.repository is not None
    values = {"kind": outcome, "keys": outcome.repository, "ref": outcome.changes[0]}
    for field, value in values.items():
        assert hash(value)
        assert not hasattr(value, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(value, field, "changed")


def test_errors_default_to_their_documentation() -> None:
    """A class's docstring is its message, and each has a code of its own."""
    kinds = AdapterError.__subclasses__()
    assert [kind().detail for kind in kinds] == [kind.__doc__ for kind in kinds]
    assert len({kind.code for kind in kinds}) == len(kinds) == 4


@pytest.mark.parametrize("name", PROVIDERS)
def test_adapters_are_found_by_name(name: str) -> None:
    """An entry point's name is the adapter's own, and it is loaded once."""
    assert find(name).name == name
    assert find(name) is find(name)
    assert name in entry_points(group="directcd.adapters").names


def test_every_adapter_is_tested() -> None:
    """The tests' list of providers is that of the installed entry points."""
    assert sorted({found.name for found in entry_points(group="directcd.adapters")}) == PROVIDERS


@pytest.mark.parametrize("name", ["", "GitHub", "svn", "\ud800"], ids=ascii)
def test_unknown_provider_lists_the_installed_ones(name: str) -> None:
    """A misspelt provider in a configuration is answered with those that exist."""
    with pytest.raises(UnknownProvider, match=", ".join(PROVIDERS)):
        parse(name, {}, b"")


def test_broken_adapter_is_an_unknown_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package whose adapter cannot be imported is refused with the cause."""
    installed = tmp_path / "broken-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: broken\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[directcd.adapters]\nbroken = not_there:ADAPTER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownProvider, match="cannot be loaded") as refusal:
        parse("broken", {}, b"")
    assert isinstance(refusal.value.__cause__, ImportError)


def test_repository_keys_cost_no_model_library() -> None:
    """Who only compares URLs does not load pydantic."""
    code = "import adapters, sys; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=10)


def test_values_have_the_contract_fields() -> None:
    """Consumers may rely on these names."""
    assert {f.name for f in fields(RefChange)} == {
        *("ref", "ref_type", "name", "before", "after", "created", "deleted", "forced", "commit"),
    }
    assert {f.name for f in fields(Repository)} == {
        *("keys", "full_name", "id", "clone_url", "ssh_url", "html_url", "default_branch"),
    }
    assert {f.name for f in fields(Outcome)} == {
        *("kind", "notify", "reason", "delivery_id", "event", "repository", "changes"),
        *("commits_listed", "commits_total", "truncated", "paths", "former_name"),
    }
