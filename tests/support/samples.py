"""The sample deliveries of tests/samples: headers, body, query and what they mean."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[1] / "samples"
SECRET = "s3cr3t"
PROVIDERS = [
    *("azure_devops", "bitbucket", "bitbucket_server", "forgejo", "generic", "gitea", "github"),
    *("gitlab", "gogs", "standard_webhooks"),
]


@dataclass(frozen=True)
class Sample:
    """One row of expected.jsonl with its bytes."""

    row: dict[str, Any] = field(repr=False)
    headers: dict[str, str]
    body: bytes = field(repr=False)
    query: str = field(repr=False)

    @property
    def provider(self) -> str:
        """Who sent it."""
        return str(self.row["provider"])

    @property
    def secrets(self) -> list[str]:
        """The secret that signed it; another one where nothing did."""
        return [self.row["secret"] or SECRET]

    @property
    def text(self) -> bytes:
        """The JSON text, which a form or a query carries in another spelling."""
        return (SAMPLES / str(self.row["file"])).read_bytes()


def rows(name: str) -> list[dict[str, Any]]:
    """Read a table of the samples."""
    text = (SAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def sample(name: str) -> Sample:
    """Return the sample whose id ends in this name."""
    return next(found for found in all_samples() if found.row["id"].endswith(name))


@cache
def all_samples() -> tuple[Sample, ...]:
    """Return every sample."""
    return tuple(_load(row) for row in rows("expected.jsonl"))


def _load(row: dict[str, Any]) -> Sample:
    headers = dict(_header_lines(SAMPLES / row["headers_file"]))
    if "target_file" in row:
        target = (SAMPLES / row["target_file"]).read_text(encoding="ascii").strip()
        return Sample(row, headers, b"", target.partition("?")[2])
    return Sample(row, headers, (SAMPLES / row.get("body_file", row["file"])).read_bytes(), "")


def _header_lines(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="latin-1").splitlines()
    parts = [line.partition(":") for line in lines if " " not in line.partition(":")[0]]
    return [(name, value.strip()) for name, _, value in parts]
