"""
Whether what names a version names the same one: `directcd/__init__.py` is where it is written.

A commit with the tag `v…` is a release: its changelog then has a date, and nothing else will do.
"""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
UNRELEASED = "unreleased"
HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+), (?P<when>\S+)$", re.MULTILINE)


def offences(root: Path = ROOT) -> list[str]:
    """What contradicts the version of a checkout, a sentence each."""
    version = written(root)
    return [
        *_of_changelog((root / "CHANGELOG.md").read_text(), version),
        *_of_chart(root / "deploy/helm/directcd/Chart.yaml", version),
        *_of_tags(root, version),
    ]


def written(root: Path) -> str:
    """The one version; raises AttributeError when there is none."""
    text = (root / "directcd/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if not found:
        raise AttributeError("directcd/__init__.py has no __version__")
    return found[1]


def headings(changelog: str) -> list[tuple[str, str]]:
    """Version and date of each section, the newest first."""
    return [(found["version"], found["when"]) for found in HEADING.finditer(changelog)]


def _of_changelog(text: str, version: str) -> list[str]:
    said = [
        f"CHANGELOG.md: {line!r} is not `## MAJOR.MINOR.PATCH, YYYY-MM-DD`"
        for line in re.findall(r"^## .*$", text, re.MULTILINE)
        if not HEADING.match(line)
    ]
    sections = headings(text)
    if not sections or sections[0][0] != version:
        said.append(f"CHANGELOG.md: its first section is not that of {version}")
    said += [
        f"CHANGELOG.md: {number} has no date" for number, when in sections[1:] if not _is_date(when)
    ]
    if sections and sections[0][1] != UNRELEASED and not _is_date(sections[0][1]):
        said.append(f"CHANGELOG.md: {sections[0][1]!r} is neither a date nor {UNRELEASED}")
    return said


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_chart(path: Path, version: str) -> list[str]:
    chart = yaml.safe_load(path.read_text())
    return [
        f"{path.name}: {key} is {chart[key]}, and not {version}"
        for key in ("version", "appVersion")
        if str(chart[key]) != version
    ]


def _of_tags(root: Path, version: str) -> list[str]:
    command = ["git", "-C", str(root), "tag", "--points-at", "HEAD", "v*"]
    tags = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    said = [f"the tag {tag} is not v{version}" for tag in tags if tag != f"v{version}"]
    changelog = (root / "CHANGELOG.md").read_text()
    if tags and headings(changelog)[:1] == [(version, UNRELEASED)]:
        said.append(f"CHANGELOG.md: {version} is tagged, and {UNRELEASED}: write its date")
    return said


if __name__ == "__main__":
    found = offences()
    sys.stderr.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
