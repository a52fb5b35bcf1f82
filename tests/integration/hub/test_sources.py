"""Sources of every kind of forge: whose delivery it is, and what its repository is called."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.settings import HubSettings, SourceSettings
from tests.support.deliveries import ZERO, A, Post
from tests.support.forges import STANDARD_KEY, bitbucket, bitbucket_server, gitea, standard
from tests.support.hubs import hub_client, hub_of, post, secrets, source_view, subscribe, told

# --- whose delivery is it -----------------------------------------------------------------------


async def test_another_forges_delivery_is_refused_when_its_signature_holds(tmp_path: Path) -> None:
    """With the provider and the URL to use instead; nothing is stored."""
    delivery = gitea("https://git.example.com/a/b", ZERO, A)
    delivery.headers["X-Forgejo-Event"] = "push"
    async with hub_client(hub_of(tmp_path, "gitea")) as hub:
        answer = await post(hub, delivery, "/webhooks/gitea/main")
        assert (answer.status_code, answer.json()["code"]) == (400, "provider-mismatch")
        assert 'provider = "forgejo"' in answer.json()["next"]
        assert "/webhooks/forgejo/main" in answer.json()["next"]
        assert (await hub.get("/v1/deliveries")).json()["deliveries"] == []


async def test_a_stranger_is_not_told_whose_delivery_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """401 as ever; the hub's own log says what usually is the cause."""
    delivery = bitbucket("r1", ("main", None, A))
    async with hub_client(hub_of(tmp_path, "gitea")) as hub:
        answer = await post(hub, delivery, "/webhooks/gitea/main")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad-signature")
    assert "bitbucket" not in answer.text
    [line] = [one for one in caplog.records if one.getMessage() == "delivery refused"]
    assert line.__dict__["sent_by"] == "bitbucket"


async def test_an_insecure_source_does_not_take_another_forges_delivery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unsigned is not anything at all; and the log says at the start what it takes."""
    settings = hub_of(tmp_path, "github", secrets=(), insecure=True)
    async with hub_client(settings) as hub:
        answer = await post(hub, bitbucket("r1", ("main", None, A)), "/webhooks/github/main")
        assert answer.json()["code"] == "provider-mismatch"
        own = Post(b"{}", {"Content-Type": "application/json", "X-GitHub-Event": "star"})
        accepted = await post(hub, own, "/webhooks/github/main")
        assert accepted.status_code == 202
        assert (await hub.get(accepted.json()["inspect"])).json()["signed_by"] == ""
        view = await source_view(hub)
    assert (view["insecure"], view["secrets"], view["next"]) == (True, [], "")
    assert "source takes unsigned deliveries" in caplog.messages
    assert view["last_delivery_at"]


async def test_an_old_timestamp_is_refused(tmp_path: Path) -> None:
    """The hub knows when it received a delivery; a signature that carries a time expires."""
    now = datetime.now(UTC)
    settings = hub_of(tmp_path, "standard_webhooks", secrets=secrets(STANDARD_KEY))
    path = "/webhooks/standard_webhooks/main"
    async with hub_client(settings) as hub:
        old = await post(hub, standard(now - timedelta(minutes=6)), path)
        assert (old.status_code, old.json()["code"]) == (401, "bad-signature")
        assert (await post(hub, standard(now - timedelta(minutes=4)), path)).status_code == 202


# --- what is the repository called --------------------------------------------------------------


async def test_a_subscriber_of_the_public_name_hears_of_an_internal_one(tmp_path: Path) -> None:
    """From the forge's own address in the payload to the notification."""
    public = "https://git.example.com/git/acme/shop"
    settings = hub_of(tmp_path, "gitea", host_aliases={"gitea:3000": "git.example.com/git"})
    async with hub_client(settings) as hub:
        cursor = await subscribe(hub, public)
        delivery = gitea("http://gitea:3000/acme/shop.git", ZERO, A)
        answer = await post(hub, delivery, "/webhooks/gitea/main")
        assert answer.json()["matched"] == ["s1"]
        [notification] = await told(hub, public, cursor)
    keys = {"gitea/acme/shop", "gitea:3000/acme/shop", "git.example.com/git/acme/shop"}
    assert set(notification["repository"]["keys"]) == keys


