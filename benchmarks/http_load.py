"""Load for an HTTP server, and what the process that serves it took for it.

The load is wrk's, with 64 connections that each ask again as soon as they are answered. It shares
the processors with the server. Linux only: processor time and memory are read from ``/proc``.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import NothingMeasuredError, expect

CONNECTIONS = 64
ATTEMPTS_MAX = 9
SECONDS_MAX = 60.0
PIECE_BYTES = 65_536


@dataclass(frozen=True)
class Served:
    """What was served under load: seconds of one request, and processor seconds of the server."""

    seconds: float
    processor: float


def load(process: int, url: str, milliseconds: int, host: str = "") -> Served:
    """Load the server in a process for about so long. Every answer must be a good one.

    ``host`` is what the field Host says, unless it is what the URL does.
    """
    for attempt in range(ATTEMPTS_MAX):
        before = processor_seconds(process)
        printed = _wrk(url, milliseconds * 2**attempt, host)
        spent = spent_since(process, before)
        requests, seconds = _figures(printed) if printed else (0, 0.0)
        if requests:
            return Served(seconds / requests, spent / requests)
        # A busy machine did not get so far in that time: again, with twice as much.
    raise NothingMeasuredError(f"wrk was not served: {printed or 'it did not begin in time'}")


def _wrk(url: str, milliseconds: int, host: str) -> str:
    """Return what wrk prints; nothing when it was told to end before it began.

    It counts whole seconds only, and ends well when it is interrupted.
    """
    fields = ["-H", f"Host: {host}"] if host else []
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1h", *fields, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        try:
            printed, _ = wrk.communicate(timeout=milliseconds / 1e3)
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
            printed, _ = wrk.communicate(timeout=SECONDS_MAX)
    return printed if wrk.returncode == 0 else ""


def _figures(printed: str) -> tuple[int, float]:
    """Return the requests and seconds of a line such as ``4711 requests in 1.00s, 3.1MB read``."""
    for word in ("Non-2xx", "Socket errors"):
        if word in printed:
            raise NothingMeasuredError(f"wrk was not served: {printed}")
    [line] = (line for line in printed.splitlines() if " requests in " in line)
    requests, _, _, duration = line.split(",")[0].split()
    factors = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
    unit = duration.lstrip("0123456789.")
    return int(requests), float(duration.removesuffix(unit)) * factors[unit]


def has_wrk() -> bool:
    """Whether there is a wrk to make load with."""
    return shutil.which("wrk") is not None


def processor_seconds(process: int) -> float:
    """Return the processor time of a process so far, in steps of a clock tick: mostly 10 ms."""
    text = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spent_since(process: int, before: float) -> float:
    """Return the processor time since it was ``before``: a tick at least, to be divided by."""
    return max(processor_seconds(process) - before, 1 / os.sysconf("SC_CLK_TCK"))


class Client:
    """One connection of a client that asks, and reads the answer before it asks again."""

    def __init__(self, port: int, seconds_max: float = SECONDS_MAX) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), seconds_max)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> bytes:
        """Return the body of an answer, whose length must be told. Raises for any but a 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n"
        self._socket.sendall(request.encode("ascii"))
        head, body = b"", b""
        while not body and b"\r\n\r\n" not in head:
            head += self._receive()
        head, _, body = head.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        expect(lines[0].split()[1], b"200")
        [size] = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < size:
            body += self._receive()
        return body

    def _receive(self) -> bytes:
        # A server that sends head and body apart would wait 40 ms for a late acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self._socket.recv(PIECE_BYTES)
        if not data:
            raise NothingMeasuredError("the server closed the connection")
        return data

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def get_each(port: int, paths: Iterable[str], size: int) -> None:
    """Get every path once, over one connection; each must have so many bytes."""
    client = Client(port)
    try:
        for path in paths:
            expect(len(client.get(path)), size)
    finally:
        client.close()


def connect_many(port: int, count: int, opened: ExitStack) -> None:
    """Open so many connections that each got an answer; ``opened`` closes them."""
    _allow_descriptors(count + 256)
    for _ in range(count):
        client = Client(port)
        opened.callback(client.close)
        expect(client.get("/"), b"Hello, world!")


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def first_line(process: subprocess.Popen[str], seconds_max: float = SECONDS_MAX) -> str:
    """Return the first line of a process, which is killed when none comes in time."""
    timer = threading.Timer(seconds_max, process.kill)
    timer.start()
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    timer.cancel()
    if not line:
        raise NothingMeasuredError(f"a server did not start: {process.args!r}")
    return line
