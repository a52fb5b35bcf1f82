"""What is known of a version: what a server tells, and what this client adds to it."""

from typing import Self
from urllib.parse import urljoin

from pydantic import AwareDatetime, BaseModel, Field

from cd4sources.http_errors import BadAnswer, shown
from cd4sources.settings import has_dot_segments

MAX_ARTIFACT_BYTES = 4 * 1024**3
"""A promise of more is taken for a mistake of the server."""


class Artifact(BaseModel):
    """The file of a version. The name becomes a file's name here, so it may not leave its place."""

    name: str = Field(pattern=r"^[^/\x00.][^/\x00]{0,199}$")
    size: int = Field(ge=0, le=MAX_ARTIFACT_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str
    signature: str | None = None


class Record(BaseModel):
    """What a server tells about a version, as far as a client needs it."""

    version: str = Field(pattern=r"^v-[0-9a-f]{12}$")
    target: str = ""
    artifact: Artifact
    traceparent: str | None = None
    published_at: AwareDatetime | None = None
    """When it became the current one on that server, by that server's clock."""


class Delivered(Record):
    """A version with its way to this machine and its life here."""

    server: str = ""
    """The server that said it; `artifact.url` is an address there."""

    healthy_at: AwareDatetime | None = None
    """When it was healthy here last, None: never."""

    steady: bool = False
    """Whether it ever ran here for long enough not to be taken for a crash loop."""

    @classmethod
    def said_by(cls, server: str, record: Record) -> Self:
        """
        A record as a server's word.

        Raises:
            BadAnswer: The artifact's address leads to somebody else, who would get our token.
        """
        url = _joined(server, record.artifact.url)
        if not url.startswith(f"{server}/") or has_dot_segments(url):
            raise BadAnswer(
                f"{shown(server)}: the artifact's address leads to {shown(url)}; "
                "only the server itself is asked"
            )
        artifact = record.artifact.model_copy(update={"url": url})
        return cls.model_validate({**dict(record), "artifact": artifact, "server": server})


def _joined(server: str, url: str) -> str:
    # A server does not know under which path a proxy has it: its paths begin at its own address.
    try:
        return urljoin(f"{server}/", url.removeprefix("/"))
    except ValueError as error:
        raise BadAnswer(f"{shown(server)}: the artifact's address cannot be read") from error
