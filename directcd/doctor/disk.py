"""Is there room where the data is?"""

import shutil
from collections.abc import Iterator

from directcd.config import Config
from directcd.doctor import places
from directcd.doctor.findings import Finding, ok, problem, warning

MEBIBYTE = 1024**2
LEAST_BYTES = 512 * MEBIBYTE
"""What a server keeps free before a build, where nothing else is set (`min_free_bytes`)."""


def check(config: Config) -> Iterator[Finding]:
    """The disk of every data directory."""
    for where, path in places.data_directories(config):
        usage = shutil.disk_usage(places.there(path))
        yield judged(usage.total, usage.free, where)


def judged(total: int, free: int, where: str) -> Finding:
    """What is to be said of a disk with so many bytes in all, and so many free."""
    least = min(LEAST_BYTES, total // 10)
    what = f"{free // MEBIBYTE} MiB are free on its disk"
    step = "make room, or give `data` another disk"
    if free < least // 4:
        return problem(what, where, step)
    return warning(what, where, step) if free < least else ok(what, where)
