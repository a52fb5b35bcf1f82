"""
Which commits the traces of a target are about, and what is to be said of each. Pure.

A push announces a commit, and a fetch reports which it met: mostly the same, but the ref may have
moved on meanwhile, and a tag that is announced may be an object of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters import repository_keys
from hub.log.values import StageReport
from hub.statuses.clients import is_offer
from hub.statuses.wording import Word, of_look, of_version, superseded
from hub.tracing import Trace

COMMIT_CHARACTERS = 7  # as git abbreviates it
_OF_SERVERS = frozenset({"notified", "fetched", "built", "published"})


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What is to be said of a commit.

    Attributes:
        repository: its key, or the name that a server has for it.
        is_key: which of these.
        commit: full hash.
        trace_id: where more is told.
        word: what is said.
        bounds: which repositories the one who reported it may speak of; empty for all.
    """

    repository: str
    is_key: bool
    commit: str
    trace_id: str
    word: Word
    bounds: tuple[str, ...] = ()


def claims_of(
    reports: Sequence[StageReport], traces: Sequence[Trace], now: datetime
) -> list[Claim]:
    """
    What the traces of one target say of commits, oldest first; of one commit several may speak.

    Args:
        reports: all that is known of the target, oldest first.
        traces: its newest, oldest first.
        now: aware.
    """
    target = _Target(reports, traces, now)
    return [claim for trace in traces for claim in target.claims(trace)]


def strongest(claims: Sequence[Claim]) -> Claim:
    """
    Which of the claims about one commit counts.

    The newest that has come to something: a test push, or an old commit that is pushed again, comes
    to nothing new.
    """
    return max(reversed(claims), key=lambda claim: _strength(claim.word))


def _strength(word: Word) -> int:
    if word.when == "to end":
        return 0
    return 3 if word.is_built else 2 if word.when == "always" else 1


class _Target:
    """What is known of one target."""

    def __init__(
        self, reports: Sequence[StageReport], traces: Sequence[Trace], now: datetime
    ) -> None:
        self._reports = reports
        self._traces = traces
        self._now = now
        self._place = {one: place for place, one in enumerate(reports)}
        offers = [one for one in reports if is_offer(one)]
        self._offer = offers[-1] if offers else None

    def claims(self, trace: Trace) -> Iterator[Claim]:
        """What a trace says of commits."""
        own = [one for one in trace.reports if one.trace_id == trace.trace_id]
        met = {name: (commit, one.bounds) for one in own for name, commit in one.commits}
        word = self._word(trace, own)
        origin = trace.origin
        for name, (commit, bounds) in met.items():
            if origin and _is_named(origin.repository, name):
                yield from _claim(trace, origin.repository, commit, word)
            else:
                yield from _claim(trace, name, commit, word, bounds)
        if origin and origin.commit and origin.commit not in {one for one, _ in met.values()}:
            yield from self._of_origin(trace, own, word)

    def _of_origin(
        self, trace: Trace, own: Sequence[StageReport], word: Word | None
    ) -> Iterator[Claim]:
        origin = trace.origin
        if not origin or not origin.commit:
            return
        looks = [one for one in own if one.stage == "fetched"]
        if not looks and origin.ref.startswith("refs/tags/"):
            return  # it may be no commit
        met = self._met_at(origin.repository, own)
        if word and met and met != origin.commit and looks[-1].result != "failed":
            word = superseded(met[:COMMIT_CHARACTERS])
        yield from _claim(trace, origin.repository, origin.commit, word)

    def _word(self, trace: Trace, own: Sequence[StageReport]) -> Word | None:
        version = trace.version
        told = [one for one in own if one.stage == "fetched"]
        if told and told[-1].result == "failed" and any(one.version for one in own):
            # What was announced was not there: what was built is something else.
            return of_look([told[-1]])
        if version is None:
            return self._without_version(trace, own)
        word = of_version(version, self._reports, self._now)
        if word.state != "failure" and self._is_overtaken(trace.reports, version):
            return superseded(self._successor(trace))
        return word

    def _without_version(self, trace: Trace, own: Sequence[StageReport]) -> Word | None:
        is_announced = trace.origin is not None or any(one.is_caught for one in own)
        is_skipped = any(one.result == "skipped" for one in own)
        word = of_look(own)
        if word and word.state == "failure":
            return word
        if is_skipped or self._is_overtaken(own, None):
            return superseded(self._successor(trace))
        # A server that starts looks at everything, and mostly has nothing to do then.
        return word if is_announced else None

    def _is_overtaken(self, reports: Sequence[StageReport], version: str | None) -> bool:
        """Whether another version is offered since the last that a server has said of it."""
        if self._offer is None or self._offer.version == version:
            return False
        told = [self._place[one] for one in reports if one.stage in _OF_SERVERS]
        return self._place[self._offer] > max(told, default=0)

    def _successor(self, trace: Trace) -> str:
        """What took the place of a trace's commit: another, abbreviated, or a version."""
        own = trace.origin.commit if trace.origin else None
        repository = trace.origin.repository if trace.origin else ""
        after = self._traces[self._traces.index(trace) + 1 :]
        pushed = [one.origin for one in after if one.origin]
        found = [one.commit for one in pushed if one.repository == repository]
        found.insert(0, self._met_at(repository, self._reports))
        newer = next((one for one in reversed(found) if one and one != own), None)
        if newer:
            return newer[:COMMIT_CHARACTERS]
        return (self._offer and self._offer.version) or ""

    def _met_at(self, repository: str, own: Sequence[StageReport]) -> str | None:
        """Which commit of a repository the last fetch of these had met."""
        fetches = [self._place[one] for one in own if _has_looked(one)]
        for one in reversed(self._reports[: fetches[-1] + 1] if fetches else []):
            for name, commit in one.commits:
                if _is_named(repository, name):
                    return commit
        return None


def _claim(
    trace: Trace, repository: str, commit: str, word: Word | None, bounds: tuple[str, ...] = ()
) -> Iterator[Claim]:
    if word:
        is_key = bool(trace.origin and trace.origin.repository == repository)
        yield Claim(repository, is_key, commit, trace.trace_id, word, bounds)


def _has_looked(report: StageReport) -> bool:
    return report.stage == "fetched" and report.result in {"ok", "unchanged"}


def _is_named(repository: str, name: str) -> bool:
    """Whether a server's name for a repository may mean this one."""
    if not repository:
        return False
    return repository.rpartition("/")[2] == name.lower() or repository in repository_keys(name)
