"""
What a person asks of deliveries: why now, what if, and once more.

Only the last has an effect, and that is a delivery of its own, with its own events and traces: what
was received stays as it was. It only says "look now", so it leaves open where its refs stand.
"""

from typing import Any

from adapters import AdapterError, BadSignature, Outcome, Repository, Request
from hub.explaining import Explained
from hub.keeping import PAYLOAD_BYTES, request_of
from hub.log.base import Log
from hub.log.delivered import Document
from hub.notification import primary_key
from hub.patterns import is_pattern
from hub.problem import Problem
from hub.reading import meaning, signer
from hub.receiving import Receiver, limited
from hub.renaming import Renames
from hub.secrets import SecretFileError
from hub.settings import RECONCILED
from hub.sources import Source
from hub.subscriptions import Registry
from hub.telling import Teller, Telling, Told, change_of
from hub.wants import Want, full_ref, make_want

KNOWN_REFS = 100  # of a repository, that a notification without a ref is about
FALLBACK_REF = "refs/heads/main"
BY_HAND = ("notify", "operator")  # provider and source of what no forge has sent


class Again:
    """Answers what people ask of one hub's deliveries."""

    def __init__(
        self,
        receiver: Receiver,
        log: Log,
        registry: Registry,
        renames: Renames,
        teller: Teller,
    ) -> None:
        self._receiver = receiver
        self._log = log
        self._registry = registry
        self._renames = renames
        self._teller = teller

    async def explanation(self, delivery: Document) -> Explained:
        """
        Why a delivery would reach today's subscriptions, or would not.

        Raises:
            Problem: it would be refused today.
        """
        source = self._source_of(delivery)
        payload = await kept_payload(self._log, delivery["number"])
        outcome = _meaning(source, _kept_request(delivery, payload))
        return await self._why(source, outcome)

    async def what_if(self, provider: str, name: str, request: Request) -> dict[str, Any]:
        """
        What a delivery would be told here, whoever signed it; nothing is stored or sent.

        Raises:
            Problem: it would be refused for another reason than its signature.
        """
        source = self._receiver.source(provider, name)
        outcome = _meaning(source, request)
        explained = await self._why(source, outcome)
        return {"signature": _signature(source, request), "explanation": explained}

    async def _why(self, source: Source, outcome: Outcome) -> Explained:
        former = self._renames.former(source, outcome.repository)
        return await self._teller.why(source.provider, source.name, outcome, former)

    async def redeliver(self, delivery: Document, to: str = "") -> Told:
        """
        Tell once more what a delivery told, to one subscription (by its name) or to all.

        Raises:
            Problem: there is nothing to tell, or no such subscription.
            LogUnavailable: it was not stored.
        """
        if to and to not in {one.name for one in self._registry.all()}:
            step = "GET /v1/subscriptions lists those there are"
            raise Problem(404, "unknown-subscription", f"no subscription is named {to[:100]}", step)
        source = self._source_of(delivery)
        payload = await kept_payload(self._log, delivery["number"])
        outcome = _meaning(source, _kept_request(delivery, payload))
        if not outcome.notify:
            step = "nothing to do: it told nobody anything"
            raise Problem(409, "nothing-to-redeliver", outcome.reason, step)
        number = delivery["number"]
        reason = f"delivery {number} once more, by hand"
        details = {"headers": delivery["headers"], "redelivery_of": number}
        telling = Telling(
            source.provider,
            source.name,
            outcome,
            reason,
            to,
            payload,
            details,
            former=self._renames.former(source, outcome.repository),
        )
        return await self._teller.tell(telling)

    def _source_of(self, delivery: Document) -> Source:
        if (delivery["provider"], delivery["source"]) == BY_HAND:
            step = "notify again: POST /v1/notify, `directcd notify`"
            raise Problem(409, "told-by-hand", "no forge has sent this: it was told by hand", step)
        if delivery["source"] == RECONCILED:
            step = "tell those who follow it to look again: POST /v1/notify, `directcd notify`"
            raise Problem(409, "never-delivered", "no forge has sent this: the hub found it", step)
        return self._receiver.source(delivery["provider"], delivery["source"])

    async def notify(self, url: str, ref: str) -> Told:
        """
        Tell those who follow a repository to look now, at one ref or at all that they follow.

        Raises:
            Problem: the URL names no repository, or git allows no such ref.
            LogUnavailable: it was not stored.
        """
        try:
            want = make_want(url, ref)
        except ValueError as error:
            step = "correct the repository's URL or ref"
            raise Problem(400, "invalid-repository", str(error), step) from error
        repository = Repository(want.keys, "", None, want.url, "", "", "")
        refs = [full_ref(ref)] if ref else await self._refs(want, primary_key(repository))
        outcome = Outcome(
            kind="push",
            notify=True,
            reason="asked for by hand",
            delivery_id="",
            event="notify",
            repository=repository,
            changes=tuple(map(change_of, refs)),
        )
        return await self._teller.tell(Telling(*BY_HAND, outcome, "asked for by hand"))

    async def _refs(self, repository: Want, key: str) -> list[str]:
        wants = [want for one in self._registry.all() for want in one.wants]
        here = [want.ref for want in wants if not want.keys.isdisjoint(repository.keys)]
        refs = {ref for ref in here if ref and not is_pattern(ref)}
        if any(map(is_pattern, here)):
            heads = await self._log.heads(f"{key}#", KNOWN_REFS)
            refs |= {head.subject.partition("#")[2] for head in heads}
        return sorted(refs) or [FALLBACK_REF]


async def kept_payload(log: Log, number: int) -> bytes:
    """
    The payload of a delivery.

    Raises:
        Problem: it is not kept.
    """
    text = await log.payload(number)
    if text is None:
        raise Problem(
            404,
            "unknown-payload",
            f"no payload of delivery {number} is kept",
            "the newest ones are; hub.keep_deliveries and hub.keep_payloads say how many",
        )
    return text


def _kept_request(delivery: Document, payload: bytes) -> Request:
    if len(payload) >= PAYLOAD_BYTES:
        detail = f"of delivery {delivery['number']} only the first {PAYLOAD_BYTES} bytes are kept"
        step = "POST /v1/notify, or directcd notify REPOSITORY, tells those who follow it to look"
        raise Problem(409, "payload-cut", detail, step)
    return request_of(dict(delivery["headers"]), payload)


def _meaning(source: Source, request: Request) -> Outcome:
    try:
        return limited(meaning(source, request), source)
    except AdapterError as error:
        raise Problem(400, error.code, error.detail, error.next_step) from error


def _signature(source: Source, request: Request) -> dict[str, Any]:
    if source.insecure:
        return {"checked": False, "valid": None, "detail": "the source takes unsigned deliveries"}
    try:
        signed_by = signer(source, request).place
    except (BadSignature, SecretFileError) as error:
        return {"checked": True, "valid": False, "detail": str(error)}
    return {"checked": True, "valid": True, "detail": f"signed with {signed_by}"}
