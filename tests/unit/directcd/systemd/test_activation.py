"""Sockets that a service manager passes on: which are taken, and for what."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from directcd.config import Config
from directcd.process import StartError
from directcd.systemd.activation import passed_in, served_there


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What the manager listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def environment(names: str, count: int = 1, pid: int | None = None) -> dict[str, str]:
    """What the manager says of what it passes."""
    return {
        "LISTEN_PID": str(pid or os.getpid()),
        "LISTEN_FDS": str(count),
        "LISTEN_FDNAMES": names,
    }


def test_a_passed_socket_is_taken_and_kept_from_children(listener: socket.socket) -> None:
    """The variables are gone, and the descriptor closes at the next exec."""
    given, place = environment("directcd-hub.socket"), os.dup(listener.fileno())
    os.set_inheritable(place, True)  # noqa: FBT003 - the only way to say it
    with passed_in(given, ["hub"], first=place)["hub"] as passed:
        assert passed.getsockname() == listener.getsockname()
        assert not passed.get_inheritable()
    assert given == {}


def test_what_was_passed_to_another_process_is_left_alone() -> None:
    """The variables were inherited, the descriptors were not."""
    given = environment("hub", pid=1)
    assert passed_in(given, ["hub"]) == {}
    assert given == {}


@pytest.mark.parametrize("count", ["9" * 5000, "1000000000", "-1", "one", "٣", ""])
def test_a_count_that_makes_no_sense_is_none(count: str) -> None:
    """No list of a thousand million names is made."""
    assert passed_in(environment("hub") | {"LISTEN_FDS": count}, ["hub"]) == {}


def test_of_several_parts_each_has_the_socket_with_its_name(listener: socket.socket) -> None:
    """FileDescriptorName= says which is whose."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        first = 900  # beyond all that are open
        os.dup2(listener.fileno(), first)
        os.dup2(other.fileno(), first + 1)
        found = passed_in(environment("server:hub", 2), ["hub", "server"], first)
        with found["hub"], found["server"]:
            assert found["hub"].getsockname() == other.getsockname()


def test_a_socket_for_nobody_is_refused() -> None:
    """Else its connections would wait for ever."""
    with pytest.raises(StartError, match="FileDescriptorName= is hub or server"):
        passed_in(environment("web"), ["hub", "server"])


def test_two_sockets_for_one_part_are_refused() -> None:
    """One of them would be served, and the other not."""
    with pytest.raises(StartError, match="two sockets were passed for hub"):
        passed_in(environment("a:b", 2), ["hub"])


@pytest.mark.parametrize("kind", ["unix", "idle"])
def test_what_cannot_be_served_is_refused(kind: str, tmp_path: Path) -> None:
    """No TCP, or nobody listens; the sentence says what to write."""
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as odd:
        if kind == "unix":
            odd.bind(str(tmp_path / "hub.sock"))
            odd.listen()
        with pytest.raises(StartError, match="ListenStream= is a TCP address"):
            passed_in(environment("hub"), ["hub"], os.dup(odd.fileno()))


def test_a_descriptor_that_is_no_socket_is_named(tmp_path: Path) -> None:
    """The number and the name that the manager gave."""
    place = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(StartError, match=f"descriptor {place}, passed for hub"):
        passed_in(environment("hub"), ["hub"], place)
    os.close(place)


@pytest.mark.parametrize("name", ["hub", "server"])
def test_the_socket_takes_the_place_of_listen_and_that_is_said(
    name: str, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """What else depends on the address sees the socket's, such as who counts as this machine."""
    port = listener.getsockname()[1]
    config = served_there(Config(), {name: listener})
    found = getattr(config, name)
    assert found.listen == f"127.0.0.1:{port}"
    assert "listen is not used" in caplog.text


def test_nothing_is_said_when_they_agree(caplog: pytest.LogCaptureFixture) -> None:
    """Also when every address is written in another way."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as every:
        port = every.getsockname()[1]
        config = Config.model_validate({"hub": {"listen": f":{port}"}})
        assert served_there(config, {"hub": every}).hub
    assert caplog.text == ""
