"""The rows of the HTTP server, beside others of its kind.

Every server is a process to itself; the load comes from another one. Rows of processor time take
it from the same runs as the rows of requests above them.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.http_load import (
    Client,
    Served,
    connect_many,
    first_line,
    get_each,
    has_wrk,
    load,
    processor_seconds,
    spent_since,
)  # fmt: skip
from benchmarks.measure import (
    BYTES,
    MICROSECONDS,
    THOUSANDS_A_SECOND,
    NothingMeasuredError,
    Row,
    Subject,
    Target,
    at_most,
    expect,
    times_faster,
    times_the_time,
)
from vista.peering.curve import make_key_pair

ROOT = Path(__file__).parents[1]
SIZES = {"small.txt": 1024, "large.txt": 100 * 1024}
LOGGED = "logged.example"
WARM_CONNECTIONS = 100
WARMING_MILLISECONDS_MAX = 1_000
LOOKS = 600
PAUSE_SECONDS = 0.05

_NGINX = """\
daemon off; master_process off; worker_processes 1; pid {directory}/nginx.pid;
error_log {directory}/nginx-errors crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    open_file_cache max=1000;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    types {{ text/plain txt; }}
    server {{ listen 127.0.0.1:{port}; root {tree}; }}
}}
"""


class Servers:
    """The servers that were started, each at its first use, and the files they serve."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._running: dict[str, tuple[int, int]] = {}
        self._directory: Path | None = None
        self._trees = 0

    def close(self) -> None:
        """End them all."""
        self._opened.close()

    @property
    def directory(self) -> Path:
        """Where everything is."""
        if self._directory is None:
            made = self._opened.enter_context(tempfile.TemporaryDirectory())
            self._directory = Path(made)
            tree = self._directory / "site"
            tree.mkdir()
            for name, size in SIZES.items():
                (tree / name).write_bytes(b"x" * size)
        return self._directory

    def new_files(self, count: int) -> list[str]:
        """Make so many files of 1 KiB that nobody asked for; return their addresses."""
        self._trees += 1
        tree = self.directory / "site" / f"new{self._trees}"
        tree.mkdir()
        for number in range(count):
            (tree / f"{number}.txt").write_bytes(b"x" * SIZES["small.txt"])
        return [f"/{tree.name}/{number}.txt" for number in range(count)]

    def of(self, name: str) -> tuple[int, int]:
        """Return process and port of a server by its name, one of those in `STARTED`."""
        found = self._running.get(name)
        if found is None:
            process, port = STARTED[name](self, self._opened)
            found = self._running[name] = process.pid, port
        return found


def start_vista(
    servers: Servers, opened: ExitStack, on_uvloop: bool = False, has_peer: bool = False
) -> tuple[subprocess.Popen[str], int]:
    """Start a site; with ``has_peer`` one whose page ``/far`` is an object on another node."""
    site: dict[str, object] = {"tree": str(servers.directory / "site"), "on_uvloop": on_uvloop}
    if has_peer:
        _, secret = make_key_pair()
        command = ["benchmarks.pair", "ipc", str(servers.directory)]
        far = _start([sys.executable, "-m", *command], opened, f"{secret.hex()}\n")
        site |= {"far_url": first_line(far), "key": secret.hex()}
    command = [sys.executable, "-m", "benchmarks.http_served"]
    process = _start(command, opened, json.dumps(site) + "\n")
    return process, int(first_line(process))


def _start_beside(
    servers: Servers, opened: ExitStack, program: str
) -> tuple[subprocess.Popen[str], int]:
    port = _free_port()
    tree = servers.directory / "site"
    if program == "nginx":
        file = servers.directory / "nginx.conf"
        file.write_text(_NGINX.format(directory=servers.directory, port=port, tree=tree), "utf-8")
        command = ["nginx", "-c", str(file)]
    else:
        beside = ["benchmarks.http_beside", program, str(port), str(tree)]
        command = [sys.executable, "-m", *beside]
    process = _start(command, opened, "")
    _await_port(port, process)
    return process, port


STARTED: dict[str, Callable[[Servers, ExitStack], tuple[subprocess.Popen[str], int]]] = {
    "vista on asyncio": start_vista,
    "vista on uvloop": partial(start_vista, on_uvloop=True),
    "vista with a peer": partial(
        start_vista, on_uvloop=importlib.util.find_spec("uvloop") is not None, has_peer=True
    ),
    "uvicorn on asyncio": partial(_start_beside, program="asyncio"),
    "uvicorn on uvloop": partial(_start_beside, program="uvloop"),
    "nginx": partial(_start_beside, program="nginx"),
    "http.server": partial(_start_beside, program="http.server"),
}
"""How each server is started."""


