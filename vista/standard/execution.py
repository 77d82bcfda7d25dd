"""Programs of the operating system, run as objects; refused unless the rc file allows it.

Nodes do not start processes unless their operator says so: `AllowExecProcess` in the rc file says
which programs, `ExecProcess` runs one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import fnmatch
import os
import shutil
import signal
import socket
from collections.abc import Sequence

from vista.api import create, current_user, post, register_service, self_ref, send, wait
from vista.errors import AccessDenied, BadValueError, CallError
from vista.kernel.current import kernel
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.standard.bounds import PROCESS_END_SECONDS
from vista.standard.channel_table import channel_table
from vista.standard.channels import WatchedChannel
from vista.standard.io import IOobject
from vista.standard.notices import Target, notify
from vista.standard.turns import Ending

_SETTING = "allow_exec"
_SERVICE = "ExecProcess"
_STANDARD_DESCRIPTORS = 3


class AllowExecProcess(Object, namespace="Standard"):
    """Allows objects of this node to run programs; without it every `ExecProcess` is refused.

    rc line: ``AllowExecProcess /usr/bin/* date``

    ``create(*patterns)``: each is compared with the program's name as it is asked for, ``*`` and
    ``?`` as in file names; every program when left out. A name without ``/`` is looked up in the
    node's own PATH, never in one that the asker gives. A program that is allowed may do whatever
    its arguments and environment make it do: the list is no sandbox.

    Only the node's own user may create it. It registers the services ``ExecProcess`` and
    ``ExecProcess:HOSTNAME``, by which other nodes run programs here, and answers `exec_process`.
    Deleting it withdraws the permission; processes that run go on.

    The original ran an external helper process under the service name ``ExecProcess``.
    """

    def create(self, *patterns: str) -> None:
        """Allow programs whose names match one of ``patterns``, or all."""
        user = current_user()
        if user != kernel().user:
            raise AccessDenied(f"user {user!r} may not allow programs to be run on this node")
        if _SETTING in kernel().settings:
            raise BadValueError("programs are allowed by another AllowExecProcess already")
        self.patterns = patterns or ("*",)
        register_service(_SERVICE, self_ref(self))
        register_service(f"{_SERVICE}:{socket.gethostname()}", self_ref(self))
        kernel().settings[_SETTING] = self.patterns

    def get_patterns(self) -> tuple[str, ...]:
        """Return the patterns of the programs that may be run."""
        return self.patterns

    def exec_process(
        self,
        notify_object: Target,
        arguments: list[str],
        environment: dict[str, str] | None = None,
    ) -> Ref:
        """Create an `ExecProcess` here and return its Ref; for askers on other nodes."""
        return create(ExecProcess, notify_object, arguments, environment)

    def delete(self) -> None:
        """Withdraw the permission."""
        if kernel().settings.get(_SETTING) is self.patterns:
            del kernel().settings[_SETTING]


class ExecProcess(Object, namespace="Standard"):
    """Runs a program of the operating system.

    rc line: ``ExecProcess $watcher date,--utc``; the rc file must hold ``AllowExecProcess`` first.

    ``create(notify_object, arguments, environment=None, use_hostname=None,
    remote_exec_service=None)``: ``arguments`` is the program and what it is given, no shell reads
    it; ``environment`` is added to the node's own. With ``use_hostname`` the program runs on the
    node of that host, with ``remote_exec_service`` where that service is; the other node's rc file
    must allow it.

    Notifications: ``process_started(pid)``, then ``process_terminated(pid, exit_status)``; a
    program ended by a signal has minus its number as status, as with Python's ``subprocess``.

    `get_descriptor` gives the IOobjects of the program's standard channels. Deleting the object
    kills the program and all of its process group. Once a program has ended its object stays, for
    its output and `get_exit_status`, until it is deleted.

    Creating raises `AccessDenied` unless the rc file allows the program, and OSError when it
    cannot be started.

    The original's ExecProcess.
    """

    def create(
        self,
        notify_object: Target,
        arguments: list[str],
        environment: dict[str, str] | None = None,
        use_hostname: str | None = None,
        remote_exec_service: str | None = None,
    ) -> None:
        """Start the program."""
        _check_arguments(arguments, environment)
        self.notify_object = notify_object
        self.arguments = arguments
        self.pid: int | None = None
        self.exit_status: int | None = None
        self.descriptors: list[Ref] = []
        self.remote: Ref | None = None
        service = remote_exec_service
        if service is None and use_hostname is not None:
            service = f"{_SERVICE}:{use_hostname}"
        if service is None:
            self._start(environment)
        else:
            self.remote = send(service, "exec_process", notify_object, arguments, environment)

    def get_descriptor(self, number: int) -> Ref:
        """Return the IOobject of standard channel ``number``.

        0 is written to and is the program's standard input; 1 and 2 are read from and are its
        standard output and error. Close 0 to have the program read the end. A program whose output
        nobody reads stops when 64 KiB wait.
        """
        if not 0 <= number < _STANDARD_DESCRIPTORS:
            raise BadValueError(f"a process has standard channels 0, 1 and 2, not {number}")
        if self.remote is not None:
            ref: Ref = send(self.remote, "get_descriptor", number)
            return ref
        return self.descriptors[number]

    def get_pid(self) -> int:
        """Return the process's number on its host."""
        return self._on_its_node("get_pid") if self.pid is None else self.pid

    def get_exit_status(self) -> int:
        """Wait until the program has ended and return its exit status."""
        if self.remote is not None:
            return self._on_its_node("get_exit_status")
        self._ended.wait()
        assert self.exit_status is not None
        return self.exit_status

    def send_signal(self, name: str) -> None:
        """Send a signal, ``TERM`` or ``SIGTERM``, to the program and its process group.

        Does nothing once it has ended. Raises `BadValueError` for a name there is none of.
        """
        if self.remote is not None:
            send(self.remote, "send_signal", name)
        else:
            self._signal(_signal_called(name))

    def delete(self) -> None:
        """Kill the program if it runs, wait until it is gone, and close its standard channels."""
        if self.remote is not None:
            send(self.remote, "delete_yourself")
            return
        self._kill()
        with contextlib.suppress(TimeoutError):
            self._ended.wait(timeout=PROCESS_END_SECONDS)
        for descriptor in self.descriptors:
            with contextlib.suppress(CallError):
                send(descriptor, "close")

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_status is None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _on_its_node(self, message: str) -> int:
        assert self.remote is not None
        return int(send(self.remote, message))

    def _start(self, environment: dict[str, str] | None) -> None:
        program = _allowed_program(self.arguments[0])
        self._ended = Ending(kernel().hub.loop)
        with contextlib.ExitStack() as undo:
            theirs, ours = _make_pipes(undo)
            process = wait(
                asyncio.create_subprocess_exec(
                    program,
                    *self.arguments[1:],
                    stdin=theirs[0],
                    stdout=theirs[1],
                    stderr=theirs[2],
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            )
            undo.pop_all()
        self.pid = process.pid
        for descriptor in theirs:
            os.close(descriptor)
        self._adopt(ours)
        post(self.notify_object, "process_started", process.pid)
        self._await_end(process)

    def _adopt(self, ours: list[int]) -> None:
        """Make IOobjects of this side's ends of the program's standard channels."""
        table = channel_table(kernel())
        for number, descriptor in enumerate(ours):
            channel = WatchedChannel(
                kernel().hub,
                table.count,
                f"channel {number} of {self.arguments[0]}",
                descriptor,
                reads=number > 0,
                writes=number == 0,
            )
            descriptor_object = create(IOobject, table.add(channel))
            descriptor_object.set_delete_on_close()
            self.descriptors.append(descriptor_object)

    def _await_end(self, process: asyncio.subprocess.Process) -> None:
        home, user, table = kernel(), current_user(), channel_table(kernel())

        async def end() -> None:
            self._kill()
            async with asyncio.timeout(PROCESS_END_SECONDS):
                await process.wait()

        def note_end(waiting: asyncio.Task[int]) -> None:
            if not waiting.cancelled():
                table.not_at_end(end)
                self.exit_status = waiting.result()
                self._ended.end()
                message = (process.pid, self.exit_status)
                notify(home, user, self.notify_object, "process_terminated", *message)

        table.at_end(end)
        self._waiting = home.hub.loop.create_task(process.wait(), context=contextvars.Context())
        self._waiting.add_done_callback(note_end)


def _make_pipes(undo: contextlib.ExitStack) -> tuple[list[int], list[int]]:
    """Return the program's ends and this side's ends of three pipes; ``undo`` closes them all."""
    theirs, ours = [], []
    for number in range(_STANDARD_DESCRIPTORS):
        reading, writing = os.pipe()
        undo.callback(os.close, reading)
        undo.callback(os.close, writing)
        theirs.append(writing if number else reading)
        ours.append(reading if number else writing)
    return theirs, ours


def _allowed_program(name: str) -> str:
    """Return the path of a program the rc file allows.

    Raises `AccessDenied` for any other, and FileNotFoundError for one that does not exist.
    """
    patterns = kernel().settings.get(_SETTING)
    if patterns is None:
        raise AccessDenied(
            "no program may be run on this node; its rc file would allow it with the line: "
            f"AllowExecProcess {name}"
        )
    assert isinstance(patterns, tuple)
    # A path is compared in its shortest form, so that /usr/bin/../../tmp/x is no /usr/bin/*.
    asked = os.path.abspath(name) if "/" in name else name
    if not any(fnmatch.fnmatchcase(asked, pattern) for pattern in patterns):
        raise AccessDenied(
            f"program {asked} is not one of those that may be run on this node "
            f"({', '.join(patterns)}); its rc file would allow it with {asked} on the line "
            "AllowExecProcess"
        )
    path = shutil.which(asked)
    if path is None:
        raise FileNotFoundError(errno.ENOENT, f"no program {asked}")
    return path


def _signal_called(name: str) -> signal.Signals:
    full = name if name.startswith("SIG") else f"SIG{name}"
    if full not in signal.Signals.__members__:
        raise BadValueError(f"no signal {name!r}; one is TERM, INT, KILL, HUP, USR1 ...")
    return signal.Signals[full]


def _check_arguments(arguments: Sequence[str], environment: dict[str, str] | None) -> None:
    if not arguments or not arguments[0]:
        raise BadValueError("arguments must begin with the name of a program")
    for text in [*arguments, *(environment or {}).keys(), *(environment or {}).values()]:
        if not isinstance(text, str) or "\0" in text:
            raise BadValueError(f"{text!r}: arguments and environment are texts without NUL")
