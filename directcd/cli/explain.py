"""`directcd explain`."""

import json
import sys
from pathlib import Path
from typing import IO

import click

from directcd.failures import FAILED

WRONG_SIGNATURE = 4

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


@click.command(name="explain")
@click.option("--provider", required=True, help="Whose delivery it is, e.g. gitea.")
@click.option(
    "--headers",
    "headers_file",
    type=click.File("rb"),
    required=True,
    help="`Name: value` lines, perhaps behind a request line, or a JSON object.",
)
@click.option(
    "--body", "body_file", type=click.File("rb"), required=True, help="The raw body; - is stdin."
)
@click.option("--query", default="", help="The query string of a delivery made by GET.")
@click.option(
    "--secret-file",
    "secret_files",
    type=_FILE,
    multiple=True,
    help="Holds a secret to check the signature with; may be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    provider: str,
    headers_file: IO[bytes],
    body_file: IO[bytes],
    query: str,
    secret_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """
    Say what a recorded delivery means, without a hub and without a network.

    The age of signed timestamps is not checked. Exits with 0 if the delivery is understood, also if
    it is ignored, with 1 if it is not, and with 4 if its signature is wrong.
    """
    from adapters.registry import find
    from directcd.explanations import explain
    from directcd.recordings import recorded_request
    from hub.secrets import SecretFile

    if headers_file is body_file:
        raise click.UsageError("standard input can be the headers or the body, not both")
    request = recorded_request(headers_file.read(), body_file.read(), query)
    secrets = [SecretFile(path).read() for path in secret_files]
    explained = explain(find(provider), request, secrets)
    if as_json:
        click.echo(json.dumps(explained.as_json()))
    else:
        click.echo("\n".join(explained.lines()))
    if explained.refused:
        sys.exit(WRONG_SIGNATURE)
    sys.exit(FAILED if explained.error else 0)
