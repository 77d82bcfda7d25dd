"""Knocking: why nobody was reached at an address, which ZeroMQ does not tell.

A connection is opened and closed again at once, without a byte. A listener takes no notice of one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket

_NOBODY = frozenset({errno.ECONNREFUSED, errno.ENOENT})


def knock_at_socket(path: str) -> str:
    """Return in words why nobody is reached at a Unix socket; empty when somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.setblocking(False)
        number = knocking.connect_ex(path)
    # So many may wait to be let in that this one has to.
    return "" if number in (0, errno.EAGAIN) else _words(number, "this socket")


async def knock(host: str, port: int, seconds: float) -> str:
    """Return in words why nobody is reached at an IP address and port; empty when somebody is.

    Nobody answers for ``seconds``: that is told, too.
    """
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"nothing answers at {host} port {port}"
    except OSError as error:
        return _words(error.errno or 0, f"port {port} of {host}")
    writer.close()
    return ""


def _words(number: int, where: str) -> str:
    if number in _NOBODY:
        return f"nobody listens at {where}"
    return f"nobody is reached at {where}: {os.strerror(number)}"
