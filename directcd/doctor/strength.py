"""How hard a webhook's secret is to guess. Pure; nothing here shows one."""

import math
from collections.abc import Iterator

from directcd.config import Config
from directcd.doctor.findings import Finding, ok, warning
from hub.secrets import SecretFile, SecretFileError

LEAST_BITS = 64.0
"""Below this somebody who has one signed delivery finds the secret by trying."""

PLACEHOLDERS = frozenset(
    {"changeme", "example", "mysecret", "password", "secret", "secrettoken", "test",
     "thewebhookssecret", "topsecret", "webhooksecret", "yoursecret", "yourwebhooksecret"}
)  # fmt: skip
"""What documentation writes where a secret belongs, in small letters and nothing else."""

_STEP = "make one with `openssl rand -hex 32`, and give it to the forge, too"


def check(config: Config) -> Iterator[Finding]:
    """Every webhook's secret."""
    sources = config.hub.sources if config.hub else {}
    for name, source in sources.items():
        where = f"hub.sources.{name}"
        for number, secret in enumerate(source.secrets):
            yield judged(secret.get_secret_value(), f"{where}.secrets[{number}]")
        for number, path in enumerate(source.secrets_files):
            yield from _of_file(SecretFile(path), f"{where}.secrets_files[{number}]")
        if source.insecure:
            step = "give it secrets_files, and the same secret to the forge"
            yield warning("takes unsigned deliveries: anyone can wake the servers", where, step)


def judged(secret: str, where: str) -> Finding:
    """What is to be said of one secret."""
    if is_placeholder(secret):
        return warning("the secret is a placeholder that everybody can read", where, _STEP)
    if bits(secret) < LEAST_BITS:
        return warning("the secret is short, or has few different characters", where, _STEP)
    return ok("the secret is strong", where)


def is_placeholder(secret: str) -> bool:
    """Whether documentation has it."""
    return "".join(one for one in secret.lower() if one.isalpha()) in PLACEHOLDERS


def bits(secret: str) -> float:
    """At most so many bits are in it: its length times what one of its characters can tell."""
    return len(secret) * math.log2(len(set(secret)) or 1)


def _of_file(file: SecretFile, where: str) -> Iterator[Finding]:
    # That it cannot be read is another check's finding.
    try:
        secret = file.read().value.decode(errors="replace")
    except SecretFileError:
        return
    yield judged(secret, where)
