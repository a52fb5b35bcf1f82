"""The build.sh recipe: real shells in real trees, that succeed, fail, hang and lie."""

from pathlib import Path

import pytest

from cd4sources.building import BuildFailed, Workspace, choose
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.building.workshop import Workshop
from cd4sources.running.nursing import Nanny
from cd4sources.settings import ServerSettings
from tests.support.processes import daemon_command, is_alive
from tests.support.serving import target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

TARGET = target_of("app", "/srv/app", build="build --fast", artifact="artifact")


def workspace(tmp_path: Path, script: str, *, seconds: float = 5.0) -> Workspace:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "build.sh").write_text(script)
    made = Workspace(
        nanny=Nanny(tmp_path),
        tree=tree,
        room=tmp_path / "room",
        data=tmp_path,
        log=tmp_path / "logs" / "app.log",
        timeout_seconds=seconds,
        environment={"DIRECTCD_COMMIT": "abc"},
    )
    made.prepare()
    return made


async def build(place: Workspace) -> Path:
    async with place.nanny:
        return await choose(TARGET, {"build.sh", "go.mod"}).build(place)


async def test_last_line_names_the_artifact(tmp_path: Path) -> None:
    """The words reach build.sh, and the last line that is not empty is the artifact's path."""
    script = 'test "$1" = build && { echo "$2" >out; exit; }; echo noise; echo out; echo\n'
    artifact = await build(workspace(tmp_path, script))
    assert artifact == (tmp_path / "tree" / "out").resolve()
    assert artifact.read_text() == "--fast\n"


async def test_environment_is_an_allow_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build sees what it needs and nothing of the server's secrets."""
    monkeypatch.setenv("DIRECTCD_TOKEN", "c4n4ry")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c4n4ry")
    artifact = await build(workspace(tmp_path, "env >out; echo out\n"))
    names = {line.partition("=")[0] for line in artifact.read_text().splitlines()}
    own = {"DIRECTCD_COMMIT", "DIRECTCD_OWNER", "DIRECTCD_TREE"}
    of_the_shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names - of_the_shell == {"PATH", "HOME", "TMPDIR", "LANG", *own}


async def test_failure_tells_exit_code_and_last_lines(tmp_path: Path) -> None:
    """What a person needs to correct the build is in the error; the whole is in the log."""
    place = workspace(tmp_path, "seq 100; echo 'no such header' >&2; exit 7\n")
    with pytest.raises(BuildFailed, match=r"sh build\.sh build --fast ended with 7") as raised:
        await build(place)
    assert raised.value.exit_code == 7
    assert raised.value.last_lines.endswith("100\nno such header")
    assert raised.value.log is not None
    assert raised.value.log.read_text().startswith("1\n2\n")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "printed nothing"),
        ("missing", "not there"),
        ("/etc/passwd", "outside the tree"),
        ("../secret", "outside the tree"),
        ("link", "outside the tree"),
        (".", "not a regular file"),
        ("pipe", "not a regular file"),
    ],
)
async def test_artifact_must_be_a_file_in_the_tree(tmp_path: Path, said: str, reason: str) -> None:
    """Neither a path, nor a symbolic link, nor a device leads out of the tree."""
    (tmp_path / "secret").touch()
    script = f"ln -sfn ../secret link; test -e pipe || mkfifo pipe; echo '{said}'\n"
    with pytest.raises(BuildFailed, match=reason):
        await build(workspace(tmp_path, script))


async def test_time_out_kills_a_double_forked_child(tmp_path: Path) -> None:
    """A build that takes too long ends with everything it started."""
    pid_file = tmp_path / "pid"
    script = f"{daemon_command(pid_file)}\necho waiting for ever\nsleep 300\n"
    with pytest.raises(BuildFailed, match="did not end within 1 s") as raised:
        await build(workspace(tmp_path, script, seconds=1.0))
    assert raised.value.last_lines == "waiting for ever"
    assert not is_alive(int(pid_file.read_text()))


async def test_daemon_of_a_finished_build_is_ended(tmp_path: Path) -> None:
    """A compiler server that a build leaves behind does not outlive it."""
    pid_file = tmp_path / "pid"
    script = f"test -e {pid_file} || {daemon_command(pid_file)}\ntouch out; echo out\n"
    await build(workspace(tmp_path, script))
    await eventually(lambda: not pid_file.exists() or not is_alive(int(pid_file.read_text())))


async def test_checkouts_of_one_name_stand_beside_each_other(tmp_path: Path) -> None:
    """Three repositories called `lib`, each under a variable of its own."""
    sources = [Source(tmp_path / name / "lib") for name in ("main", "one", "two")]
    sources[0].commit(
        {"build.sh": "cat $DIRECTCD_REPO_ONE_LIB/x $DIRECTCD_REPO_TWO_LIB/x >x; echo x"}
    )
    for source in sources[1:]:
        source.commit({"x": f"{source.path.parent.name}\n"})
    target = target_of("app", *(source.path for source in sources))
    settings = ServerSettings(data=tmp_path / "data")
    shop = Workshop(target, settings, Lanes(1), Caches(settings.data))
    made = await shop.build(await shop.plan(await shop.fetch()), tmp_path / "log", None)
    assert made.path.read_text() == "one\ntwo\n"
    await shop.rest()


def test_nothing_to_build_with_names_both_ways_out() -> None:
    """Neither build.sh nor go.mod: the error says what to add."""
    with pytest.raises(BuildFailed, match=r"build\.sh.*go\.mod"):
        choose(TARGET, ())


def test_words_for_a_missing_script_are_not_ignored() -> None:
    """A target that says how build.sh is called is not built by go instead."""
    with pytest.raises(BuildFailed, match=r"build = 'build --fast'.*commit one, or leave `build`"):
        choose(TARGET, {"go.mod"})
    assert choose(target_of("app", "/srv/app"), {"go.mod"}).fingerprint.startswith("go ")


async def test_first_error_of_a_compiler_begins_the_reason(tmp_path: Path) -> None:
    """Whichever it is: it names the file, relative to the tree, and the line."""
    script = 'echo making; echo "$PWD/src/x.c:3:9: error: expected" >&2; exit 2\n'
    with pytest.raises(BuildFailed) as raised:
        await build(workspace(tmp_path, script))
    reason = "sh build.sh build --fast ended with 2: src/x.c:3:9: error: expected; the whole log: "
    assert str(raised.value).startswith(reason)


def test_words_and_output_are_part_of_the_fingerprint() -> None:
    """The same commit built with other words is another version."""
    targets = [TARGET, target_of("app", "/srv/app"), target_of("app", "/srv/app", output="x")]
    assert len({choose(target, {"build.sh"}).fingerprint for target in targets}) == 3
