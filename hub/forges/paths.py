"""Where webhooks are in the APIs of GitHub and of those that took its paths over."""

from urllib.parse import quote

from hub.forges.values import Hook, Place


def hooks_at(place: Place) -> str:
    """All webhooks of a place."""
    kind = "orgs" if place.is_organisation else "repos"
    return f"/{kind}/{quote(place.name)}/hooks"


def path_of(hook: Hook) -> str:
    """One webhook."""
    return f"{hooks_at(hook.place)}/{hook.id}"
