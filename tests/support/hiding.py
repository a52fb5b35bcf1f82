"""Processes that hide from everybody: session, parent and environment left behind."""

from pathlib import Path


def hidden_command(pid_file: Path) -> str:
    """A shell command whose child has nothing that tells whose it is; its pid in a file."""
    script, part = pid_file.with_suffix(".sh"), pid_file.with_suffix(".part")
    script.write_text(f"trap '' TERM HUP\necho $$ >{part}\nmv {part} {pid_file}\nexec sleep 300\n")
    return (
        f"env -i PATH=/usr/bin:/bin setsid sh -c 'sh {script} &' >/dev/null 2>&1; "
        f"while ! test -e {pid_file}; do sleep 0.01; done"
    )


def zombies_of(pid: int) -> list[int]:
    """The children of a process that have ended and were not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if (state, parent) == ("Z", str(pid)):
            found.append(int(stat.parent.name))
    return found
