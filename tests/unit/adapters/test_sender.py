"""Who sent a delivery, by headers of which younger forges also send those of older ones."""

import pytest

from adapters import Request
from adapters.sender import other_sender
from tests.support.samples import PROVIDERS, Sample, all_samples

FORGES = {name for name in PROVIDERS if name not in {"generic", "standard_webhooks"}}
SAMPLES = [
    one
    for one in all_samples()
    if one.provider in FORGES and not one.row["id"].endswith("without-event-header")
]


@pytest.mark.parametrize("sent", SAMPLES, ids=lambda s: s.row["id"])
def test_a_forges_delivery_is_its_own_and_nobody_elses(sent: Sample) -> None:
    """No recorded delivery would be refused by its own source; each would by every other."""
    request = Request(sent.headers, b"")
    expected = {name: "" if name == sent.provider else sent.provider for name in FORGES}
    assert {name: other_sender(name, request) for name in FORGES} == expected


@pytest.mark.parametrize("provider", ["generic", "standard_webhooks"])
def test_a_script_has_no_forges_headers(provider: str) -> None:
    """Read as a hint, a forge's deleted tag would be a branch of that name."""
    assert other_sender(provider, Request({"X-GitHub-Event": "push"}, b"")) == "github"


def test_another_packages_provider_may_send_any_headers() -> None:
    """Its forge may have taken them over."""
    assert not other_sender("acmeforge", Request({"X-GitHub-Event": "push"}, b""))


@pytest.mark.parametrize("headers", [{}, {"x-github-event": ""}, {"User-Agent": "GitHub"}], ids=str)
def test_nobody_is_recognised_without_a_name(headers: dict[str, str]) -> None:
    """Then there is nothing to object to."""
    assert not other_sender("gitea", Request(headers, b""))
