"""The class of rc/solidstate-cart.rc: a shopping cart that survives the loss of any one server.

Nothing in it says that it is replicated but the class it inherits from.
"""

from __future__ import annotations

from apps.solidstate.objects.replicated import ReplicatedObject, read_only

ITEMS_MAX = 100
COUNT_MAX = 1_000


class Cart(ReplicatedObject):
    """What somebody wants to buy, and the orders that were made of it.

    ``create()`` makes an empty one.
    """

    def create(self) -> None:
        """Begin with nothing."""
        self.items: dict[str, int] = {}
        self.orders: list[dict[str, object]] = []

    def add(self, name: str, count: int = 1) -> int:
        """Put something into the cart and return how many of it are there."""
        if not 1 <= count <= COUNT_MAX:
            raise ValueError(f"one can add 1 to {COUNT_MAX} pieces, not {count}")
        if name not in self.items and len(self.items) == ITEMS_MAX:
            raise ValueError(f"a cart has room for {ITEMS_MAX} kinds of things")
        self.items[name] = self.items.get(name, 0) + count
        return self.items[name]

    def remove(self, name: str) -> None:
        """Take all of a thing out of the cart."""
        if name not in self.items:
            raise KeyError(name)
        del self.items[name]

    @read_only
    def list_items(self) -> dict[str, int]:
        """Return what is in the cart."""
        return self.items

    def submit(self) -> int:
        """Order what is in the cart, which is empty then; return the number of the order."""
        if not self.items:
            raise ValueError("the cart is empty")
        number = len(self.orders) + 1
        self.orders.append({"number": number, "at": self.agreed_time, "items": self.items})
        self.items = {}
        return number

    @read_only
    def list_orders(self) -> list[dict[str, object]]:
        """Return the orders, the first one first."""
        return self.orders
