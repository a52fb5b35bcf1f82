"""
Who is asked when no option says: whom the directcd.toml of the working directory means.

That file may be a stranger's, cloned a moment ago. So it may only mean somebody on this machine: no
token of ours leaves it before we have named whom it goes to, or the file.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from directcd.cli.options import FILE, FILE_VARIABLE

if TYPE_CHECKING:
    from directcd.config import Config
    from directcd.whom import Asked


def hub() -> "Asked":
    """
    The hub.

    Raises:
        ConfigError: The file cannot be used.
    """
    from directcd.whom import HUB, Asked, hub_asked

    return _asked("--hub", hub_asked) or Asked(HUB)


def server() -> "Asked":
    """
    The cd4sources server.

    Raises:
        ConfigError: The file cannot be used.
    """
    from directcd.whom import SERVER, Asked, server_asked

    return _asked("--server", server_asked) or Asked(SERVER)


def _asked(option: str, read: "Callable[[Config], Asked]") -> "Asked | None":
    from directcd.config import load
    from directcd.errors import ConfigError
    from directcd.whom import is_here

    named = os.environ.get(FILE_VARIABLE)
    file = Path(named or FILE)
    if not named and not file.is_file():
        return None
    try:
        asked = read(load(file))
    except ConfigError as error:
        raise ConfigError(f"{error}\nor name who is asked by {option} URL") from error
    if not named and not is_here(asked.address):
        raise ConfigError(
            f"{file} means {asked.address}, which is not on this machine: say {option} "
            f"{asked.address}, or {FILE_VARIABLE}={file} if the file is yours"
        )
    return asked
