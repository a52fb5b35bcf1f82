"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = Path("directcd.toml")
FILE_VARIABLE = "DIRECTCD_CONFIG"


def config_file(function: F) -> F:
    """`-c FILE`, directcd.toml by default."""
    return click.option(
        "-c",
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=FILE,
        envvar=FILE_VARIABLE,
        show_default=True,
        show_envvar=True,
        help="Configuration file.",
    )(function)


def logging(function: F) -> F:
    """`-v`: debug lines, too; `--log-format`: text for people, or JSON."""
    log_format = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        envvar="DIRECTCD_LOG_FORMAT",
        show_default=True,
        show_envvar=True,
        help="How lines of the log are written.",
    )
    verbose = click.option("-v", "--verbose", is_flag=True, help="Log more.")
    return verbose(log_format(function))
