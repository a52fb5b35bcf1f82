"""The builds of the configured servers on the hub's pages, with a real server behind them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cd4sources.settings import TokenSettings
from cd4sources.tokens import digest, new_token
from cd4sources.wakes import Wake
from directcd.demo.world import free_ports
from hub.servers import MOST_LOG_BYTES
from hub.settings import HubTokenSettings, ServerSettings
from tests.support.hubs import hub_client, settings
from tests.support.serving import BUILD_SH, Serving, listening, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

HTML = {"accept": "text/html"}
FAILING = "printf '\\033[31m%s/a.c:3:1: error: no type\\033[0m\\n' $PWD; exit 2\n"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


@pytest.fixture
async def server(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    """A server that has built once."""
    async with listening(tmp_path / "server", target_of("app", source.path)) as running:
        yield running


@pytest.fixture
async def hub(tmp_path: Path, server: Serving) -> AsyncIterator[httpx.AsyncClient]:
    """A hub that knows this server, and one that is away."""
    [port] = free_ports(1)
    servers = {
        "one": ServerSettings(url=url_of(server)),
        "gone": ServerSettings(url=f"http://127.0.0.1:{port}"),
    }
    async with hub_client(settings(tmp_path / "hub", servers=servers)) as client:
        client.headers.update(HTML)
        yield client


def url_of(server: Serving) -> str:
    return str(server.http.base_url)


async def failed(server: Serving, source: Source, build_sh: str) -> str:
    """The id of a build that fails like this."""
    source.commit({"build.sh": build_sh})
    await server.look()
    (build,) = (await server.http.get("/v1/builds?limit=1")).json()["builds"]
    assert build["state"] == "failed"
    return str(build["id"])


async def test_a_server_that_is_away_hides_no_other(hub: httpx.AsyncClient) -> None:
    """It is named with the reason, on the list and on its own page; health says so, too."""
    for path in ("/builds", "/health"):
        page = await hub.get(path)
        assert page.status_code == 200
        assert "refused, or nobody there" in page.text
    assert 'href="/builds/one/b-' in (await hub.get("/builds")).text
    page = await hub.get("/builds/gone/b-1")
    assert page.status_code == 502
    assert "does not answer" in page.text


async def test_a_log_shows_the_error_that_the_server_has_named(
    hub: httpx.AsyncClient, server: Serving, source: Source
) -> None:
    """Also where the server names the file from the tree on, and the tool did from the root on."""
    build = await failed(server, source, f"echo 1 error expected\n{FAILING}")
    page = await hub.get(f"/builds/one/{build}")
    assert '<a href="#L2">line 2</a>' in page.text
    assert '<li id="L2" class="wrong">' in page.text
    assert '<span class="sgr-red">' in page.text


async def test_the_log_of_a_version_is_found_by_its_name(
    hub: httpx.AsyncClient, server: Serving, source: Source
) -> None:
    """A failure names the version, and not the build; the log opens at its error."""
    build = await failed(server, source, FAILING)
    made = (await server.http.get(f"/v1/builds/{build}")).json()
    found = await hub.get("/builds", params={"target": "app", "version": made["version"]})
    assert found.headers["location"] == f"/builds/one/{build}#first-error"
    unknown = await hub.get("/builds", params={"target": "app", "version": "v-0"})
    assert unknown.status_code == 200


async def test_of_a_long_log_the_end_is_shown(
    hub: httpx.AsyncClient, server: Serving, source: Source
) -> None:
    """There stands what went wrong; that the beginning is left out is said."""
    build = await failed(server, source, f"seq {MOST_LOG_BYTES // 4}\n{FAILING}")
    page = await hub.get(f"/builds/one/{build}")
    assert "Only the end is shown" in page.text
    assert "a.c:3:1: error: no type</span></bdi>" in page.text
    assert ">1</bdi>" not in page.text


async def test_a_build_that_has_printed_nothing_yet_is_shown(
    tmp_path: Path, hub: httpx.AsyncClient, server: Serving, source: Source
) -> None:
    """A page waits for no output, as while the commits are checked out."""
    gate = tmp_path / "gate"
    source.commit({"build.sh": f"while ! test -e {gate}; do sleep 0.01; done\n{BUILD_SH}"})
    server.follower().wake(Wake("poll"))
    builds = server.app.state.builds
    await eventually(lambda: builds.list(["app"], limit=1)[0].state == "running")
    (record,) = builds.list(["app"], limit=1)
    await eventually(builds.log(record).exists)
    builds.log(record).unlink()
    page = await hub.get(f"/builds/one/{record.id}")
    gate.touch()
    assert (page.status_code, "under way" in page.text) == (200, True)
    await eventually(lambda: not builds.is_running(record.id))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/builds/one/b-1", 404, "b-1: one does not know it (any more)"),
        ("/builds/other/b-1", 404, "no server is named"),
        ("/builds/one/livez", 400, ""),
        ("/builds?target=other", 200, "Nothing was built yet."),
    ],
)
async def test_what_is_not_there_is_said(
    tmp_path: Path, server: Serving, path: str, status: int, said: str
) -> None:
    """And no server is asked for anything but a build by its id."""
    known = {"one": ServerSettings(url=url_of(server))}
    async with hub_client(settings(tmp_path / "hub", servers=known)) as client:
        page = await client.get(path, headers=HTML)
    assert page.status_code == status
    assert said in page.text


async def test_a_server_with_tokens_is_asked_with_one(tmp_path: Path, source: Source) -> None:
    """A wrong one is said with the setting to change; the file is read each time."""
    value, file = new_token(), tmp_path / "token"
    theirs = TokenSettings(name="hub", sha256=digest(value), scopes=("read",))
    known = settings(tmp_path / "hub")
    async with listening(
        tmp_path / "server", target_of("app", source.path), tokens=(theirs,)
    ) as server:
        one = ServerSettings(url=url_of(server), token_file=file)
        async with hub_client(known.model_copy(update={"servers": {"one": one}})) as client:
            missing = await client.get("/builds", headers=HTML)
            file.write_text("dcd_wrong\n")
            wrong = await client.get("/builds", headers=HTML)
            file.write_text(f"{value}\n")
            right = await client.get("/builds", headers=HTML)
    assert "token_file of hub.servers.one: No such file" in missing.text
    assert "set token_file in [hub.servers.one]" in wrong.text
    assert 'href="/builds/one/b-' in right.text


async def test_a_log_is_for_who_may_read(tmp_path: Path, server: Serving, source: Source) -> None:
    """A visitor without a token sees how it ended, not what it printed."""
    value = new_token()
    build = await failed(server, source, f"echo no token for this\n{FAILING}")
    people = HubTokenSettings(name="people", sha256=digest(value), scopes=("read",))
    servers = {"one": ServerSettings(url=url_of(server))}
    values = settings(tmp_path / "hub", servers=servers, tokens=(people,))
    async with hub_client(values) as client:
        public = await client.get(f"/builds/one/{build}", headers=HTML)
        client.headers["Authorization"] = f"Bearer {value}"
        signed_in = await client.get(f"/builds/one/{build}", headers=HTML)
    assert public.status_code == 200
    assert "no token for this" not in public.text
    assert "no token for this" in signed_in.text
