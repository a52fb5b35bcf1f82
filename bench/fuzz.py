"""
Hostile deliveries for all adapters: how fast they are refused, with what, and at what memory.

    scripts/bench fuzz
    FUZZ_COUNT=100000 FUZZ_SEED=7 scripts/bench fuzz
    .venv/bin/python -P bench/fuzz.py 20000        how many, as an argument

Ends with 1 on any exception that is no adapter's own, on an outcome that breaks the contract, and
when memory grows.
"""

import gc
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.support.fuzzing import Fuzzer
from tests.support.judging import answers

COUNT = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FUZZ_COUNT", "1_000_000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
WARM_UP = 20_000  # fills the adapters' caches, which are bounded
MAX_GROWTH_MB = 20.0
SHOWN = 5
AGAIN = """\
{provider}, seed {seed}, index {index}:
{trace}    from tests.support.fuzzing import Fuzzer; from tests.support.judging import answers
    answers(Fuzzer({seed}).delivery({index}))
"""


def rss_mb() -> float:
    """Resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tried(fuzzer: Fuzzer, indexes: range, seen: Counter[str]) -> int:
    """Count what the deliveries are answered with; return how many failed, and show the first."""
    failed = 0
    for index in indexes:
        hostile = fuzzer.delivery(index)
        try:
            seen.update(answers(hostile))
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            failed += 1
            if failed <= SHOWN:
                trace = traceback.format_exc(limit=-2)[-2000:]
                named = {"provider": hostile.provider, "seed": fuzzer.seed, "index": index}
                print(AGAIN.format(**named, trace=trace))
    return failed


def main() -> int:
    """Try them all; the exit code."""
    fuzzer, seen = Fuzzer(SEED), Counter[str]()
    failed = tried(fuzzer, range(COUNT, COUNT + WARM_UP), Counter())
    before, start = rss_mb(), time.process_time()
    failed += tried(fuzzer, range(COUNT), seen)
    rate, growth = COUNT / (time.process_time() - start), rss_mb() - before
    for answer, count in seen.most_common():
        print(f"{count:>10,}  {answer}")
    print(f"{COUNT:,} inputs, {rate:,.0f} inputs/s of one core, {failed:,} failures")
    print(f"memory {growth:+.1f} MB (at most {MAX_GROWTH_MB:+.0f})")
    return 1 if failed or growth > MAX_GROWTH_MB else 0


if __name__ == "__main__":
    sys.exit(main())
