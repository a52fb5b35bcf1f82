"""`/v1/reports`: the stages on the way from push to running process, as others tell them."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.api.guarding import access_of, is_bounded_to, refuse_others
from hub.counting_trail import TrailCounts
from hub.exporting import Exporter
from hub.log.base import Log, LogUnavailable
from hub.log.values import StageReport
from hub.problem import Problem
from hub.tokens import Access
from hub.tracing import LOOKED_AT, trace_id_of

logger = logging.getLogger(__name__)

YEARS = range(2000, 2200)
HALF_DONE = "a report is stored, and what follows failed"

Name = Annotated[str, Field(max_length=200)]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class NewReport(BaseModel):
    """The body of `POST /v1/reports`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    target: str = Field(min_length=1, max_length=200)
    """Its name."""
    version: str | None = Field(default=None, max_length=100)
    """Where there is one (yet)."""
    stage: str = Field(pattern=r"^[a-z][a-z_]{1,40}$")
    """`fetched`, `built`, `published`, `downloaded`, `running`, …"""
    result: str = Field(pattern=r"^[a-z][a-z_]{1,40}$")
    """`ok`, `failed`, `rolled_back`, …"""
    started_at: AwareDatetime
    """RFC 3339, with a time zone."""
    ended_at: AwareDatetime
    """Likewise."""
    traceparent: str = Field(max_length=100)
    """Of the notification that it began with, or one of its own (W3C Trace Context)."""
    message: str = Field(default="", max_length=4_000)
    """Why it failed, for people."""
    reporter: str = Field(default="", max_length=200)
    """Who tells it."""
    caught: bool = False
    """Of a fetch: whether only a poll has found what changed."""
    commits: list[tuple[Name, Commit]] = Field(default_factory=list, max_length=50)
    """The repositories that a fetch found changed: name and full hash of each."""


def router(
    log: Log, counts: TrailCounts, exporter: Exporter | None, ring: Callable[[], None]
) -> APIRouter:
    """
    The routes over one log.

    Args:
        log: the hub's.
        counts: is told of what is reported.
        exporter: likewise, when there is one.
        ring: is called after each report.
    """
    routes = APIRouter(prefix="/v1", tags=["trail"])

    @routes.post("/reports", status_code=202)
    async def report(request: Request, new: NewReport) -> dict[str, str]:
        """Remember one stage."""
        trace_id = trace_id_of(new.traceparent)
        if trace_id is None:
            raise Problem(
                400, "invalid-traceparent", "this is no traceparent", "send the notification's own"
            )
        access = access_of(request)
        filed = replace(_stage_report(new, trace_id), bounds=access.repositories)
        await _refuse_others(log, access, filed)
        await log.report(filed)
        ring()
        await _follow_up("count", counts.reported(log, filed))
        if exporter:
            await _follow_up("export", exporter.reported(log, filed))
        return {"trace_id": trace_id}

    return routes


async def _follow_up(what: str, doing: Awaitable[None]) -> None:
    """Do what follows a report that is stored: sent again, it would be stored and counted twice."""
    try:
        await doing
    except LogUnavailable as error:
        logger.warning(HALF_DONE, extra={"missing": what, "reason": str(error)})
    except Exception:
        logger.exception(HALF_DONE, extra={"missing": what})


async def _refuse_others(log: Log, access: Access, filed: StageReport) -> None:
    """
    Let nobody write about a push to, or a target made of, a repository that is not theirs.

    What was told of a target without a push (a look at start, or by poll) names no repository that
    could be believed: such a target is theirs whose token was bounded alike.
    """
    if not access.repositories:
        return
    told = await log.reports(filed.target, LOOKED_AT)
    origins = await log.origins({filed.trace_id, *(one.trace_id for one in told)})
    refuse_others(access, [frozenset({one.repository}) for one in origins.values()])
    if told and not any(one.trace_id in origins or is_bounded_to(access, one) for one in told):
        refuse_others(access, [frozenset()])


def _utc(time: datetime) -> datetime:
    # Far times overflow in one zone or another, and nothing was deployed then.
    if time.year not in YEARS:
        raise Problem(400, "invalid-time", f"{time} is no time of a stage", "correct the clock")
    return time.astimezone(UTC)


def _stage_report(new: NewReport, trace_id: str) -> StageReport:
    return StageReport(
        target=new.target,
        stage=new.stage,
        result=new.result,
        started_at=_utc(new.started_at),
        ended_at=_utc(new.ended_at),
        trace_id=trace_id,
        version=new.version,
        message=new.message,
        reporter=new.reporter,
        is_caught=new.caught,
        commits=tuple(new.commits),
    )
