"""The sites of vista that are measured: ``python -m benchmarks.http_served``, a process each.

Reads a line of JSON with what to serve, prints the port, and then answers each line with the bytes
it has resident, until its input ends.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vista
from benchmarks.children import resident_bytes
from benchmarks.http_page import HelloPage
from benchmarks.pair import CALM, link_with
from vista import Node

LOGGED = "logged.example"
"""The host whose requests are logged."""


@dataclass(frozen=True)
class Site:
    """What to serve: a directory, on uvloop or not, and pages of the node at a URL.

    ``key`` is the secret key of both nodes, in hexadecimal.
    """

    tree: str
    on_uvloop: bool
    far_url: str = ""
    key: str = ""


def serve(site: Site) -> int:
    """Serve the directory, a page of an object at ``/``, and its far one; return the port."""
    profile = Path(site.tree).parent / "benchmark.profile"
    # Nobody asks anything of idle connections while others are opened.
    profile.write_text("keep_alive_seconds 600\n", "utf-8")
    daemon = vista.create("HTTPdaemon", str(profile), "tcp:127.0.0.1:0", "localhost")
    address: str = daemon.get_address()
    vista.create("URLfileLoader", "localhost", "HTTPcachedFile", "/", None, site.tree)
    pages = vista.service("URLdirectory:localhost")
    pages.register_object("/", vista.create(HelloPage))
    vista.create("HTTPcommonLogFormat", str(profile.with_suffix(".log")), LOGGED)
    vista.create("HTTPdaemon", "-", address, LOGGED, True)
    vista.service(f"URLdirectory:{LOGGED}").register_object("/", vista.create(HelloPage))
    if site.far_url:
        pages.register_object("/far", vista.create(HelloPage, at=link_with(site.far_url)))
    return int(address.rpartition(":")[2])


def _main() -> None:
    logging.disable(logging.WARNING)
    site = Site(**json.loads(sys.stdin.readline()))
    if not site.on_uvloop:
        # A node takes it wherever it is installed.
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    settings: dict[str, Any] = {"secret_key": bytes.fromhex(site.key)} if site.key else {}
    with Node("http", limits=CALM, settings=settings) as node:
        print(node.call(serve, site), flush=True)
        for _ in sys.stdin:
            print(resident_bytes(), flush=True)


if __name__ == "__main__":
    _main()
