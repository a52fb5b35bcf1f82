"""What the hub's pages do with names, numbers and answers that nobody expects."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from hub.settings import HubSettings, ServerSettings
from tests.support.deliveries import SHOP, A, push
from tests.support.hubs import hub_client, post, settings

HTML = {"accept": "text/html"}


class Odd(HTTPServer):
    """A server that answers every question with the same bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = b""


class _Handler(BaseHTTPRequestHandler):
    server: Odd

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def settled(tmp_path: Path, odd: Odd) -> HubSettings:
    url = f"http://127.0.0.1:{odd.server_port}"
    return settings(tmp_path, servers={"odd": ServerSettings(url=url)})


@pytest.fixture
async def hub(tmp_path: Path, odd: Odd) -> AsyncIterator[httpx.AsyncClient]:
    async with hub_client(settled(tmp_path, odd)) as client:
        client.headers.update(HTML)
        yield client


@pytest.mark.parametrize(
    "answer",
    [
        b'{"builds": [{"id": "b-1"}]}',
        b'{"builds": null}',
        b'{"builds": ["x"]}',
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 200_000,
        json.dumps({"builds": [{"id": "b-1", "started_at": "yesterday"}]}).encode(),
    ],
    ids=["few", "null", "words", "list", "empty", "bytes", "nested", "time"],
)
async def test_an_odd_server_is_named_and_breaks_no_page(
    hub: httpx.AsyncClient, odd: Odd, answer: bytes
) -> None:
    """Another version, another program, or somebody who wishes no good."""
    odd.answer = answer
    page = await hub.get("/builds")
    assert page.status_code == 200
    assert "odd answers in another form" in page.text
    assert (await hub.get("/builds/odd/b-1")).status_code == 502
    assert (await hub.get("/health")).status_code == 200


@pytest.mark.parametrize("name", ["shöp", "日本", "a&b=c"])
async def test_a_delivery_is_told_again_to_any_name(hub: httpx.AsyncClient, name: str) -> None:
    """A form is in UTF-8."""
    body = {"name": name, "repositories": [{"url": SHOP}]}
    assert (await hub.post("/v1/subscriptions", json=body)).status_code == 201
    await post(hub, push(A))
    answer = await hub.post("/deliveries/1/redeliver", data={"subscription": name})
    assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries/2?tab=journey")
    assert name.replace("&", "&amp;") in (await hub.get("/deliveries/2")).text


async def test_what_was_told_by_hand_is_told_anew_and_not_again(hub: httpx.AsyncClient) -> None:
    """No forge has sent it: the page offers no button, and the answer says what to do."""
    await hub.post("/v1/notify", json={"repository": SHOP, "ref": "main"})
    assert "Redeliver" not in (await hub.get("/deliveries/1")).text
    for path in ("/v1/deliveries/1/redeliver", "/deliveries/1/redeliver"):
        refused = await hub.post(path, headers={"accept": "application/json"})
        assert (refused.status_code, refused.json()["code"]) == (409, "told-by-hand")


@pytest.mark.parametrize("needle", ["9" * 18, "9" * 30, "5" * 32])
async def test_no_number_is_too_large_to_look_for(hub: httpx.AsyncClient, needle: str) -> None:
    """A trace id may be made of digits alone."""
    assert (await hub.get(f"/v1/traces/{needle}")).status_code == 404
