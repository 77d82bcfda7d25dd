"""Copies that came while a store of this node was closed, which may have objects of their Ids.

With the store open they would have been refused, so they give way to what it has when it is opened.
No original is lost with one: a copy is made beside the object that it is of. That cannot be said of
what moves here, which stays.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from vista.kernel.deletion import remove
from vista.kernel.table import DEPARTING

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.table import Record

_log = logging.getLogger("vista.peering")


class EarlyCopies:
    """Remembers the copies that came early; ``places`` says of each where its original is thought.

    There are ``limits.moves_remembered_max`` at most. Those beyond that stay, and the object in the
    store with them where it is.
    """

    def __init__(self, kernel: Kernel, places: dict[bytes, bytes]) -> None:
        self._kernel = kernel
        self._places = places
        self._records: dict[bytes, Record] = {}

    def note(self, record: Record) -> None:
        """Remember a copy, if there is a store that is closed."""
        if not self._kernel.pagers.closed_stores():
            return
        self._records.pop(record.key, None)
        if len(self._records) >= self._kernel.limits.moves_remembered_max:
            del self._records[next(iter(self._records))]
        self._records[record.key] = record

    def withdraw(self, ids: Collection[bytes], store: str) -> None:
        """Delete the copies whose Ids are among those of a store that is being opened."""
        for key in [key for key in self._records if key in ids]:
            record = self._records[key]
            if self._kernel.table.records.get(key) is record and record.state is not DEPARTING:
                _log.warning("%s is a copy, and gives way to the object in %s", record, store)
                remove(self._kernel, record)
                # What is sent here is for the object in the store from here on.
                self._places.pop(key, None)
        if set(self._kernel.pagers.closed_stores()) <= {store}:
            self._records.clear()
