"""Whom a recorded delivery would reach, by the targets of a directcd.toml: offline."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters import Outcome
from cd4sources.settings import TargetSettings
from directcd.errors import ConfigError
from directcd.why import Why
from hub.explaining import explain
from hub.matching import Index
from hub.notification import complete_paths
from hub.rules import Mismatch, Subscription
from hub.wants import make_want


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


def _subscription(target: TargetSettings, now: datetime) -> Subscription:
    repositories = target.repositories
    try:
        wants = tuple(make_want(one.url.get_secret_value(), one.ref) for one in repositories)
    except ValueError as error:
        raise ConfigError(f"target {target.name}: {error}") from error
    return Subscription(target.name, target.name, wants, now + timedelta(days=1))
