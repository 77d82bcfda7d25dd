"""A client of HTTP/2 made of the h2 library and a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from tests.http.objects.served import Site


class Got:
    """What came on one stream."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.reset: int | None = None
        self.informed: list[int] = []


class H2Client:
    """One connection; streams are opened by `ask` and read by `answer`.

    ``reads`` says whether what comes is acknowledged, so that more may come.
    """

    def __init__(self, connection: socket.socket, *, reads: bool = True) -> None:
        self.socket = connection
        self.reads = reads
        config = H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )  # fmt: skip
        self.h2 = H2Connection(config)
        self.streams: dict[int, Got] = {}
        self.farewell: ConnectionTerminated | None = None
        self.closed = False
        self.windows = 0
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Write what is due."""
        self.socket.sendall(self.h2.data_to_send())

    def ask(
        self,
        path: str = "/",
        *fields: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        end: bool = True,
        authority: str = "localhost",
    ) -> int:
        """Send a request; with ``end`` False its body is yet to come."""
        number = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", authority)]
        head = [*pseudo, (":path", path), *fields]
        self.send_head(number, head, end=end and body is None)
        if body is not None:
            self.send(number, body, end=end)
        return number

    def send_head(self, number: int, head: list[tuple[str, str]], *, end: bool = True) -> None:
        """Send a head as it is."""
        self.streams[number] = Got()
        self.h2.send_headers(number, head, end_stream=end)
        self.flush()

    def send(self, number: int, data: bytes, *, end: bool = True) -> None:
        """Send a body as the server takes it."""
        while data:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if not room:
                self.read()
                continue
            self.h2.send_data(number, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.h2.end_stream(number)
            self.flush()

    def read(self) -> bool:
        """Take what comes next; False at the end."""
        data = self.socket.recv(65536)
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, ConnectionTerminated):
                self.farewell = event
            elif isinstance(event, WindowUpdated):
                self.windows += 1
            elif isinstance(event, InformationalResponseReceived):
                status = dict(event.headers)[":status"]  # type: ignore[arg-type]
                self.streams[event.stream_id].informed.append(int(status))
            elif isinstance(event, ResponseReceived):
                got = self.streams[event.stream_id]
                got.fields = dict(event.headers)  # type: ignore[arg-type]
                got.status = int(got.fields.pop(":status"))
            elif isinstance(event, DataReceived):
                self.streams[event.stream_id].body += event.data
                if self.reads:
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
            elif isinstance(event, TrailersReceived):
                self.streams[event.stream_id].trailers = dict(event.headers)  # type: ignore[arg-type]
            elif isinstance(event, StreamEnded):
                self.streams[event.stream_id].ended = True
            elif isinstance(event, StreamReset):
                self.streams[event.stream_id].reset = int(event.error_code)
        self.flush()
        return True

    def answer(self, number: int) -> Got:
        """The answer of a stream when it is whole, or was broken off."""
        got = self.streams[number]
        while not got.ended and got.reset is None and self.read():
            pass
        return got

    def get(self, path: str, *fields: tuple[str, str], **options: str) -> Got:
        """The answer to a GET."""
        return self.answer(self.ask(path, *fields, **options))  # type: ignore[arg-type]

    def leave(self) -> int:
        """Read until the server closes; return the code of its farewell, -1 without one."""
        while not self.closed and self.read():
            pass
        return -1 if self.farewell is None else int(self.farewell.error_code or 0)


@contextmanager
def h2_client(site: Site, *, reads: bool = True) -> Iterator[H2Client]:
    """A client of a site that speaks HTTP/2 without TLS."""
    with site.connect() as connection:
        yield H2Client(connection, reads=reads)
