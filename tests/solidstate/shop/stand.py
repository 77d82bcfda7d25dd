"""A stand of the shop for browsers: the pages and forms of one cart, without a group behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from apps.solidstate.shop.server import STATIC
from apps.solidstate.web.pages import SECURITY
from tests.page_server import serving
from tests.solidstate.shop.customers import Customer

_TYPES = {"css": "text/css", "svg": "image/svg+xml"}


class Stand:
    """Where the stand is, and what was sent to it."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.root = ""
        self.sent: list[dict[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    stand: Stand

    def log_message(self, format: str, *args: object) -> None:
        """Keep still."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        name = url.path.rpartition("/")[2]
        if url.path.startswith("/shop/"):
            self._send((Path(STATIC) / name).read_bytes(), _TYPES[name.rpartition(".")[2]])
            return
        query = dict(parse_qsl(url.query))
        page = query.pop("page", "index.html")
        self._send(self.stand.customer.page(page, **query).encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        fields = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        assert fields.pop("key") == "a-key"
        self.stand.sent.append(fields)
        page, query = self.stand.customer.send(fields)
        self.send_response(303)
        self.send_header("Location", f"/proxy?{urlencode({'page': page, **query})}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        for name, value in (*SECURITY, ("Content-Type", kind), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def standing(customer: Customer) -> Iterator[Stand]:
    """A stand that is open."""
    stand = Stand(customer)
    with serving(_Handler, stand) as root:
        stand.root = f"{root}/proxy"
        yield stand