def _start(command: list[str], opened: ExitStack, line: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    opened.callback(_end, process)
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def _await_port(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(LOOKS):
        expect(process.poll(), None)
        try:
            Client(port).close()
        except ConnectionRefusedError:
            time.sleep(PAUSE_SECONDS)
        else:
            return
    raise NothingMeasuredError(f"a server did not start: {process.args!r}")


class Loaded:
    """A page of a server under load: its requests and its processor time, from the same runs."""

    def __init__(self, servers: Servers, name: str, server: str, path: str, host: str = "") -> None:
        self._servers = servers
        self._name = name
        self._server = server
        self._place = path, host
        self._is_warm = False
        self._unread: dict[str, list[float]] = {"seconds": [], "processor": []}

    @property
    def requests(self) -> Subject:
        """The subject that takes the seconds of a request."""
        return Subject(self._name, partial(self._take, "seconds", "processor"))

    @property
    def processor(self) -> Subject:
        """The subject that takes the processor seconds of a request."""
        return Subject(self._name, partial(self._take, "processor", "seconds"))

    def _take(self, figure: str, other: str, milliseconds: int) -> float:
        if self._unread[figure]:
            return self._unread[figure].pop(0)
        found = asdict(self._load(milliseconds))
        self._unread[other].append(found[other])
        taken: float = found[figure]
        return taken

    def _load(self, milliseconds: int) -> Served:
        process, port = self._servers.of(self._server)
        path, host = self._place
        url = f"http://127.0.0.1:{port}{path}"
        if not self._is_warm:
            self._is_warm = True
            load(process, url, min(milliseconds, WARMING_MILLISECONDS_MAX), host)
        return load(process, url, milliseconds, host)


def first_reads(servers: Servers, server: str, count: int) -> float:
    """Get so many files that nobody asked for; return the processor seconds of each."""
    process, port = servers.of(server)
    paths = servers.new_files(count)
    before = processor_seconds(process)
    get_each(port, paths, SIZES["small.txt"])
    return spent_since(process, before) / count


def idle_connections(servers: Servers, count: int) -> float:
    """Open so many connections that had an answer each; return the bytes that one takes."""
    with ExitStack() as opened:
        process, port = start_vista(servers, opened, _has("uvloop"))
        connect_many(port, WARM_CONNECTIONS, opened)
        before = _resident(process)
        connect_many(port, count, opened)
        return (_resident(process) - before) / count


def _resident(process: subprocess.Popen[str]) -> int:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return int(first_line(process))


def left_out() -> list[str]:
    """Return a sentence for each program without which rows are left out."""
    words = []
    if not has_wrk():
        words.append("no wrk (on Debian: apt-get install wrk): HTTP is not measured under load")
    if shutil.which("nginx") is None:
        words.append("no nginx (on Debian: apt-get install nginx): files stand beside nothing")
    if not _has("uvicorn"):
        words.append("no uvicorn (it comes with make bench): pages stand beside nothing")
    return words


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def http_rows(servers: Servers) -> list[Row]:
    """Return the rows that can be measured here."""
    rows = _without_load(servers)
    if has_wrk():
        rows = [*_pages(servers), *_files(servers), *rows]
    return [replace(row, group="http") for row in rows]


def _pages(servers: Servers) -> list[Row]:
    rows = []
    for loop in ("asyncio", *(["uvloop"] if _has("uvloop") else [])):
        page = Loaded(servers, f"vista on {loop}", f"vista on {loop}", "/")
        name = f"uvicorn, raw ASGI, on {loop}"
        beside = Loaded(servers, name, f"uvicorn on {loop}", "/") if _has("uvicorn") else None
        rows += _under_load(f"small page, {loop}", page, beside, times_faster(1.2))
    fast = f"vista on {loop}"
    logged = Loaded(servers, "with a log", fast, "/", LOGGED)
    plain = Loaded(servers, "without a log", fast, "/")
    rows += _under_load("small page with a log", logged, plain, times_faster(0.85))
    far = Loaded(servers, "page", "vista with a peer", "/far")
    near = Loaded(servers, "page of an object here", "vista with a peer", "/")
    rows += _under_load("page of an object on another node", far, near, times_faster(0.25))
    return rows


def _files(servers: Servers) -> list[Row]:
    fast = "vista on uvloop" if _has("uvloop") else "vista on asyncio"
    rows = []
    for name, size in SIZES.items():
        file = Loaded(servers, "kept file", fast, f"/{name}")
        has_nginx = shutil.which("nginx") is not None
        beside = Loaded(servers, "nginx", "nginx", f"/{name}") if has_nginx else None
        rows += _under_load(f"{size // 1024} KiB file", file, beside, times_faster(0.5))
    return rows


def _under_load(name: str, page: Loaded, beside: Loaded | None, target: Target) -> list[Row]:
    """Return the rows of a page, of its requests and of their processor time."""
    requests = Row(
        name, page.requests, None if beside is None else beside.requests,
        targets=() if beside is None else (target,), unit=THOUSANDS_A_SECOND,
        count=3_000, quick=500, least=150, rounds=5,
    )  # fmt: skip
    processor = replace(
        requests, name=f"{name}, processor time", ours=page.processor,
        reference=None if beside is None else beside.processor, targets=(), unit=MICROSECONDS,
    )  # fmt: skip
    return [requests, processor]


def _without_load(servers: Servers) -> list[Row]:
    fast = "vista on uvloop" if _has("uvloop") else "vista on asyncio"
    return [
        Row(
            "first read of a 1 KiB file, processor time",
            Subject("first read", partial(first_reads, servers, fast)),
            Subject("http.server", partial(first_reads, servers, "http.server")),
            # The 70 were set where http.server takes 64.
            targets=(at_most(70, MICROSECONDS), times_the_time(1.09)),
            unit=MICROSECONDS,
            count=5_000,
            quick=1_000,
            least=100,
            rounds=5,
        ),
        Row(
            "idle connection",
            Subject("idle", partial(idle_connections, servers)),
            targets=(at_most(8 * 1024, BYTES),),
            unit=BYTES,
            count=2_000,
            quick=500,
            least=50,
            rounds=3,
        ),
    ]
