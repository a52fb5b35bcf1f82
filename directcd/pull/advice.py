"""What makes a push instant that only a poll has found; said once, not at every push."""

from cd4sources.http_errors import shown
from cd4sources.targets import Repository


class Advice:
    """
    The next step towards a push that is announced.

    Args:
        hub: The URL of the hub, or of its Redis, that is listened to; empty for none.
        repositories: What is pulled.
    """

    def __init__(self, hub: str, repositories: tuple[Repository, ...]) -> None:
        """Nobody was told yet."""
        self._hub = shown(hub) if hub.startswith("http") else hub and "http://your-hub:8080"
        self._urls = {one.name: one.url for one in repositories}
        self._told: set[str] = set()

    def on(self, names: list[str]) -> list[str]:
        """What to do about the repositories of these names that nobody was told of yet."""
        new = [name for name in names if name not in self._told]
        self._told |= set(names if self._hub else self._urls)
        return [self._step(self._urls.get(name, name)) for name in (new if self._hub else new[:1])]

    def _step(self, url: str) -> str:
        if not self._hub:
            return (
                "make it instant: add --hub http://your-hub:8080, and let the forge post the "
                f"pushes of {url} there"
            )
        return (
            f"the hub heard no push of {url}: add a webhook at the forge to "
            f"{self._hub.rstrip('/')}/webhooks/PROVIDER/SOURCE"
        )
