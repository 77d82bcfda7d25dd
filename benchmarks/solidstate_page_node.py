"""One process of the shop that is measured: ``python -m benchmarks.solidstate_page_node ...``.

As `benchmarks.solidstate_node`, with the shop of `apps.solidstate.shop` in the place of a cart. The
member that serves has it twice: with carts that the group keeps, and with carts of its own.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import vista
from apps.solidstate.shop.server import SITE, TEMPLATES
from apps.solidstate.web.session import HTTPreplicaClientProxy
from benchmarks.solidstate_node import POOL, Part, main

PROVEN_PAGE, ALONE_PAGE = "/transactions", "/alone"


class AloneClientProxy(HTTPreplicaClientProxy, namespace="Benchmarks"):
    """Makes the same pages of a cart that is an ordinary object of the node."""

    def create(self, *args: Any) -> None:
        """Have a cart."""
        self._cart = vista.create("ShopCart")
        super().create(*args)

    def _ask(
        self, method: str, args: tuple[Any, ...], key: str | None = None
    ) -> tuple[Any, BaseException | None]:
        asked = vista.future(self._cart, method, *args)
        error = asked.exception()
        return (None, error) if error is not None else (asked.result(), None)


class PagePart(Part):
    """What a process does when it is told to."""

    deeds = ("meet", "batches", "serve")

    def serve(self) -> int:
        """Found a group that keeps carts, and serve the shop; return the port."""
        made = vista.create("CreateReplicasOnServers")
        made.initialize(POOL, 1, "ShopCart", "sessions/pattern")
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", SITE)
        vista.create("RegisterReplicaHTTPclass", SITE, SITE, "ShopCart", TEMPLATES)
        vista.create("CreateReplicaHTTPsession", SITE, "", POOL, PROVEN_PAGE, 0.0)
        alone = ("AloneClientProxy", POOL, ALONE_PAGE, 0.0)
        vista.create("CreateReplicaHTTPsession", SITE, *alone)
        address: str = daemon.get_address()
        return int(address.rpartition(":")[2])


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(PagePart(), sys.argv[1], sys.argv[2], sys.argv[3:])
