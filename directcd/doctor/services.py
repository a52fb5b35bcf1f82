"""Hubs and servers, this file's own and others: are they there, and of which version."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from pydantic import BaseModel

import directcd
from cd4sources.http import BadStatus, Http, HttpError, Reply, Unreachable, shown
from directcd.doctor.findings import Finding, ok, problem, warning
from directcd.listening import url_of
from directcd.process import StartError
from directcd.serving import bind

SKEW_SECONDS = 5.0
"""Timelines are off by so much; some forges' signatures by 300 s are refused."""

ANSWER_SECONDS = 2.0


class _Ready(BaseModel):
    status: str
    reason: str = ""


class _Version(BaseModel):
    name: str = ""
    version: str = ""


async def own(http: Http, where: str, listen: str) -> list[Finding]:
    """A service that this file describes: it runs, or its address is free for it."""
    url = url_of(listen)
    try:
        return await _looked_at(http, where, url)
    except Unreachable:
        return [_bindable(where, listen)]
    except HttpError:
        return [_foreign(where, listen)]


async def elsewhere(http: Http, where: str, url: str) -> list[Finding]:
    """A service that this file names: it must run."""
    try:
        return await _looked_at(http, where, url)
    except Unreachable as error:
        step = "see that it runs, that the address is right, and what firewalls say"
        return [problem(str(error), where, step)]
    except HttpError as error:
        return [problem(str(error), where, "see that this is a directcd's address")]


async def _looked_at(http: Http, where: str, url: str) -> list[Finding]:
    try:
        reply = await http.get_json(f"{url}/readyz", timeout_seconds=ANSWER_SECONDS)
        ready = reply.read(_Ready)
    except BadStatus as error:
        if not error.problem.code:  # a program of somebody else
            raise
        said = f"{shown(url)} is not ready: {error.problem.detail}"
        return [problem(said, where, error.problem.next)]
    found = [ok(f"{shown(url)} runs", where), *_skewed(reply, where)]
    if ready.reason:
        step = "see what it says is missing"
        found.append(warning(f"{shown(url)} is {ready.status}: {ready.reason}", where, step))
    return [*found, *await _other_version(http, where, url)]


def _skewed(reply: Reply, where: str) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
    except ValueError:
        return
    seconds = theirs - time.time()
    if abs(seconds) > SKEW_SECONDS:
        what = f"its clock and this machine's differ by {abs(seconds):.0f} s"
        yield warning(what, where, "keep both machines' time by NTP (`timedatectl`)")


async def _other_version(http: Http, where: str, url: str) -> list[Finding]:
    try:
        reply = await http.get_json(f"{url}/version", timeout_seconds=ANSWER_SECONDS)
        version = reply.read(_Version).version
    except HttpError:
        version = "an older one"
    if version == directcd.__version__:
        return [ok(f"it is directcd {version}, as this is", where)]
    what = f"its version is {version}, this is directcd {directcd.__version__}"
    return [warning(what, where, "install the same version, or start it again after an upgrade")]


def _bindable(where: str, listen: str) -> Finding:
    try:
        bind(listen).close()
    except StartError as error:
        return problem(str(error), where, _other_port(listen))
    return ok(f"{listen} is free", where)


def _foreign(where: str, listen: str) -> Finding:
    return problem(f"another program listens on {listen}", where, _other_port(listen))


def _other_port(listen: str) -> str:
    port = listen.rpartition(":")[2]
    return f"see who has it with `ss -ltnp 'sport = :{port}'`, or give it another port"
