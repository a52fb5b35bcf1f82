"""Whom a delivery would reach, by the targets of a directcd.toml: no hub is asked for that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from adapters import Outcome
from adapters.registry import find
from cd4sources.settings import TargetSettings
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.explanations import Recording
from directcd.recordings import RecordingError
from directcd.why import Why
from hub.explaining import explain
from hub.keeping import PAYLOAD_BYTES, request_of
from hub.matching import Index
from hub.notification import complete_paths
from hub.reading import meaning
from hub.rules import Mismatch, Subscription
from hub.sources import Source
from hub.wants import make_want


@dataclass(frozen=True)
class Kept:
    """What a hub has kept of a delivery."""

    provider: str
    source: str
    headers: Mapping[str, str]
    payload: bytes


def explained_against(outcome: Outcome, targets: Sequence[TargetSettings]) -> Why:
    """
    Why a delivery would reach these targets, or would not; each counts as one subscription.

    Raises:
        ConfigError: a target's repository has no name that a forge would know it by.
    """
    now = datetime.now(UTC)
    index = Index()
    for target in targets:
        index.put(_subscription(target, now))
    matched: list[str] = []
    nearest: list[Mismatch] = []
    if outcome.notify and outcome.repository and outcome.changes:
        refs = [change.ref for change in outcome.changes]
        keys = outcome.repository.keys
        matched, nearest = index.match(keys, refs, now, complete_paths(outcome))
    return Why.model_validate(explain(outcome, matched, nearest).as_json())


def kept_against(kept: Kept, config: Config) -> Why:
    """
    Why a kept delivery would reach the file's targets; its source's names are the file's.

    Raises:
        ConfigError: a target's repository has no name that a forge would know it by.
        AdapterError: no adapter of its provider is installed, or it does not understand it.
        Problem: it has the headers of another kind of forge.
        RecordingError: what is kept does not tell all it said.
    """
    if len(kept.payload) >= PAYLOAD_BYTES:
        step = "take it from the forge's page, and give --provider, --headers and --body"
        raise RecordingError(f"only the first {PAYLOAD_BYTES} bytes of it are kept; {step}")
    request = request_of(kept.headers, kept.payload)
    outcome = meaning(Recording(find(kept.provider), name=kept.source), request)
    settings = config.hub.sources.get(kept.source) if config.hub else None
    if settings and settings.provider == kept.provider and outcome.repository:
        named = Source(kept.source, settings).named(outcome.repository)
        outcome = replace(outcome, repository=named)
    return explained_against(outcome, config.target)


def _subscription(target: TargetSettings, now: datetime) -> Subscription:
    repositories = target.repositories
    try:
        wants = tuple(make_want(one.url.get_secret_value(), one.ref) for one in repositories)
    except ValueError as error:
        raise ConfigError(f"target {target.name}: {error}") from error
    return Subscription(target.name, target.name, wants, now + timedelta(days=1))
