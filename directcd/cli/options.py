"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def config_file(function: F) -> F:
    """`-c FILE`, directcd.toml by default."""
    return click.option(
        "-c",
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("directcd.toml"),
        envvar="DIRECTCD_CONFIG",
        show_default=True,
        show_envvar=True,
        help="Configuration file.",
    )(function)


def verbose(function: F) -> F:
    """`-v`: debug lines, too."""
    return click.option("-v", "--verbose", is_flag=True, help="Log more.")(function)
