"""Addresses at which a site listens, and their sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any

import vista

BACKLOG = 1_024
"""Connections that the system keeps until they are accepted."""


def parse_address(address: str) -> tuple[str, socket.AddressFamily, Any]:
    """Return kind, family and place of an address. Raises `BadValueError` for what is none."""
    kind, colon, place = address.partition(":")
    if kind == "unix" and place:
        return kind, socket.AF_UNIX, place
    host, colon, port = place.rpartition(":")
    if kind not in ("tcp", "tls") or not colon or not (port.isascii() and port.isdecimal()):
        raise vista.BadValueError(
            "a site listens at tcp:HOST:PORT, tls:HOST:PORT or unix:PATH, an IPv6 address in "
            f"brackets, not at {address!r}"
        )
    if int(port) > 65_535:
        raise vista.BadValueError(f"{address}: a port is at most 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    family = socket.AF_INET6 if bracketed else socket.AF_INET
    return kind, family, (host[1:-1] if bracketed else host, int(port))


def open_listener(family: socket.AddressFamily, place: Any) -> socket.socket:
    """Return a socket that listens at a place. Raises OSError when that cannot be."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_UNIX:
            _remove_stale(Path(place))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(place)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        words = f"cannot listen at {_words_of(family, place)}: {error.strerror}"
        raise OSError(error.errno, words) from error
    return sock


def _words_of(family: socket.AddressFamily, place: Any) -> str:
    """Return a place as it is written in an address."""
    if family == socket.AF_UNIX:
        return str(place)
    host, port = place
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"


def _remove_stale(path: Path) -> None:
    """Remove the socket that a process left behind; one that still answers stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink()


def name_of(sock: socket.socket, kind: str) -> str:
    """Return the address of a socket that listens, with the port that it was given."""
    name = sock.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{kind}:{host}:{name[1]}"
