"""`/live`: how many pages may listen, and whose."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from cd4sources.tokens import digest, new_token
from hub.dashboard import live
from hub.settings import HubTokenSettings
from tests.support.hubs import serving_hub, settings

TOKEN = new_token()
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


class Listeners(AsyncExitStack):
    """Pages that stay open."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = f"{url}/live"

    async def come(self, headers: dict[str, str]) -> int:
        """One more; what it was answered."""
        client = await self.enter_async_context(httpx.AsyncClient(headers=headers))
        answer = await self.enter_async_context(client.stream("GET", self._url))
        return answer.status_code


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four, of which three may be strangers'."""
    monkeypatch.setattr(live, "MOST_OPEN", 4)
    monkeypatch.setattr(live, "STRANGERS_MOST", 3)


async def test_strangers_leave_places_for_those_with_a_token(tmp_path: Path) -> None:
    """They are told that signing in helps; who has a token takes any place."""
    token = HubTokenSettings(name="operators", sha256=digest(TOKEN), scopes=("admin",))
    async with (
        serving_hub(settings(tmp_path, tokens=(token,))) as (url, *_),
        Listeners(url) as pages,
    ):
        assert [await pages.come({}) for _ in range(4)] == [200, 200, 200, 503]
        async with httpx.AsyncClient() as client:
            refused = await client.get(f"{url}/live")
        assert "/login" in refused.json()["next"]
        assert [await pages.come(OPERATOR) for _ in range(2)] == [200, 503]


async def test_where_nobody_has_a_token_all_places_are_everybodys(tmp_path: Path) -> None:
    """There is nobody to keep one for."""
    async with serving_hub(settings(tmp_path)) as (url, *_), Listeners(url) as pages:
        assert [await pages.come({}) for _ in range(5)] == [200] * 4 + [503]
