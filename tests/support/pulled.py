"""What is pulled in tests: two real Go modules in repositories, one of which needs the other."""

import os
import subprocess
from pathlib import Path

from tests.support.go_modules import go_root
from tests.support.sources import Source

LIBRARY = "git.example.com/acme/lib"

GO_MOD = f"module git.example.com/acme/app\n\ngo 1.21\n\nrequire {LIBRARY} v1.2.3\n"


def go_environment(cache: Path) -> dict[str, str]:
    """
    Variables for a process that builds with Go.

    Args:
        cache: Where compiled packages go; shared, the standard library is compiled once.
    """
    return {
        **os.environ,
        "PATH": f"{go_root()}/bin:{os.environ['PATH']}",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOCACHE": str(cache),
    }


def warmed(base: Path) -> Path:
    """
    A cache in which the packages that these programs need are compiled.

    Args:
        base: pytest's base directory; processes of one run share the cache.
    """
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "go-cache"
    build = ("go", "build", "-trimpath", "-buildvcs=false", "fmt", "os", "strings", "time")
    subprocess.run(build, cwd=base, env=go_environment(cache), check=True)
    return cache


def program(word: str) -> str:
    """A main.go that appends `WORD LIBRARY-WORD PID ARGUMENTS…` to the file `said`, and waits."""
    return f"""package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"{LIBRARY}"
)

func main() {{
	file, err := os.OpenFile("said", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {{
		panic(err)
	}}
	fmt.Fprintln(file, "{word}", lib.Word, os.Getpid(), strings.Join(os.Args[1:], " "))
	time.Sleep(time.Hour)
}}
"""


def library(word: str) -> str:
    """The lib.go that the program needs."""
    return f'package lib\n\nconst Word = "{word}"\n'


class Modules:
    """A program and a fork of the library that it requires."""

    def __init__(self, root: Path) -> None:
        """Commit both."""
        self.app = Source(root / "app")
        self.lib = Source(root / "lib")
        self.lib.commit({"go.mod": f"module {LIBRARY}\n\ngo 1.21\n", "lib.go": library("uno")})
        self.app.commit({"go.mod": GO_MOD, "main.go": program("one")})
