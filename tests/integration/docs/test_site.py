"""The documentation as a site, and as a forge shows it: whole, linked, and asking nobody else."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
_LOADED = {
    "audio": "src", "embed": "src", "iframe": "src", "img": "src", "input": "src", "link": "href",
    "object": "data", "script": "src", "source": "src", "video": "src",
}  # fmt: skip
_STYLED = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s]+)")
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


class Seen(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of its addresses."""
        given = dict(attrs)
        self.loaded += [given.get(_LOADED.get(tag, ""), "") or ""]
        self.loaded += _STYLED.findall(given.get("style") or "")
        self.linked += [given.get("href") or ""] if tag == "a" else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built; a link or an anchor that leads nowhere, or a page in no menu, fails it."""
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(place)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return place


def test_every_page_is_in_the_menu(site: Path) -> None:
    """Whoever opens the home page finds all of them."""
    home = Seen((site / "index.html").read_text())
    linked = {(site / urlsplit(one).path / "index.html").resolve() for one in home.linked}
    assert {site / place_of(page) for page in PAGES} <= linked


def place_of(page: Path) -> Path:
    """Where the site has a page."""
    path = page.relative_to(DOCS).with_suffix("")
    return (path.parent if path.name == "index" else path) / "index.html"


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Neither fonts nor scripts nor pictures: it can be read where there is no network."""
    loaded = {
        address
        for file in site.rglob("*.html")
        for address in Seen(file.read_text(encoding="utf-8")).loaded
    }
    for file in site.rglob("*.css"):
        loaded.update(_STYLED.findall(file.read_text(encoding="utf-8")))
    assert len(loaded) > 10
    assert [one for one in loaded if urlsplit(one).netloc] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_forge_shows_it_as_well(page: Path) -> None:
    """Links lead to files below docs/, and anchors to headings as forges name them."""
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text(encoding="utf-8"))):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        other = (page.parent / parts.path).resolve() if parts.path else page
        assert other.is_relative_to(DOCS), link
        assert other.is_file(), link
        assert not parts.fragment or parts.fragment in anchors(other), link


def anchors(page: Path) -> list[str]:
    """Its headings' names in links (https://docs.github.com/get-started/writing-on-github)."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
