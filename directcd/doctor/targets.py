"""How the targets of a hub stand: what failed last, and who runs another version for it."""

from collections.abc import Iterator

from cd4sources.http import HttpError
from directcd.doctor.findings import Finding, problem
from directcd.doctor.hubs import Hub, Running, Standing
from hub.dashboard.attention import first_line

_STEP = "`directcd status` shows all of them, `directcd trace VERSION` the way of a version"


async def check(hub: Hub) -> list[Finding]:
    """What the hub was told of failures; nothing when it does not tell."""
    try:
        standings = await hub.standings()
    except HttpError:  # another check's finding
        return []
    return [finding for one in standings for finding in failed(one)]


def failed(standing: Standing) -> Iterator[Finding]:
    """The last failure of a target, and those of its other clients. Pure."""
    target, failure = standing.target, standing.last_failure
    if failure:
        what = f"{target}: {standing.state} at {failure.reporter}: {first_line(failure.message)}"
        yield problem(what, "", failure.next or _STEP)
    for client in standing.running:
        if client.state != "running" and not (failure and failure.reporter == client.client):
            what = f"{target}: {client.state} at {client.client}: {first_line(client.message)}"
            yield problem(f"{what}; {_runs(client)}", "", _STEP)


def _runs(client: Running) -> str:
    return f"{client.version} runs" if client.version else "nothing is known to run"
