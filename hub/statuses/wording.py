"""
What is said of a version, or of a push that has come to none yet. Pure.

Messages are strangers' text: who sends a word takes out of it what is secret.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.forges.values import StatusState
from hub.log.values import StageReport
from hub.standing import failed_at
from hub.statuses.clients import FAILURES, Client, clients_of, is_offer

When = Literal["always", "to begin", "to end"]

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What tools say after the line that tells why.
_EMPTY = re.compile(
    r"[\W_]*|(g?make(\[\d+\])?: )?(\*\*\* )?(\[[^]]*\] )?(error|exit status|exit code):? ?\d+",
    re.IGNORECASE,
)
# What clients say besides, which the state says already or means nothing to others.
_KNOWN = re.compile(r"\Av-[0-9a-f]+ (was rolled back|did not start|is not started again): ")
_WHERE = re.compile(r" \(pid \d+, which wrote to [^(),]+\)|pid \d+, which wrote to [^(),]+, ")


@dataclass(frozen=True, slots=True)
class Word:
    """
    How something is, in a few words.

    Attributes:
        state: as forges know it.
        text: one sentence, however long.
        when: `always`; `to begin`: unless something final was said of this commit before; `to end`:
            only if something was begun, so that it does not stay so for ever.
        is_built: whether there is a version that clients are offered.
        is_about_time: whether it may change because time passes.
    """

    state: StatusState
    text: str
    when: When = "always"
    is_built: bool = False
    is_about_time: bool = False


def of_version(version: str, reports: Sequence[StageReport], now: datetime) -> Word:
    """
    How a version is.

    Args:
        version: which.
        reports: all that is known of its target, oldest first.
        now: aware.
    """
    own = [one for one in reports if one.version == version]
    offers = [one.version for one in reports if is_offer(one)]
    is_built = version in offers or any(_is_here(one) for one in own)
    if failure := _failure(own):
        return _failed(failure, is_built=is_built)
    if not is_built:
        return Word("pending", _doing(own, version), "to begin")
    return _offered(version, clients_of(reports, now))


def of_look(reports: Sequence[StageReport]) -> Word | None:
    """How a push is that has come to no version: what its own reports say; None for nothing."""
    told = [one for one in reports if one.result != "skipped"]
    if not told:
        return None
    if told[-1].result == "failed":
        return _failed(told[-1], is_built=False)
    return Word("pending", _doing(told, ""), "to begin")


def superseded(by: str) -> Word:
    """
    How something is that a newer commit has taken the place of.

    It is no failure, and nothing more will come of it: "success" is the only state that says so.
    """
    return Word("success", f"superseded by {by or 'a newer push'}", "to end")


def last_line(message: str) -> str:
    """The last line that says something."""
    plain = _COLOUR.sub("", message)
    lines = ["".join(filter(str.isprintable, line)).strip() for line in plain.splitlines()]
    telling = [line for line in lines if not _EMPTY.fullmatch(line)]
    return (telling or [line for line in lines if line] or [""])[-1]


def cut(text: str, most: int) -> str:
    """A text of so many characters at most."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _offered(version: str, clients: Sequence[Client]) -> Word:
    if not clients:
        return Word("success", f"built {version}", is_built=True)
    abreast = sum(one.version == version for one in clients)
    number = f"{abreast}/{len(clients)} client{'s' if len(clients) > 1 else ''}"
    if abreast == len(clients):
        return Word("success", f"running on {number}", is_built=True)
    text = f"built {version}; running on {number}"
    return Word("pending", text, is_built=True, is_about_time=True)


def _failure(own: Sequence[StageReport]) -> StageReport | None:
    """What has gone wrong with a version and was not mended by whom it befell."""
    last: dict[tuple[str, bool], StageReport] = {}
    for one in own:
        if one.result != "skipped" and one.stage != "stopped":
            # In direct pulling server and client have one name.
            last[one.reporter, one.stage in {"downloaded", "running"}] = one
    return next((one for one in reversed(own) if one in last.values() and _is_bad(one)), None)


def _is_bad(report: StageReport) -> bool:
    return report.result in FAILURES


def _is_here(report: StageReport) -> bool:
    return (report.stage, report.result) in {("running", "ok"), ("built", "unchanged")}


def _failed(report: StageReport, *, is_built: bool) -> Word:
    what = failed_at({"stage": report.stage, "result": report.result})
    why = _WHERE.sub("", _KNOWN.sub("", last_line(report.message)))
    return Word("failure", f"{what}: {why}" if why else what, is_built=is_built)


def _doing(told: Sequence[StageReport], version: str) -> str:
    if any(one.stage == "built" for one in told):
        return f"publishing {version}".strip()
    return f"building {version}".strip() if any(_is_fetched(one) for one in told) else "fetching"


def _is_fetched(report: StageReport) -> bool:
    return report.stage == "fetched"
