"""What every forge's API does with webhooks: one suite for fakes of all, and for a real Gitea."""

from collections.abc import AsyncIterator

import pytest

from hub.forges.base import of_url
from hub.forges.errors import ForgeRefused
from hub.forges.values import CommitStatus, Place
from tests.support.forge_apis.subjects import KINDS, Subject, subject_of

URL = "https://hub.example.com/webhooks/forge/main"
SECRET = "webhook-secret-5b1d"

pytestmark = pytest.mark.anyio


@pytest.fixture(params=KINDS)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """A forge with one repository."""
    async with subject_of(request.param) as found:
        yield found


async def test_a_made_hook_is_active_in_json_and_for_every_needed_event(subject: Subject) -> None:
    made = await subject.forge.create_hook(subject.place, URL, SECRET)
    [listed] = await subject.forge.hooks(subject.place)
    assert listed.id == made.id
    assert (listed.url, listed.is_active, listed.content_type) == (URL, True, "json")
    assert set(subject.forge.events) <= set(listed.events)


async def test_an_update_mends_a_hook_and_keeps_what_others_set(subject: Subject) -> None:
    made = await subject.forge.create_hook(subject.place, URL, SECRET)
    if subject.fake:
        [hook] = subject.fake.hooks
        hook.active, hook.content_type = False, "form"
        hook.events = ["issues_events" if subject.forge.provider == "gitlab" else "issues"]
        hook.branch_filter, hook.authorization_header = "release/*", "Bearer proxy"
        hook.alert_status = "executable"
        [made] = await subject.forge.hooks(subject.place)
    changed = await subject.forge.update_hook(made, SECRET)
    [listed] = await subject.forge.hooks(subject.place)
    assert changed == listed
    assert set(subject.forge.events) <= set(listed.events)
    assert listed.is_active
    if subject.fake:
        assert any(event.startswith("issues") for event in listed.events)
        assert (hook.branch_filter, hook.authorization_header) == ("release/*", "Bearer proxy")


async def test_a_new_secret_reaches_the_hook_or_is_known_to_stay(subject: Subject) -> None:
    made = await subject.forge.create_hook(subject.place, URL, SECRET)
    await subject.forge.update_hook(made, "another-secret")
    if subject.fake:
        [hook] = subject.fake.hooks
        assert hook.secret == (SECRET if subject.forge.secret_stays else "another-secret")


async def test_a_hook_is_removed_once_and_again_without_an_error(subject: Subject) -> None:
    made = await subject.forge.create_hook(subject.place, URL, SECRET)
    await subject.forge.delete_hook(made)
    await subject.forge.delete_hook(made)
    assert await subject.forge.hooks(subject.place) == []


async def test_hooks_beyond_the_first_page_are_found(subject: Subject) -> None:
    wanted = 3 if subject.fake is None else 120
    for number in range(wanted):
        await subject.forge.create_hook(subject.place, f"{URL}-{number}", SECRET)
    found = await subject.forge.hooks(subject.place)
    assert len(found) == wanted
    [last] = of_url(found, f"{URL}-{wanted - 1}")
    assert last.id == max(hook.id for hook in found)


async def test_a_repository_that_is_not_there_is_refused_with_a_next_step(
    subject: Subject,
) -> None:
    with pytest.raises(ForgeRefused) as refused:
        await subject.forge.hooks(Place("acme/nowhere"))
    assert refused.value.status == 404
    assert "token" in refused.value.next_step


async def test_a_status_is_written_and_repeated_without_an_error(subject: Subject) -> None:
    status = CommitStatus("directcd/shop", "pending", "building " + "x" * 300, "https://hub.test/t")
    path = subject.place.name
    if subject.forge.provider == "gogs":
        with pytest.raises(ForgeRefused):
            await subject.forge.set_status(path, subject.commit, status)
        return
    for _ in range(2):
        await subject.forge.set_status(path, subject.commit, status)
    done = CommitStatus("directcd/shop", "success", "running on 2/2 clients")
    await subject.forge.set_status(path, subject.commit, done)
    if subject.fake:
        assert subject.fake.written(path, "directcd/shop")[-1] == "success"


async def test_an_organisation_has_hooks_of_its_own(subject: Subject) -> None:
    place = subject.organisation
    made = await subject.forge.create_hook(place, URL, SECRET)
    assert await subject.forge.hooks(subject.place) == []
    assert [hook.id for hook in await subject.forge.hooks(place)] == [made.id]
    await subject.forge.delete_hook(made)
    assert await subject.forge.hooks(place) == []
