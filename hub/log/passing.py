"""A log in front of another: what it has no business with is the other's own method."""

from hub.log.base import Log


class PassedOn:
    """Everything of the `Log` protocol but its life and appending."""

    def __init__(self, log: Log) -> None:
        self.channels: tuple[str, ...] = log.channels
        self.listen = log.listen
        self.read = log.read
        self.deliveries = log.deliveries
        self.delivery = log.delivery
        self.payload = log.payload
        self.forget_before = log.forget_before
        self.refuse = log.refuse
        self.refusals = log.refusals
        self.secret_uses = log.secret_uses
        self.put_subscription = log.put_subscription
        self.delete_subscription = log.delete_subscription
        self.subscriptions = log.subscriptions
        self.changed_subscriptions = log.changed_subscriptions
        self.heads = log.heads
        self.report = log.report
        self.targets = log.targets
        self.reported = log.reported
        self.reports = log.reports
        self.origins = log.origins
        self.lease = log.lease
        self.release = log.release
        self.progress = log.progress
        self.save_progress = log.save_progress
        self.forget_progress = log.forget_progress
        self.bury = log.bury
        self.dead_letters = log.dead_letters
        self.dead_letter = log.dead_letter
        self.remove_dead_letter = log.remove_dead_letter
        self.note, self.noted, self.notes = log.note, log.noted, log.notes
