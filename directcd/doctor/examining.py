"""The whole examination: every check at once, each with a deadline."""

import asyncio
import tempfile
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cd4sources.http import Http
from cd4sources.running.commands import reap_leftovers
from cd4sources.sources.git import Git
from cd4sources.targets import Repository, Target, TargetError
from directcd.config import Config
from directcd.doctor import (
    addresses,
    disk,
    forges,
    hubs,
    offers,
    places,
    redis,
    repositories,
    services,
    targets,
    tools,
    webhooks,
)
from directcd.doctor.findings import Finding, problem
from directcd.doctor.settings import read, unstartable
from directcd.doctor.standing import placed, standing
from directcd.listening import url_of
from directcd.whom import server_of

DEADLINE_SECONDS = 3.0
"""For each check; they run together, so that all of it takes hardly longer when things hang."""

AT_ONCE = 8
"""Repositories that are asked together."""


async def examined(file: Path, token: str = "") -> list[Finding]:
    """
    Every finding of one configuration, and of the machine.

    Args:
        file: directcd.toml.
        token: May read at the hub. Default: what the file names, or none where that is open.
    """
    known = read(file)
    config, found = known.config, list[Finding]()
    if config:
        found += standing(config, file)
        found += unstartable(known, found, file)
        found += placed(list(disk.check(config)), file)
        found += placed(webhooks.unasked(config.hub) if config.hub else [], file)
    with tempfile.TemporaryDirectory(prefix="directcd-") as place:
        git = Git(Path(place), DEADLINE_SECONDS)
        try:
            async with Http() as http:
                groups = await asyncio.gather(*_checks(config, _Means(http, git, token)))
        finally:
            await reap_leftovers(Path(place))
    found += placed([one for group in groups for one in group], file)
    return known.findings + known.sure(found, f"{file}:")


@dataclass(frozen=True)
class _Means:
    http: Http
    git: Git
    token: str = field(repr=False)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def hub(self, url: str) -> hubs.Hub:
        return hubs.Hub(self.http, url, self.token)


def _checks(config: Config | None, means: _Means) -> Iterator[Awaitable[Sequence[Finding]]]:
    yield _timely(tools.git(means.git), "", "git")
    yield _timely(tools.go(means.git.data), "", "go")
    if config is None:
        return
    for where, url in redis.named(config):
        yield _timely(redis.check(where, url), where, "Redis")
    asked = list(repositories.located(_targets(config))) if server_of(config) else []
    for where, one in asked:
        yield _timely(_remote(one, where, means), where, one.url)
    yield from _services(config, means)
    if its := hubs.followed(config):
        hub = hubs.Hub(means.http, its.address, means.token or hubs.token_in(its))
        yield _timely(hubs.check(hub, asked), "", "the hub")
        yield _timely(targets.check(hub), "", "the hub, of its targets,")


def _services(config: Config, means: _Means) -> Iterator[Awaitable[Sequence[Finding]]]:
    listening = places.listening(config)
    own = {where: listen for where, listen in listening if addresses.is_meant(listen)}
    for where, listen in own.items():
        yield _timely(services.own(means.http, where, listen), where, listen)
    known = set(map(url_of, own.values()))
    for where, url in places.followed(config):
        if url.startswith("http") and url not in known:
            known.add(url)
            yield _timely(services.elsewhere(means.http, where, url), where, url)
    for asked in offers.questions(config):
        yield _timely(offers.check(means.http, asked), asked.where, asked.url)
    if config.hub and config.hub.sources and "hub.listen" in own:
        hub = means.hub(url_of(config.hub.listen))
        yield _timely(forges.check(config.hub, hub), "hub.public_url", "the name's DNS")
    for name in config.hub.sources if config.hub else ():
        yield _timely(webhooks.check(config, name), f"hub.sources.{name}", "the forge's API")


async def _timely(check: Awaitable[Sequence[Finding]], where: str, who: str) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await check
    except TimeoutError:
        what = f"{who} did not answer within {DEADLINE_SECONDS:g} s"
        return [problem(what, where, "see that it runs, and what is between it and this machine")]


async def _remote(one: Repository, where: str, means: _Means) -> Sequence[Finding]:
    async with means.turns:
        return await repositories.check(one, where, means.git)


def _targets(config: Config) -> list[Target]:
    # One that contradicts itself is a finding already.
    found = []
    for settings in config.target:
        with suppress(TargetError):
            found.append(Target.from_settings(settings))
    return found
