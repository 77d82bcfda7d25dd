"""``vista --processes N FILE``: the supervisor of N processes that run one file together.

It is no node. It starts the processes, passes on what they print with their names before each
line, and does what `vista.shell.supervision` decides. Threads of the operating system wait for the
processes and read their pipes, so that one that is slow to be read delays no other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import queue
import re
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import IO, Final

from vista.counted import counted
from vista.limits import Limits
from vista.peering.keys import socket_directory
from vista.shell import supervision
from vista.shell.member import STOPPING, Member
from vista.shell.options import FAILED
from vista.shell.signals import KILLED_BY_SIGNAL
from vista.shell.supervision import Ended, Event, Supervision

OUTPUT_SECONDS = 1.0
"""How long nothing more comes out of the pipes of a process that has ended before they are left:
programs that it started may hold them open for ever."""

_READ_BYTES: Final = 65_536
_MESH_CHARACTERS_MAX: Final = 32
_NO_SOCKET_CHARACTER = re.compile(r"[^A-Za-z0-9_.-]")
_ERASE: Final = b"\r\x1b[K"
"""What clears the line of a terminal in which the cursor is."""

_log = logging.getLogger("vista.processes")


def process_count(text: str) -> int:
    """Read the number of processes. Raises `argparse.ArgumentTypeError` with the range."""
    most = Limits().processes_max
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"a number from 1 to {most}, not {text}")
    return int(text)


class Lines:
    """Cuts what comes over a pipe into lines of at most ``bytes_max`` bytes, without their ends."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are whole."""
        lines = data.split(b"\n")
        lines[0] = self._rest + lines[0]
        # What is left over is below the bound, so this is no more than twice what was read.
        pieces = [piece for line in lines[:-1] for piece in self._cut(line)]
        *more, self._rest = self._cut(lines[-1])
        return pieces + more

    def end(self) -> list[bytes]:
        """Return what came after the last end of a line, if anything."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def _cut(self, line: bytes) -> list[bytes]:
        size = self._bytes_max
        return [line[at : at + size] for at in range(0, len(line), size)] or [b""]


class Output:
    """The standard output or standard error of the supervisor: whole lines, whoever writes them.

    ``is_shared`` says that it is a terminal on which process 1 draws as well.
    """

    def __init__(self, descriptor: int, is_shared: bool) -> None:
        self._descriptor = descriptor
        self._erase = _ERASE if is_shared else b""
        self._lock = threading.Lock()

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines. Raises `OSError` when nobody reads any longer."""
        data = memoryview(b"".join(b"%b%b\n" % (self._erase, line) for line in lines))
        with self._lock:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:
                    # Another program has set the terminal so, for all who use it.
                    select.select([], [self._descriptor], [])


def prefixed(name: str, line: bytes, as_json: bool) -> bytes:
    """Return a line with the name of its process, which a JSON object of the log has inside."""
    if as_json and line.startswith(b"{") and _is_json(line):
        return line
    return b"%b | %b" % (name.encode(), line)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


class Reader(threading.Thread):
    """Passes on what comes over a pipe until it ends, by whole lines.

    ``lines`` cuts it, ``mark`` puts the name of its process to a line, ``output`` takes them. When
    nobody reads the output any longer the pipe is closed, so that the process has no reader either.
    """

    def __init__(
        self, pipe: IO[bytes], lines: Lines, output: Output, mark: Callable[[bytes], bytes]
    ) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._lines = lines
        self._output = output
        self._mark = mark
        self._reads = 0
        self._is_writing = False

    def run(self) -> None:
        """Read until the end; what `start` runs."""
        with self._pipe:
            while self._step():
                pass

    def _step(self) -> bool:
        data = os.read(self._pipe.fileno(), _READ_BYTES)
        self._reads += 1
        whole = self._lines.feed(data) if data else self._lines.end()
        self._is_writing = True
        try:
            self._output.write([self._mark(line) for line in whole])
        except OSError:
            return False
        self._is_writing = False
        return bool(data)

    def finish(self, due: float) -> None:
        """Wait for the end of the pipe of a process that has ended, until ``due`` at most.

        A pipe out of which nothing comes is left; output that is slow to be read is waited for.
        """
        reads = -1
        while self.is_alive() and time.monotonic() < due:
            if reads == self._reads and not self._is_writing:
                return
            reads = self._reads
            self.join(OUTPUT_SECONDS)


