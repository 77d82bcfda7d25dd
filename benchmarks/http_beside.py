"""The servers beside which HTTP is measured: ``python -m benchmarks.http_beside PROGRAM PORT DIR``.

uvicorn answers from a raw ASGI application with what a page of vista's answers; Python's own
``http.server`` serves a directory.
"""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY = b"Hello, world!"
_HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(BODY)),
    ],
}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with the same small page."""
    await send(_HEAD)
    await send({"type": "http.response.body", "body": BODY})


class Handler(SimpleHTTPRequestHandler):
    """Keeps connections, waits for no acknowledgement and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _main(program: str, port: int, directory: str) -> None:
    if program == "http.server":
        handler = partial(Handler, directory=directory)
        ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()
        return
    import uvicorn

    # program is the loop: asyncio or uvloop.
    loop: Any = program
    uvicorn.run(
        application, host="127.0.0.1", port=port, loop=loop, http="httptools", lifespan="off",
        log_level="critical", access_log=False,
    )  # fmt: skip


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
