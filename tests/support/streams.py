"""Reading `/v1/events`: streams as decoded blocks, polls, and where the log stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

SSE = {"accept": "text/event-stream"}


@asynccontextmanager
async def stream(
    hub: httpx.AsyncClient, **params: str
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """An open stream as decoded blocks, comments left out."""
    async with hub.stream("GET", "/v1/events", params=params, headers=SSE) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        yield blocks(answer)


async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The stream's blocks as dictionaries of their fields."""
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            block[name] = value
        elif block:
            yield block
            block = {}


async def first_with(blocks: AsyncIterator[dict[str, str]], field: str) -> dict[str, str]:
    """The next block that has a field."""
    async for block in blocks:
        if field in block:
            return block
    raise AssertionError(f"the stream ended without {field}")


def after_of(block: dict[str, str]) -> str:
    """The commit a notification block announces."""
    after: str = httpx.Response(200, text=block["data"]).json()["data"]["after"]
    return after


async def cursor_now(hub: httpx.AsyncClient) -> str:
    """Where the log stands."""
    answer = await hub.get("/v1/events")
    assert answer.status_code == 204
    return answer.headers["x-directcd-cursor"]


async def poll(hub: httpx.AsyncClient, **params: str) -> httpx.Response:
    """One long poll."""
    return await hub.get("/v1/events", params=params, headers={"accept": "application/json"})
