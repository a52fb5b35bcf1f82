"""What to do about how a push stands, in a sentence a person can act on."""

from hub.log.values import StageReport
from hub.tracing import Trace

_BY_ITSELF = "see the log of {who}: it tries again by itself"
_OUTPUT = "read what the program has printed at {who}, and push a commit that mends it"
_OF_STAGE = {
    "fetched": "let `directcd doctor` say, where {who} runs, what keeps it from the repository; "
    "it tries again by itself",
    "built": "read the build's log, and push a commit that mends it; "
    "`directcd builds rebuild {target}` tries the same one again",
}
_OF_RESULT = {
    "rolled_back": f"{_OUTPUT}; meanwhile the version before it is used",
    "quarantined": f"{_OUTPUT}; this version is not started again by itself",
}
_OF_STATE = {
    "skipped": "nothing to do: a newer push took its place",
    "unchanged": "nothing to do: what it moved to was built before",
    "built": "see that a client is started for {target}: none has told that it runs it",
    "under way": "if it stays so, see that {who} is well: `directcd doctor`",
    "unheard": "see with `directcd explain {delivery}` whom it reaches, and that these run and "
    "report to this hub: nobody has told of it",
}
_FAILURES = frozenset({"failed", *_OF_RESULT})


def remedy(report: StageReport) -> str:
    """The next step after a report that tells of a failure."""
    step = _OF_RESULT.get(report.result) or _OF_STAGE.get(report.stage) or _BY_ITSELF
    return step.format(who=report.reporter, target=report.target)


def next_step(trace: Trace, state: str) -> str:
    """What to do about a push that stands so; "" when it runs."""
    ordered = sorted(trace.reports, key=lambda one: one.ended_at, reverse=True)
    if step := _OF_STATE.get(state):
        who = ordered[0].reporter if ordered else ""
        delivery = trace.origin.delivery if trace.origin and trace.origin.delivery else "DELIVERY"
        return step.format(who=who, target=trace.target, delivery=delivery)
    failures = (one for one in ordered if one.result in _FAILURES)
    return remedy(next(failures)) if state != "running" else ""
