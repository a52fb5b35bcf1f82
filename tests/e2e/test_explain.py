"""`directcd explain` from outside: recorded deliveries, offline, with an exit code for scripts."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.deliveries import SECRET, A, B, Post, github
from tests.support.forges import STANDARD_KEY, bitbucket, bitbucket_server, gitea, hint, standard

COMMAND = Path(sys.executable).with_name("directcd")
SHOP = "https://git.example.com/acme/shop.git"


def explain(
    directory: Path, provider: str, delivery: Post, *more: str, body: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """The installed command, given a recorded delivery."""
    (directory / "headers").write_text(
        "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items())
    )
    (directory / "body").write_bytes(delivery.body)
    files = ["--headers", "headers", "--body", body or "body"]
    command = [str(COMMAND), "explain", "--provider", provider, *files, *more]
    return subprocess.run(
        command, capture_output=True, check=False, timeout=20, input=delivery.body, cwd=directory
    )


def secret(directory: Path, name: str, value: bytes = SECRET) -> tuple[str, str]:
    """The option for a file that holds a secret."""
    (directory / name).write_bytes(value + b"\n")
    return "--secret-file", name


def test_a_delivery_is_a_table_for_people(tmp_path: Path) -> None:
    """Everything a person asks first, and no word of a hub."""
    done = explain(tmp_path, "gitea", gitea(SHOP, A, B))
    rows = [line.split(maxsplit=1) for line in done.stdout.decode().splitlines()]
    assert done.returncode == 0
    assert rows[:3] == [
        ["provider", "gitea"],
        ["signature", "not checked (--secret-file FILE checks it)"],
        ["verdict", "subscribers are told"],
    ]
    assert ["key", "git.example.com/acme/shop"] in rows
    assert ["change", f"refs/heads/main {A} -> {B}"] in rows
    assert done.stderr == b""


def test_json_says_which_secret_signed(tmp_path: Path) -> None:
    """Of several; the body may come from standard input."""
    options = [*secret(tmp_path, "new", b"new"), *secret(tmp_path, "old")]
    changes = (("main", A, B), ("gone", A, None))
    done = explain(tmp_path, "bitbucket", bitbucket("r1", *changes), "--json", *options, body="-")
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0
    assert list(document) == ["provider", "signature", "outcome", "error"]
    assert document["signature"] == {"checked": True, "valid": True, "secret": "old"}
    assert document["error"] is None
    assert [one["ref"] for one in document["outcome"]["changes"]] == [
        "refs/heads/main",
        "refs/heads/gone",
    ]
    assert document["outcome"]["repository"]["keys"] == ["bitbucket.org/acme/shop"]


def test_a_wrong_signature_comes_first_and_the_meaning_after_it(tmp_path: Path) -> None:
    """Whoever has the recording may read it."""
    done = explain(tmp_path, "gitea", gitea(SHOP, A, B), *secret(tmp_path, "s", b"wrong"))
    text = done.stdout.decode()
    assert done.returncode == 4
    assert text.index("WRONG") < text.index("What it would mean") < text.index(B)
    done = explain(tmp_path, "gitea", gitea(SHOP, A, B), *secret(tmp_path, "s", b"x"), "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert document["signature"] == {"checked": True, "valid": False, "secret": None}
    assert document["error"]["code"] == "bad-signature"
    assert document["outcome"]["changes"][0]["after"] == B


@pytest.mark.parametrize(
    ("provider", "delivery", "code"),
    [
        ("gitea", bitbucket("r1", ("main", A, B)), "provider-mismatch"),
        ("github", github("push", {"ref": 1}), "malformed-delivery"),
        ("generic", Post(b"x", {"Content-Type": "text/xml"}), "unsupported-content-type"),
    ],
)
def test_what_is_not_understood_is_refused_as_the_hub_would(
    tmp_path: Path, provider: str, delivery: Post, code: str
) -> None:
    """With the next step, in both forms; a wrong signature wins."""
    done = explain(tmp_path, provider, delivery)
    assert (done.returncode, f"refused, {code}" in done.stdout.decode()) == (1, True)
    document = json.loads(explain(tmp_path, provider, delivery, "--json").stdout)
    assert (document["error"]["code"], document["outcome"]) == (code, None)
    assert document["error"]["next"]
    wrong = explain(tmp_path, provider, delivery, *secret(tmp_path, "s", b"wrong"), "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (4, code)


@pytest.mark.parametrize("event", ["ping", "star"])
def test_what_nobody_is_told_of_is_understood_all_the_same(tmp_path: Path, event: str) -> None:
    """0: nothing is wrong with it."""
    done = explain(tmp_path, "github", github(event, {"zen": "x"}))
    assert (done.returncode, b"nobody is told" in done.stdout) == (0, True)


def test_standard_input_is_one_of_two(tmp_path: Path) -> None:
    """The second to read it would find it empty."""
    done = explain(tmp_path, "gitea", gitea(SHOP, A, B), "--headers", "-", body="-")
    assert (done.returncode, b"not both" in done.stderr) == (2, True)


def test_a_delivery_that_names_no_address_is_refused_by_most_hubs(tmp_path: Path) -> None:
    """Unless its source has a base_url."""
    done = explain(tmp_path, "bitbucket_server", bitbucket_server(A, B))
    assert b"refused, unless its source has a base_url" in done.stdout


def test_the_age_of_a_recording_is_not_checked(tmp_path: Path) -> None:
    """And that is said."""
    delivery = standard(datetime(2020, 1, 1, tzinfo=UTC))
    options = secret(tmp_path, "key", STANDARD_KEY.encode())
    done = explain(tmp_path, "standard_webhooks", delivery, *options)
    assert (done.returncode, b"valid, made with the secret in key" in done.stdout) == (0, True)
    assert b"age of signed timestamps is not checked" in done.stdout


def test_a_payload_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """Whoever sent it chose every character of it."""
    named = {"clone_url": SHOP, "full_name": "a\x1b[2Jb\rc"}
    done = explain(tmp_path, "generic", hint(repository=named))
    assert done.returncode == 0
    assert b"a[2Jbc" in done.stdout
    assert all(byte >= 0x20 or byte == 0x0A for byte in done.stdout)


@pytest.mark.parametrize(
    ("provider", "options", "message"),
    [
        ("githib", [], b"Installed are"),
        ("gitea", ["--secret-file", "none"], b"does not exist"),
        ("gitea", ["--headers", "none"], b"No such file"),
        ("gitea", ["--headers", "body"], b"the value of 'before' is not a text"),
        ("gitea", ["--secret-file", "empty"], b"empty is empty"),
    ],
    ids=["provider", "secret", "headers", "no headers", "empty secret"],
)
def test_a_mistake_in_the_call_is_a_usage_error(
    tmp_path: Path, provider: str, options: list[str], message: bytes
) -> None:
    """One sentence, nothing on stdout, and 2."""
    (tmp_path / "empty").write_text("\n")
    delivery = gitea(SHOP, A, B)
    delivery = Post(b'{"before": 1}', delivery.headers)
    done = explain(tmp_path, provider, delivery, *options)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("ref", "shown"),
    [("main", "matched     shop"), ("release", "nearest     shop: ref is refs/heads/main, not")],
)
def test_a_recorded_delivery_is_compared_with_the_targets_of_a_file(
    tmp_path: Path, ref: str, shown: str
) -> None:
    """Which it would reach, and else the first condition that fails; still offline."""
    (tmp_path / "directcd.toml").write_text(
        f'[[target]]\nname = "shop"\nrepositories = [{{ url = "{SHOP}", ref = "{ref}" }}]\n'
    )
    delivery = gitea(SHOP, A, B)
    done = explain(tmp_path, "gitea", delivery, "--against", "directcd.toml")
    assert done.returncode == 0
    assert shown in done.stdout.decode()
    done = explain(tmp_path, "gitea", delivery, "--against", "directcd.toml", "--json")
    assert json.loads(done.stdout)["explanation"]["verdict"] in {"matched", "no-match"}
