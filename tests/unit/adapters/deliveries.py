"""Sample deliveries as the tests want them: headers, body, query and what they mean."""

import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "samples"
SECRET = "s3cr3t"


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


def rows(name: str) -> list[dict[str, Any]]:
    """Read a table of the samples."""
    text = (SAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def sample(name: str) -> Sample:
    """Return the sample whose id ends in this name."""
    return next(found for found in all_samples() if found.row["id"].endswith(name))


def all_samples() -> list[Sample]:
    """Return every sample."""
    return [_load(row) for row in rows("expected.jsonl")]


def github(payload: object, event: str = "push") -> tuple[dict[str, str], bytes]:
    """Return headers and body of a correctly signed GitHub delivery."""
    body = json.dumps(payload).encode()
    digest = hmac.digest(SECRET.encode(), body, "sha256").hex()
    headers = {
        "content-type": "application/json",
        "x-github-delivery": "d-1",
        "x-github-event": event,
        "x-hub-signature-256": f"sha256={digest}",
    }
    return headers, body


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