class Supervisor:
    """Runs ``count`` processes: ``name`` is that of the mesh, ``words`` the file and its arguments.

    ``options`` are passed on to all processes, ``first_options`` to the one that runs the file.
    """

    def __init__(
        self,
        count: int,
        name: str,
        words: Sequence[str],
        options: Sequence[str],
        first_options: Sequence[str],
        *,
        as_json: bool,
    ) -> None:
        self._limits = Limits()
        self._count = count
        self._name = name
        # Of its own: two runs of one file on one machine do not meet.
        plain = _NO_SOCKET_CHARACTER.sub("", name)[:_MESH_CHARACTERS_MAX].lstrip(".-")
        self._mesh = f"{plain or 'mesh'}-{secrets.token_hex(4)}"
        self._words = (tuple(first_options), tuple(words))
        self._options = tuple(options)
        self._as_json = as_json
        self._core = Supervision(count, self._limits)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._lifelines: dict[int, int] = {}
        self._arrivals = itertools.count()
        self._has_terminal = sys.stdout.isatty()
        self._outputs = [
            Output(descriptor, self._has_terminal and os.isatty(descriptor))
            for descriptor in (sys.stdout.fileno(), sys.stderr.fileno())
        ]

    def run(self) -> int:
        """Run until all processes have ended and return the exit code."""
        before = {number: signal.signal(number, self._handle) for number in sorted(STOPPING)}
        try:
            return self._run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._clear()

    def _run(self) -> int:
        effects = self._core.handle(supervision.Begin(), time.monotonic())
        while True:
            for effect in effects:
                if isinstance(effect, supervision.Finish):
                    return effect.code
                self._perform(effect)
            event = self._next_event()
            effects = self._core.handle(event, time.monotonic())

    def _next_event(self) -> Event:
        due = self._core.next_deadline()
        seconds = None if due is None else max(0.0, due - time.monotonic())
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return supervision.Tick()
        if isinstance(event, Ended):
            self._forget(event.number)
        return event

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # One step, for a signal may interrupt the handler of another before it has noted anything.
        if next(self._arrivals) > 0:
            self._clear()
            os._exit(KILLED_BY_SIGNAL + number)
        self._events.put(supervision.Stop())

    def _clear(self) -> None:
        """Leave no process behind, and no socket of one that was killed."""
        for process in list(self._processes.values()):
            process.kill()
        for member in range(1, self._count + 1):
            (socket_directory() / f"{self._mesh}-{member}").unlink(missing_ok=True)

    def _perform(self, effect: supervision.Effect) -> None:
        match effect:
            case supervision.Start(number):
                self._start(number)
            case supervision.Ask(number):
                _log.debug("%s is told to end", self._name_of(number))
                self._ask(number)
            case supervision.Kill(number):
                _log.warning("%s does not end and is killed", self._name_of(number))
                self._processes[number].kill()
            case supervision.Pause(number, code, seconds):
                what = f"{self._name_of(number)} ended {_words_of(code)}"
                _log.warning("%s; it is started again in %g s", what, seconds)
            case supervision.GaveUp(number, code, times):
                what = f"{self._name_of(number)} ended {counted(times, 'time')} in a row"
                _log.error("%s, the last time %s: all processes are stopped", what, _words_of(code))

    def _name_of(self, number: int) -> str:
        return f"{self._name}-{number}"

    # --- starting and ending ---------------------------------------------------------------

    def _start(self, number: int) -> None:
        reading, writing = os.pipe()
        # A signal that comes while a process has no handlers yet waits until it has. The threads
        # must not get any: the loop above is to wake up.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            self._processes[number] = process = self._open(number, reading)
            self._lifelines[number] = writing
            self._watch(number, process)
        except OSError as error:
            os.close(writing)
            _log.error("%s cannot be started: %s", self._name_of(number), error)
            self._events.put(Ended(number, FAILED))
        else:
            _log.info("%s runs as process %d", self._name_of(number), process.pid)
        finally:
            os.close(reading)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _open(self, number: int, lifeline: int) -> subprocess.Popen[bytes]:
        first_options, words = self._words
        if number > 1:
            # They do not run the file, and load the classes that it names.
            first_options, words = (), words[:1]
        member = Member(number, self._count, self._mesh, lifeline)
        options = ("--name", self._name_of(number), *self._options, *first_options)
        return subprocess.Popen(
            # With -P, as the command itself has it: the current directory has no modules for it.
            (sys.executable, "-P", "-m", "vista", *options, "--member", str(member), *words),
            stdin=None if number == 1 else subprocess.DEVNULL,
            stdout=None if number == 1 and self._has_terminal else subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(lifeline,),
        )

    def _watch(self, number: int, process: subprocess.Popen[bytes]) -> None:
        """Pass on what a process prints, and note its end after that."""
        readers = [
            self._reader(self._name_of(number), pipe, at)
            for at, pipe in enumerate((process.stdout, process.stderr))
            if pipe is not None
        ]

        def wait() -> None:
            code = process.wait()
            due = time.monotonic() + self._limits.process_stop_seconds
            for reader in readers:
                reader.finish(due)
            self._events.put(Ended(number, code))

        for thread in (*readers, threading.Thread(target=wait, daemon=True)):
            thread.start()

    def _reader(self, name: str, pipe: IO[bytes], at: int) -> Reader:
        as_json = self._as_json and at == 1
        lines = Lines(self._limits.process_line_bytes_max)
        return Reader(pipe, lines, self._outputs[at], lambda line: prefixed(name, line, as_json))

    def _ask(self, number: int) -> None:
        # One that could not be started has none.
        lifeline = self._lifelines.get(number)
        if lifeline is None:
            return
        try:
            os.write(lifeline, b"\n")
        except BrokenPipeError:
            # It has ended; that is told soon.
            return

    def _forget(self, number: int) -> None:
        self._processes.pop(number, None)
        lifeline = self._lifelines.pop(number, None)
        if lifeline is not None:
            os.close(lifeline)


def _words_of(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    return f"by {signal.Signals(-code).name}"