async def test_an_alias_counts_before_the_repositories_of_a_source(tmp_path: Path) -> None:
    """They may be named as everybody else names them."""
    settings = hub_of(
        tmp_path,
        "gitea",
        host_aliases={"gitea:3000": "git.example.com"},
        repositories=("git.example.com/acme/*",),
    )
    async with hub_client(settings) as hub:
        path = "/webhooks/gitea/main"
        ours = await post(hub, gitea("http://gitea:3000/acme/shop", ZERO, A), path)
        assert ours.json()["event"]["repository"] == "git.example.com/acme/shop"
        other = await post(hub, gitea("http://gitea:3000/evil/shop", ZERO, A), path)
        assert (other.status_code, other.json()["code"]) == (403, "repository-not-allowed")


async def test_a_repository_without_any_url_is_named_by_the_base_url(tmp_path: Path) -> None:
    """As old Bitbucket Servers need it; its clone URL names the same repository."""
    path, url = "/webhooks/bitbucket_server/main", "https://bb.example.com/scm/acme/shop.git"
    settings = hub_of(tmp_path, "bitbucket_server", base_url="https://bb.example.com/")
    async with hub_client(settings) as hub:
        cursor = await subscribe(hub, url)
        assert (await post(hub, bitbucket_server(ZERO, A), path)).json()["matched"] == ["s1"]
        [notification] = await told(hub, url, cursor)
        assert notification["repository"]["keys"] == ["bb.example.com/acme/shop"]
        repeated = await post(hub, bitbucket_server(ZERO, A), path)
        assert repeated.json()["verdict"] == "duplicate"


async def test_without_a_base_url_the_next_step_is_to_set_it(tmp_path: Path) -> None:
    """Nobody could be told of it."""
    async with hub_client(hub_of(tmp_path, "bitbucket_server")) as hub:
        answer = await post(hub, bitbucket_server(ZERO, A), "/webhooks/bitbucket_server/main")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-delivery")
    assert "set base_url in [hub.sources.main]" in answer.json()["next"]


async def test_a_base_url_changes_no_repository_that_has_a_name(tmp_path: Path) -> None:
    """It only stands in."""
    async with hub_client(hub_of(tmp_path, "gitea", base_url="https://bb.example.com")) as hub:
        delivery = gitea("https://git.example.com/acme/shop", ZERO, A)
        answer = await post(hub, delivery, "/webhooks/gitea/main")
    assert answer.json()["event"]["repository"] == "git.example.com/acme/shop"


# --- what is wrong here, and not there -----------------------------------------------------------


async def test_an_adapters_mistake_is_answered_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An adapter may be anybody's; its traceback is for the hub's log alone."""
    installed = tmp_path / "mistaken-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: mistaken\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[directcd.adapters]\nmistaken = mistaken_one:ADAPTER\n"
    )
    (tmp_path / "mistaken_one.py").write_text("class A:\n    name = 'mistaken'\nADAPTER = A()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with hub_client(hub_of(tmp_path / "hub", "mistaken")) as hub:
        answer = await post(hub, Post(b"{}"), "/webhooks/mistaken/main")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "AttributeError" in caplog.text
    assert "AttributeError" not in answer.text


async def test_two_sources_of_a_provider_are_not_one_without_a_name(tmp_path: Path) -> None:
    """And the answer does not claim that there is none."""
    one = SourceSettings(provider="gitea", secrets=secrets("a"))
    settings = HubSettings(data=tmp_path, sources={"a": one, "b": one})
    async with hub_client(settings) as hub:
        answer = await post(hub, gitea("https://h.test/a/b", ZERO, A), "/webhooks/gitea")
    assert (answer.status_code, "several sources" in answer.json()["detail"]) == (404, True)
