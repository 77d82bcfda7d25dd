"""The orders of all customers, for those who pack the parcels."""

from __future__ import annotations

from typing import Any

import vista
from apps.solidstate.objects.replicated import ReplicatedObject, read_only

BOOK_ORDERS_MAX = 10_000
"""Orders in the book, about 600 bytes each. When it is full carts keep theirs and send them again,
until some were taken out."""

LISTED_MAX = 100
"""Orders that are listed at once: a result has room for four times as many."""


class OrderBook(ReplicatedObject, namespace="SolidState"):
    """The orders that were made in the shop and not sent yet.

    rc line: ``CreateReplicasOnServers carts 1 OrderBook orders``

    ``create()`` makes an empty one. The carts of the group send their orders to the service
    ``orders``, at least once; each is there once.
    """

    def create(self) -> None:
        """Begin with no order."""
        self.waiting: dict[str, dict[str, Any]] = {}  # by the outbox's key
        self.gone: dict[str, None] = {}  # the keys of those that were sent

    def place(self, order: dict[str, Any], key: str) -> bool:
        """Take an order; return whether it is a further one. ``key`` is the outbox's.

        It alone tells whether the order is there already: carts draw the numbers by dice, and two
        of them may draw one. Raises `vista.Overloaded` when the book is full: then it is sent
        again; and `vista.BadValueError` for what is no order of a cart, which would stay for ever.
        """
        if not isinstance(order, dict) or type(order.get("number")) is not str:
            raise vista.BadValueError("an order is a dict with the text of its number")
        if key in self.waiting or key in self.gone:
            return False
        if len(self.waiting) >= BOOK_ORDERS_MAX:
            raise vista.Overloaded(f"{BOOK_ORDERS_MAX} orders wait: take out those that were sent")
        self.waiting[key] = order
        return True

    def take_out(self, number: str) -> dict[str, Any]:
        """Take an order out of the book, since it was sent, and return it.

        Of two with one number the older one. Raises KeyError.
        """
        found = (key for key, order in self.waiting.items() if order["number"] == number)
        key = next(found, None)
        if key is None:
            raise KeyError(number)
        order = self.waiting.pop(key)
        self.gone[key] = None
        if len(self.gone) > BOOK_ORDERS_MAX:
            del self.gone[next(iter(self.gone))]
        return order

    @read_only
    def list_orders(self, first: int = 0, count: int = LISTED_MAX) -> list[dict[str, Any]]:
        """Return orders that wait, the oldest first, at most a hundred from place ``first`` on."""
        first = max(0, first)
        return list(self.waiting.values())[first : first + max(0, min(count, LISTED_MAX))]

    @read_only
    def count_orders(self) -> int:
        """Return how many orders wait."""
        return len(self.waiting)
