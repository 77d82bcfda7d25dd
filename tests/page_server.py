"""A server of pages for a browser on this machine, which speaks HTTP by the standard library."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

END_SECONDS_MAX = 30


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep still about browsers that go away in the middle of an answer."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], stand: object) -> Iterator[str]:
    """The address of a server that is open until the block ends: ``http://127.0.0.1:PORT``.

    Each request is answered by a handler that has the attribute ``stand``.
    """
    bound = type("Handler", (handler,), {"stand": stand})
    with _Server(("127.0.0.1", 0), bound) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(END_SECONDS_MAX)
