"""The images that the Dockerfile makes: their size, what they hold, and how they run."""

import functools
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import directcd
from directcd.demo.world import free_ports
from tests.support.certificates import certificate
from tests.support.engines.containers import HARDENED, container, run, state
from tests.support.engines.docker import Engine
from tests.support.engines.images import PYTHON, RUNTIME, WITH_GO, size
from tests.support.redis_servers import wait_for

MOST_BYTES = 90_000_000
"""Above Python's image."""

SHELL = ("--entrypoint=sh",)
PYTHON3 = ("--entrypoint=python3",)


@pytest.fixture
def configuration(tmp_path: Path) -> tuple[Path, int]:
    """A hub's directcd.toml with a free port of this machine, and that port."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(f'[hub]\nlisten = "127.0.0.1:{port}"\ndata = "/var/lib/directcd/hub"\n')
    return file, port


def mounted(file: Path) -> str:
    """A volume option: the configuration where the image looks for it."""
    return f"--volume={file}:/etc/directcd/directcd.toml:ro"


def test_it_is_small(engine: Engine) -> None:
    """Git and ssh without perl, and no installer."""
    assert size(engine, RUNTIME) - size(engine, PYTHON) < MOST_BYTES


def test_it_says_what_it_is(engine: Engine) -> None:
    """Labels of the Open Container Initiative, an entry point, a user without rights."""
    [found] = json.loads(engine("image", "inspect", RUNTIME))
    config = found["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["directcd"]
    assert config["Labels"]["org.opencontainers.image.title"] == "directcd"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert run(engine, RUNTIME, "--version") == f"directcd {directcd.__version__}\n"


def test_no_file_gives_rights_or_can_be_changed(engine: Engine) -> None:
    """Neither set-uid nor set-gid, the base's included; and the user owns its data alone."""
    look = "find / -xdev -type f -perm /6000; find /opt /usr /etc -xdev -writable ! -type l"
    done = engine.tried("run", "--rm", *SHELL, RUNTIME, "-c", f"({look}) 2>/dev/null; true")
    assert (done.returncode, done.stdout) == (0, "")


def test_any_user_of_group_0_may_keep_data(engine: Engine) -> None:
    """As clusters have it that give each container a user of its own."""
    write = "touch /var/lib/directcd/hub/a /var/lib/directcd/server/b /var/lib/directcd/client/c"
    options = (*SHELL, "--user=1234567:0", "--volume=/var/lib/directcd")
    run(engine, RUNTIME, "-c", write, options=options)


def test_scanners_find_its_packages(engine: Engine) -> None:
    """What was unpacked without dpkg is listed where they look for it."""
    listed = run(engine, RUNTIME, "-c", "ls /var/lib/dpkg/status.d", options=SHELL).split()
    assert {"git", "openssh-client"} <= set(listed)
    assert not [name for name in listed if name.startswith("perl")]


def test_every_library_is_there(engine: Engine) -> None:
    """Of git and ssh, which no package manager has installed, and of Python's extensions."""
    look = (
        "for file in /usr/bin/git /usr/lib/git-core/git-remote-https /usr/bin/ssh "
        "$(find /opt/directcd -name '*.so'); do ldd $file; done | grep 'not found' || true"
    )
    assert run(engine, RUNTIME, "-c", look, options=SHELL) == ""


@contextmanager
def serving(directory: Path, pem: Path) -> Iterator[str]:
    """The files of a directory over TLS; their address."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_git_asks_over_tls(engine: Engine, tmp_path: Path) -> None:
    """And believes no authority that it does not know."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in (
        ["init", "-qb", "main", "work"],
        ["-C", "work", *identity, "commit", "-q", "--allow-empty", "-m", "1"],
        ["clone", "-q", "--bare", "work", "shop.git"],
        ["-C", "shop.git", "update-server-info"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    pem = certificate(tmp_path, "localhost")
    git = ("--entrypoint=git", f"--volume={tmp_path}/cert.pem:/authority.pem:ro")
    with serving(tmp_path, pem) as url:
        words = ("-c", "http.sslCAInfo=/authority.pem", "ls-remote", f"{url}/shop.git")
        assert "refs/heads/main" in run(engine, RUNTIME, *words, options=git)
        with pytest.raises(AssertionError, match="certificate"):
            run(engine, RUNTIME, "ls-remote", f"{url}/shop.git", options=git)


def test_it_is_a_well_behaved_first_process(
    engine: Engine, configuration: tuple[Path, int]
) -> None:
    """Read-only and without any right it becomes healthy, adopts and buries orphans, and stops."""
    file, port = configuration
    options = (
        mounted(file),
        "--volume=/var/lib/directcd",
        f"--env=DIRECTCD_HUB_URL=http://127.0.0.1:{port}",
        "--health-interval=1s",
    )
    with container(engine, RUNTIME, options=options) as name:
        wait_for(lambda: state(engine, name, "Health.Status") == "healthy", "not healthy", 60)
        engine("exec", name, "sh", "-c", "(sleep 0.1 &) ; exit 0")
        wait_for(lambda: "Z" not in states(engine, name), "zombies stay", 15)
        engine("stop", "--time=30", name)
        assert state(engine, name, "ExitCode") == "0"


def states(engine: Engine, name: str) -> str:
    """One letter for each process of a container: Z is a zombie."""
    look = (
        "import glob; texts = [open(file).read() for file in glob.glob('/proc/[0-9]*/stat')]; "
        "print(*(text.rpartition(')')[2].split()[0] for text in texts))"
    )
    return engine("exec", name, "python3", "-c", look)


def test_a_hub_that_cannot_start_says_why(engine: Engine) -> None:
    """Without a configuration, and not with a traceback."""
    done = engine.tried("run", "--rm", RUNTIME)
    assert done.returncode == 2
    assert "/etc/directcd/directcd.toml: no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_health_is_asked_of_nobody_who_is_not_there(engine: Engine) -> None:
    """A server's container that keeps the hub's check is unhealthy, and not silently well."""
    done = engine.tried("run", "--rm", RUNTIME, "health")
    assert done.returncode == 1
    assert "no answer" in done.stderr


@pytest.mark.parametrize("user", ["10001:10001", "1234567:0"], ids=["own", "assigned"])
def test_go_builds_below_a_read_only_root(engine: Engine, tmp_path: Path, user: str) -> None:
    """A program without libraries of its own, which runs in the image without Go, as anyone."""
    (tmp_path / "go.mod").write_text("module example.test/hello\n\ngo 1.22\n")
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("hello") }\n')
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    options = (
        "--entrypoint=sh", f"--user={user}", f"--volume={tmp_path}:/src:ro", "--workdir=/src",
        "--env=HOME=/tmp", "--tmpfs=/tmp:exec",
    )  # fmt: skip
    build = "go build -o /tmp/hello . && /tmp/hello && ldd /tmp/hello 2>&1 || true"
    done = engine.tried("run", "--rm", *HARDENED, *options, WITH_GO, "-c", build)
    assert "hello" in done.stderr
    assert "not a dynamic executable" in done.stdout
