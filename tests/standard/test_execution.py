"""ExecProcess and AllowExecProcess."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from tests.standard.listener import Listener
from vista.errors import AccessDenied, BadValueError

pytestmark = pytest.mark.usefixtures("no_leak")


@pytest.fixture
def watcher(no_leak: None) -> Iterator[vista.Ref]:
    """Somebody who is told of processes."""
    made = vista.create(Listener)
    yield made
    made.delete_yourself()


@pytest.fixture
def allowed(no_leak: None) -> Iterator[vista.Ref]:
    """Programs are allowed."""
    made = vista.create("AllowExecProcess")
    yield made
    made.delete_yourself()


def lives(pid: int) -> bool:
    """Whether a process of this number exists, a zombie included."""
    return Path(f"/proc/{pid}").exists()


def test_without_the_rc_line_no_program_runs(watcher: vista.Ref) -> None:
    with pytest.raises(AccessDenied) as caught:
        vista.create("ExecProcess", watcher, ["date"])
    assert str(caught.value) == (
        "no program may be run on this node; its rc file would allow it with the line: "
        "AllowExecProcess date"
    )


def test_a_program_is_told_of_when_it_starts_and_ends(
    allowed: vista.Ref, watcher: vista.Ref
) -> None:
    process = vista.create("ExecProcess", watcher, ["sh", "-c", "exit 3"])
    (pid,) = watcher.hear("process_started")
    assert watcher.hear("process_terminated") == [pid, 3]
    assert (process.get_pid(), process.get_exit_status()) == (pid, 3)
    assert not lives(pid)
    process.delete_yourself()


def test_a_program_talks_through_its_descriptors(allowed: vista.Ref, watcher: vista.Ref) -> None:
    process = vista.create("ExecProcess", watcher, ["sh", "-c", "cat; echo problem >&2"])
    standard_input, output, errors = (process.get_descriptor(number) for number in range(3))
    standard_input.write_bytes(b"through")
    assert output.read_bytes() == b"through"
    standard_input.close()
    assert [output.read_bytes(), errors.read_bytes()] == [b"", b"problem\n"]
    assert process.get_exit_status() == 0
    process.delete_yourself()


def test_there_is_no_fourth_descriptor(allowed: vista.Ref, watcher: vista.Ref) -> None:
    process = vista.create("ExecProcess", watcher, ["true"])
    with pytest.raises(BadValueError, match="standard channels 0, 1 and 2, not 3"):
        process.get_descriptor(3)
    process.delete_yourself()


def test_the_environment_is_added_to_the_nodes_own(allowed: vista.Ref, watcher: vista.Ref) -> None:
    script = 'echo "$TIDE ${PATH:+path}"'
    process = vista.create("ExecProcess", watcher, ["sh", "-c", script], {"TIDE": "in"})
    assert process.get_descriptor(1).read_bytes() == b"in path\n"
    process.delete_yourself()


def test_deleting_the_object_kills_the_program_and_its_group(
    allowed: vista.Ref, watcher: vista.Ref
) -> None:
    process = vista.create("ExecProcess", watcher, ["sh", "-c", "sleep 1000 & echo $!; wait"])
    child = int(process.get_descriptor(1).read_bytes())
    (pid,) = watcher.hear("process_started")
    process.delete_yourself()
    assert watcher.hear("process_terminated") == [pid, -signal.SIGKILL]
    assert not lives(pid)
    with vista.timeout(10):
        while lives(child) and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
            watcher.class_of()


def test_a_signal_reaches_the_program(allowed: vista.Ref, watcher: vista.Ref) -> None:
    process = vista.create("ExecProcess", watcher, ["sleep", "1000"])
    process.send_signal("TERM")
    assert process.get_exit_status() == -signal.SIGTERM
    process.send_signal("SIGTERM")
    process.delete_yourself()


def test_a_signal_there_is_none_of_is_an_error(allowed: vista.Ref, watcher: vista.Ref) -> None:
    process = vista.create("ExecProcess", watcher, ["true"])
    with pytest.raises(BadValueError, match="no signal 'HELLO'"):
        process.send_signal("HELLO")
    process.delete_yourself()


def test_a_node_that_stops_kills_its_programs() -> None:
    def main() -> int:
        vista.create("AllowExecProcess")
        process = vista.create("ExecProcess", vista.create(Listener), ["sleep", "1000"])
        pid: int = process.get_pid()
        return pid

    with vista.Node("other") as other:
        pid = other.call(main)
        assert lives(pid)
    assert not lives(pid) or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_a_program_that_does_not_exist_is_an_error(allowed: vista.Ref, watcher: vista.Ref) -> None:
    with pytest.raises(FileNotFoundError, match="no program no-such-program"):
        vista.create("ExecProcess", watcher, ["no-such-program"])


@pytest.mark.parametrize("arguments", [[], [""], ["a\0b"], ["echo", 7]])
def test_arguments_that_make_no_sense_are_refused(
    allowed: vista.Ref, watcher: vista.Ref, arguments: list[str]
) -> None:
    with pytest.raises(BadValueError):
        vista.create("ExecProcess", watcher, arguments)


def test_only_programs_on_the_line_run(watcher: vista.Ref) -> None:
    allowing = vista.create("AllowExecProcess", "true", "/usr/bin/*")
    vista.create("ExecProcess", watcher, ["true"]).delete_yourself()
    vista.create("ExecProcess", watcher, ["/usr/bin/env"]).delete_yourself()
    with pytest.raises(AccessDenied) as caught:
        vista.create("ExecProcess", watcher, ["sh"])
    assert str(caught.value) == (
        "program sh is not one of those that may be run on this node (true, /usr/bin/*); "
        "its rc file would allow it with sh on the line AllowExecProcess"
    )
    allowing.delete_yourself()


def test_a_path_cannot_leave_what_is_allowed(watcher: vista.Ref) -> None:
    allowing = vista.create("AllowExecProcess", "/usr/bin/*")
    with pytest.raises(AccessDenied, match="program /bin/sh is not one"):
        vista.create("ExecProcess", watcher, ["/usr/bin/../../bin/sh"])
    allowing.delete_yourself()


def test_a_name_is_looked_up_in_the_path_of_the_node_only(
    watcher: vista.Ref, tmp_path: Path
) -> None:
    (tmp_path / "true").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "true").chmod(0o755)
    allowing = vista.create("AllowExecProcess", "true")
    process = vista.create("ExecProcess", watcher, ["true"], {"PATH": str(tmp_path)})
    assert process.get_exit_status() == 0
    process.delete_yourself()
    allowing.delete_yourself()


def test_deleting_the_permission_withdraws_it(watcher: vista.Ref) -> None:
    vista.create("AllowExecProcess").delete_yourself()
    with pytest.raises(AccessDenied):
        vista.create("ExecProcess", watcher, ["true"])


def test_another_user_cannot_give_the_permission(node: vista.Node) -> None:
    with pytest.raises(AccessDenied, match="user 'alice' may not allow programs"):
        node.call(lambda: vista.create("AllowExecProcess"), user="alice")


def test_the_permission_is_given_once(allowed: vista.Ref) -> None:
    with pytest.raises(BadValueError, match="another AllowExecProcess"):
        vista.create("AllowExecProcess", "true")
    assert allowed.get_patterns() == ("*",)


@pytest.mark.parametrize(
    "place", [(None, "ExecProcess"), (socket.gethostname(), None)], ids=["service", "host"]
)
def test_a_program_runs_where_the_service_is(
    allowed: vista.Ref, watcher: vista.Ref, place: tuple[str | None, str | None]
) -> None:
    process = vista.create("ExecProcess", watcher, ["cat"], None, *place)
    (pid,) = watcher.hear("process_started")
    assert process.get_pid() == pid
    process.get_descriptor(0).write_bytes(b"there and back")
    assert process.get_descriptor(1).read_bytes() == b"there and back"
    process.send_signal("INT")
    assert process.get_exit_status() == -signal.SIGINT
    process.delete_yourself()


def test_a_host_without_the_service_is_an_error(allowed: vista.Ref, watcher: vista.Ref) -> None:
    with pytest.raises(vista.NoSuchService):
        vista.create("ExecProcess", watcher, ["true"], None, "no-such-host")


def test_many_programs_leave_nothing_behind(allowed: vista.Ref, watcher: vista.Ref) -> None:
    processes = [vista.create("ExecProcess", watcher, ["true"]) for _ in range(20)]
    assert [process.get_exit_status() for process in processes] == [0] * 20
    for process in processes:
        process.delete_yourself()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
