"""What a front end says in HTTP: whether a server is well, and that a client has none."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import vista

ANSWER_SECONDS = 3.0
"""How long a server may take to say that it is well; one that is stopped says nothing at all."""

ANSWER_BYTES_MAX = 4_096
"""Bytes of that answer that are read: the first line says it all."""

_UNAVAILABLE = b"No server is there at the moment. Try again in a few seconds.\n"
_GONE = (
    b"The server went away while it worked on this. Reload the page, which sends it again: a form "
    b"that has been carried out already is not carried out twice by pages that number their forms."
    b"\n"
)


def _page(status: bytes, text: bytes) -> bytes:
    fields = (
        b"HTTP/1.1 " + status, b"Content-Type: text/plain; charset=utf-8", b"Retry-After: 5",
        b"Cache-Control: no-store", b"Connection: close",
        b"Content-Length: " + str(len(text)).encode(),
    )  # fmt: skip
    return b"\r\n".join(fields) + b"\r\n\r\n" + text


UNAVAILABLE_PAGE = _page(b"503 Service Unavailable", _UNAVAILABLE)
GONE_PAGE = _page(b"502 Bad Gateway", _GONE)


async def ask_server(address: str, page: str) -> None:
    """Ask a server whether it is well. Raises OSError that says what is wrong, and TimeoutError."""
    kind, place = read_address(address)
    async with asyncio.timeout(ANSWER_SECONDS):
        if kind == "unix":
            reader, writer = await asyncio.open_unix_connection(place, limit=ANSWER_BYTES_MAX)
        else:
            reader, writer = await asyncio.open_connection(*place, limit=ANSWER_BYTES_MAX)
        try:
            if page:
                request = f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                words = (await _first_line(reader)).decode("latin-1").split(" ")
                if words[1:2] != ["200"]:
                    said = " ".join(words[1:3]) or "nothing that is HTTP"
                    raise ConnectionError(f"answers {page} with {said[:40]}")
        finally:
            writer.transport.abort()


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    """The first line of an answer, however it was cut on its way; whoever waits has a bound."""
    said = b""
    while b"\n" not in said and len(said) < ANSWER_BYTES_MAX:
        piece = await reader.read(ANSWER_BYTES_MAX - len(said))
        if not piece:
            break
        said += piece
    return said.partition(b"\n")[0].rstrip(b"\r")


def reason_of(error: OSError) -> str:
    """Return what the system says went wrong."""
    # Not strerror: what loops write there differs from loop to loop.
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


def read_address(address: str) -> tuple[str, Any]:
    """Return kind and place of an address: ``tcp`` with host and port, or ``unix`` with a path.

    Raises `vista.BadValueError`.
    """
    kind, _, place = address.partition(":")
    if kind == "unix" and place:
        return kind, place
    host, colon, port = place.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 65_536
    if kind != "tcp" or not _is_host(host) or not colon or number > 65_535:
        raise vista.BadValueError(
            f"an address of a front end is tcp:HOST:PORT or unix:PATH, not {address!r}"
        )
    bracketed = host.startswith("[") and host.endswith("]")
    return kind, (host[1:-1] if bracketed else host, number)


def _is_host(host: str) -> bool:
    """Tell whether the system can be asked for a host: for other words it raises anything."""
    try:
        return host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        return False
