"""Images by the names that the Dockerfile and the Compose files say: ours, others', stand-ins."""

import tempfile
from pathlib import Path

import directcd
from tests.support.engines import debian
from tests.support.engines.docker import Engine

ROOT = Path(__file__).parents[3]
PYTHON = "python:3.13-slim"
RUNTIME = f"directcd:{directcd.__version__}"
WITH_GO = f"{RUNTIME}-go"
REDIS = "redis:8"
NGINX = "nginxinc/nginx-unprivileged:1.28"
FORGE = "directcd-test-forge"
"""Python and git, for a git server of the tests', with the directories of Gitea's image."""

_INSTALL = "apt-get update -qq && apt-get install -qq --yes --no-install-recommends"
STAND_INS = {
    REDIS: f"""
        FROM {PYTHON}
        RUN {_INSTALL} redis-server redis-tools && groupmod -g 999 redis && usermod -u 999 redis
        WORKDIR /data
        RUN chown 999:999 /data
        CMD ["redis-server"]
    """,
    NGINX: f"""
        FROM {PYTHON}
        RUN {_INSTALL} nginx-light curl && install -d -o 101 -g 101 /var/cache/nginx
        USER 101:101
        CMD ["nginx", "-g", "daemon off;"]
    """,
}
_FORGE = f"""
    FROM {PYTHON}
    RUN {_INSTALL} git curl && git config --system --add safe.directory "*" \\
        && install -d -o 1000 -g 1000 /var/lib/gitea /etc/gitea
"""


def provide_python(engine: Engine) -> None:
    """What all of ours are built from."""
    if _is_there(engine, PYTHON):
        return
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "root.tar"
        debian.python_root(archive)
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        engine("import", "--change", f"ENV {path}", archive, PYTHON)


def provide_others(engine: Engine) -> None:
    """Redis, the proxy, a forge."""
    for name, dockerfile in STAND_INS.items():
        if not _is_there(engine, name):
            _build(engine, name, dockerfile)
    _build(engine, FORGE, _FORGE)


def build_ours(engine: Engine) -> None:
    """Both images of this checkout."""
    for name, target in ((RUNTIME, "runtime"), (WITH_GO, "go")):
        engine("build", "--network=host", "--target", target, "--tag", name, ".", cwd=ROOT)


def size(engine: Engine, image: str) -> int:
    """Bytes, as `docker image ls` counts them."""
    return int(engine("image", "inspect", "--format", "{{.Size}}", image))


def _is_there(engine: Engine, image: str) -> bool:
    asked = (("image", "inspect", image), ("pull", "--quiet", image))
    return any(engine.tried(*words).returncode == 0 for words in asked)


def _build(engine: Engine, name: str, dockerfile: str) -> None:
    engine("build", "--network=host", "--tag", name, "-", given=dockerfile)
