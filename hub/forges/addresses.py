"""Which repositories are at a source's forge: from a repository's keys to its path, and back."""

from urllib.parse import quote

from adapters import repository_keys
from hub.forges.opening import web_url
from hub.settings import SourceSettings

_INVENTED = "/acme/app"


class ForgeAddress:
    """The address of one source's forge, with the other names that subscribers know it by."""

    def __init__(self, settings: SourceSettings) -> None:
        """
        Args:
            settings: validated.
        """
        self.web_url = web_url(settings)
        others = (f"https://{public}" for public in settings.host_aliases.values())
        self._names = [_Name(url) for url in (self.web_url, *others) if url]

    def path_of(self, keys: frozenset[str]) -> str:
        """The path of a repository, such as `acme/shop`; "" when it is elsewhere."""
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
        beginnings = [key.removesuffix(_INVENTED) for key in found if key.endswith(_INVENTED)]
        self._beginnings = sorted(beginnings, key=len, reverse=True)

    def keys_of(self, path: str) -> frozenset[str]:
        return repository_keys(f"{self._url}/{quote(path)}")

    def path_of(self, keys: frozenset[str]) -> str:
        # Who writes a port means that one: two forges may share a host.
        asked = {key for key in keys if _has_port(key)} or keys
        for beginning in self._beginnings:
            paths = [key.removeprefix(f"{beginning}/") for key in asked if _is_in(key, beginning)]
            if paths:
                return min(paths, key=len)
        return ""


def _leads_nowhere_else(path: str) -> bool:
    """Whether a path is one of a repository: a payload may hold anything, and it goes into URLs."""
    return bool(path) and path.isprintable() and not {"", ".", ".."} & set(path.split("/"))


def _is_in(key: str, beginning: str) -> bool:
    return key.startswith(f"{beginning}/")


def _has_port(key: str) -> bool:
    return ":" in key.partition("/")[0]
