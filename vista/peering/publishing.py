"""Which services of a node its peers hear of, and how they hear that it stops.

A node that stops withdraws all of its names first, and then sends each node that may call it a
fence. When that is answered, what the other node sent before it had heard has come. So who calls by
a name finds either the node, which still answers, or another provider.
"""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from vista.errors import LocalProtocolError
from vista.kernel.kernel import CREATOR
from vista.kernel.services import SHARED
from vista.peering import announcements as services

if TYPE_CHECKING:
    from vista.kernel.futures import Future
    from vista.kernel.table import Record
    from vista.peering.peering import Peering

OF_ONE_NODE: Final = frozenset(
    {"AutomaticClassLoader", "ExecProcess", "PeerRegistry", "ShutdownService", "Statistics"}
)
"""Services that are about their own node: announced only when a pattern asks for them."""

_log = logging.getLogger("vista.peering")


class Publishing:
    """The services of one node that are announced."""

    def __init__(self, peering: Peering) -> None:
        self._peering = peering
        self._kernel = peering.kernel
        self._patterns: tuple[str, ...] | None = None
        self._is_over = False

    def on_service(self, name: str, record: Record | None) -> None:
        """Tell the peers of a service of this node, if services are announced."""
        if not self._is_announced(name):
            return
        if record is None:
            self._peering.announce(services.Withdraw(name))
            return
        try:
            self._peering.announce(services.Publish(name, record.id))
        except LocalProtocolError as error:
            # The object serves here all the same: one that has just come, or was restored, cannot
            # be without its name.
            _log.error("service %r of this node is not announced to others: %s", name, error)

    def _is_announced(self, name: str) -> bool:
        patterns = self._patterns
        if self._is_over:
            return False
        if patterns is None or name == CREATOR:
            return name.startswith(SHARED)
        if not patterns:
            return name not in OF_ONE_NODE
        return any(fnmatchcase(name, pattern) for pattern in (*patterns, f"{SHARED}*"))

    def publish(self, patterns: tuple[str, ...] | None) -> None:
        """Announce the services of this node that match a pattern, all of them without any.

        With None only those are that peers hear of in any case: their names begin with `SHARED`.
        """
        self._withdraw_all()
        self._patterns = patterns
        for name, ref in self._kernel.services.items():
            self.on_service(name, ref._record)

    def _withdraw_all(self) -> None:
        for name, _ in self._kernel.services.items():
            self.on_service(name, None)

    def retire(self) -> list[Future]:
        """Announce no service from now on; return what ends when each node has heard that.

        What a node sent before it heard has come by then. Only those are waited for that may call.
        """
        self._withdraw_all()
        self._is_over = True
        peering = self._peering
        links = [(node, peering.link_to(node)) for node in peering.nodes()]
        return [
            peering.ways.ask_heard(node, link)
            for node, link in links
            if link is not None and link.grant is not None and "call" in link.grant.rights
        ]
