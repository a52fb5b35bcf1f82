"""What Debian's packages give: programs, and root file systems of another release."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

RELEASE = "trixie"
"""Of the plugins and the images, whichever this machine has."""

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = Path("/etc/apt")


def is_ours() -> bool:
    """Whether packages may be installed here: by root, on Debian."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists()


def install(**programs: str) -> None:
    """Install packages, those of one program divided by spaces, where that program is missing."""
    missing = [packages for name, packages in programs.items() if not shutil.which(name)]
    wanted = " ".join(missing).split()
    if not wanted:
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *wanted]):
        subprocess.run(["apt-get", "-qq", *words], env=environment, check=True, capture_output=True)


def mirror() -> str:
    """The address that this machine's packages come from."""
    files = [*SOURCES.glob("sources.list.d/*.sources"), SOURCES / "sources.list"]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    return next(word for word in words if word.startswith("http"))


def unpack(directory: Path, *packages: str) -> None:
    """Unpack packages of RELEASE below a directory, and install nothing."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        for name in ("lists/partial", "cache/archives/partial"):
            (here / name).mkdir(parents=True)
        (here / "its.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {RELEASE} main\n")
        apt = [
            "apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={here}/its.list",
            "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={here}/lists",
            "-o", f"Dir::Cache={here}/cache", "-o", "APT::Sandbox::User=root",
        ]  # fmt: skip
        for words in (["update"], ["download", *packages]):
            subprocess.run([*apt, *words], cwd=here, check=True, capture_output=True)
        for file in here.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", file, directory], check=True)


def python_root(archive: Path) -> None:
    """A root file system with Python and pip, as python:3.13-slim has them, as a tar archive."""
    install(mmdebstrap="mmdebstrap")
    certificates = os.environ.get("SSL_CERT_FILE", "")
    hooks = [
        'rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED',
        'for name in python python3; do ln -s /usr/bin/python3 "$1/usr/local/bin/$name"; done',
        'ln -s /usr/bin/pip3 "$1/usr/local/bin/pip"',
        # A machine whose network is looked into has an authority of its own.
        f'cp "{certificates}" "$1/etc/ssl/certs/ca-certificates.crt"' if certificates else "true",
    ]
    command = [
        "mmdebstrap", "--quiet", "--variant=minbase", "--skip=output/dev",
        "--include=python3,python3-pip,python3-venv,ca-certificates",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
        *(f"--customize-hook={hook}" for hook in hooks),
        RELEASE, str(archive), f"deb [signed-by={KEYS}] {mirror()} {RELEASE} main",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
