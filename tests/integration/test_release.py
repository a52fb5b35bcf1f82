"""What keeps a release from contradicting itself."""

import subprocess
from pathlib import Path

import pytest

from tests.support import release

VERSION = "1.2.3"
CHANGELOG = f"# Changelog\n\n## {VERSION}, unreleased\n\n### Added\n\n- x\n\n## 1.2.2, 2026-01-31\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that agrees with itself, committed."""
    write(tmp_path, "directcd/__init__.py", f'__version__ = "{VERSION}"\n')
    write(tmp_path, "CHANGELOG.md", CHANGELOG)
    write(
        tmp_path, "deploy/helm/directcd/Chart.yaml", f"version: {VERSION}\nappVersion: {VERSION}\n"
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@e.invalid", "commit", "-qm", "one")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    """A file, with its directories."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def git(root: Path, *words: str) -> None:
    """A git command that succeeds."""
    subprocess.run(["git", "-C", str(root), *words], check=True)


def test_this_checkout_agrees_with_itself() -> None:
    """Its package, its changelog and its chart are of one version."""
    assert release.offences() == []


def test_one_that_agrees_is_left_alone(checkout: Path) -> None:
    """Also while it is not released."""
    assert release.offences(checkout) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("directcd/__init__.py", VERSION, "1.3.0", "not that of 1.3.0"),
        ("deploy/helm/directcd/Chart.yaml", f"appVersion: {VERSION}", "appVersion: 9", "appVer"),
        ("CHANGELOG.md", "1.2.2, 2026-01-31", "1.2.2, unreleased", "1.2.2 has no date"),
        ("CHANGELOG.md", "unreleased", "soon", "'soon' is neither"),
        ("CHANGELOG.md", f"{VERSION}, unreleased", "Unreleased", "'## Unreleased' is not"),
    ],
    ids=["package", "chart", "old section", "no date", "heading"],
)
def test_what_contradicts_the_version_is_said(
    checkout: Path, name: str, old: str, new: str, said: str
) -> None:
    """Each place where it is named."""
    path = checkout / name
    path.write_text(path.read_text().replace(old, new))
    assert any(said in line for line in release.offences(checkout))


@pytest.mark.parametrize(
    ("tag", "said"), [("v1.2.3", "write its date"), ("v1.2.4", "is not v1.2.3")]
)
def test_a_tag_asks_for_a_date_and_for_its_version(checkout: Path, tag: str, said: str) -> None:
    """What is tagged is released."""
    git(checkout, "tag", tag)
    assert any(said in line for line in release.offences(checkout))


def test_a_dated_release_may_be_tagged(checkout: Path) -> None:
    """That is what a release is."""
    write(checkout, "CHANGELOG.md", CHANGELOG.replace("unreleased", "2026-02-28"))
    git(checkout, "tag", f"v{VERSION}")
    assert release.offences(checkout) == []
