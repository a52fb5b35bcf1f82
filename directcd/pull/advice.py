"""What makes a push instant that only a poll has found; said once, not at every push."""

from collections.abc import Mapping

from cd4sources.http_errors import shown
from cd4sources.sources.addresses import parse_address


class Advice:
    """
    The next step towards a push that is announced.

    Args:
        hub: The URL of the hub, or of its Redis, that is listened to; empty for none.
        urls: Those of the repositories, by what they are called.
    """

    def __init__(self, hub: str, urls: Mapping[str, str]) -> None:
        """Nobody was told yet."""
        self._hub = shown(hub) if hub.startswith("http") else hub and "http://your-hub:8080"
        self._urls = urls
        self._told: set[str] = set()

    def on(self, names: list[str]) -> list[str]:
        """What to do about the repositories of these names that nobody was told of yet."""
        new = [name for name in names if name not in self._told and self._has_forge(name)]
        self._told |= set(names if self._hub else self._urls)
        return [self._step(self._urls[name]) for name in (new if self._hub else new[:1])]

    def _has_forge(self, name: str) -> bool:
        """No webhook names a repository on this machine."""
        return parse_address(self._urls[name]).scheme != "file"

    def _step(self, url: str) -> str:
        if not self._hub:
            return (
                "make it instant: add --hub http://your-hub:8080, and let the forge post the "
                f"pushes of {url} there"
            )
        return (
            f"no push of {url} came from the hub: see that it runs, and that the forge posts to "
            f"{self._hub.rstrip('/')}/webhooks/PROVIDER/SOURCE"
        )
