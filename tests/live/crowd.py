"""A process that opens connections, says nothing on them and waits until the other end ends them.

``python crowd.py HOST PORT NUMBER`` prints ``open`` when all are open and ``ended`` when none is.
"""

from __future__ import annotations

import resource
import select
import socket
import sys


def hang_on(host: str, port: int, number: int) -> None:
    """Open connections and wait for their end."""
    ended = select.poll()
    made = [socket.create_connection((host, port)) for _ in range(number)]
    print("open", flush=True)
    left = {one.fileno() for one in made}
    for descriptor in left:
        ended.register(descriptor, select.POLLRDHUP)
    while left:
        for descriptor, _ in ended.poll():
            ended.unregister(descriptor)
            left.discard(descriptor)
    print("ended", flush=True)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hang_on(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
