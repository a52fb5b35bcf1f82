"""Which repositories are at a source's forge: from a repository's keys to its path, and back."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from urllib.parse import quote

from adapters import repository_keys
from hub.forges.opening import web_url
from hub.settings import SourceSettings

# What forges allow in names; Azure DevOps also spaces.
_PATH = re.compile(r"[\w.~ -]+(/[\w.~ -]+)+")
_INVENTED = "/acme/app"


class ForgeAddress:
    """The address of one source's forge, with the other names that subscribers know it by."""

    def __init__(self, settings: SourceSettings, others: Iterable["ForgeAddress"] = ()) -> None:
        """
        Args:
            settings: validated.
            others: of other sources, which may be on the same host.
        """
        self.web_url = web_url(settings)
        aliases = chain.from_iterable(settings.host_aliases.items())
        urls = (f"https://{name.rpartition('://')[2]}" for name in aliases)
        self._names = [_Name(url) for url in (self.web_url, *urls) if url]
        ports = chain.from_iterable(other.ports for other in others)
        self._elsewhere = frozenset(ports) - self.ports

    @property
    def ports(self) -> frozenset[str]:
        """Those of its names that have a port."""
        beginnings = chain.from_iterable(name.beginnings for name in self._names)
        return frozenset(one for one in beginnings if ":" in one)

    def path_of(self, keys: frozenset[str]) -> str:
        """The path of a repository, such as `acme/shop`; "" when it is elsewhere."""
        if any(_is_in(key, beginning) for beginning in self._elsewhere for key in keys):
            return ""
        found = (name.path_of(keys) for name in self._names)
        return next((path for path in found if _leads_nowhere_else(path)), "")

    def keys_of(self, path: str) -> frozenset[str]:
        """All keys that the repository at a path may go by."""
        return frozenset().union(*(name.keys_of(path) for name in self._names))


class _Name:
    """One address: keys begin with it, with its port if it has one, and also without."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        found = repository_keys(self._url + _INVENTED)
        ours = [key.removesuffix(_INVENTED) for key in found if key.endswith(_INVENTED)]
        self.beginnings = sorted(ours, key=len, reverse=True)

    def keys_of(self, path: str) -> frozenset[str]:
        return repository_keys(f"{self._url}/{quote(path)}")

    def path_of(self, keys: frozenset[str]) -> str:
        # Without the port, too: that of ssh is another one.
        for beginning in self.beginnings:
            paths = [key.removeprefix(f"{beginning}/") for key in keys if _is_in(key, beginning)]
            if paths:
                return min(paths, key=len)
        return ""


def addresses_of(sources: Mapping[str, SourceSettings]) -> dict[str, ForgeAddress]:
    """The address of each source's forge, none of which takes another's repositories."""
    alone = {name: ForgeAddress(settings) for name, settings in sources.items()}
    return {
        name: ForgeAddress(settings, [one for other, one in alone.items() if other != name])
        for name, settings in sources.items()
    }


def _leads_nowhere_else(path: str) -> bool:
    """Whether a path is one of a repository: a payload may hold anything, and it goes into URLs."""
    return bool(_PATH.fullmatch(path)) and not {".", ".."} & set(path.split("/"))


def _is_in(key: str, beginning: str) -> bool:
    return key.startswith(f"{beginning}/")
