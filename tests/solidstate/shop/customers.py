"""A customer and a cart without a group: what each replica executes, and the pages made of it."""

from __future__ import annotations

from typing import Any

from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.replicated import Execution, executing
from apps.solidstate.shop.book import OrderBook
from apps.solidstate.shop.cart import ShopCart
from apps.solidstate.shop.server import TEMPLATES
from apps.solidstate.web.templates import Templates, with_own

STARTED = 1_700_000_000
ADDRESS = {
    "name": "Anna Berg", "email": "anna@example.org", "street": "Quay 7", "postcode": "24103",
    "town": "Kiel",
}  # fmt: skip
_MAKER = Templates(TEMPLATES)


def run(instance: Any, method: str, *args: Any, entropy: int = 0) -> tuple[Any, list[Any]]:
    """Call a method as a replica does; return its result and what it wants sent."""
    execution = Execution(STARTED * 1_000_000, bytes([entropy]) * 32)
    token = executing.set(execution)
    try:
        return getattr(instance, method)(*args), execution.posted
    finally:
        executing.reset(token)


def make_book() -> Any:
    """An order book."""
    made = find_class(["SolidState", OrderBook.__name__, 0])
    assert made is not None
    book = made.make()
    run(book, "create")
    return book


class Customer:
    """One session: ``posted`` is what the cart wants sent."""

    def __init__(self) -> None:
        kind = find_class(["SolidState", ShopCart.__name__, 0])
        assert kind is not None
        kind.check()
        self.cart: Any = kind.make()
        self.posted: list[Any] = []
        self._forms = 0
        run(self.cart, "create")

    def show(self, page: str, **query: str) -> dict[str, Any]:
        """What a page shows."""
        shown: dict[str, Any] = run(self.cart, "show", page, query)[0]
        return shown

    def send(self, fields: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Send a form; return which page comes next."""
        self._forms += 1
        result, posted = run(self.cart, "process_request", fields, entropy=self._forms)
        self.posted += posted
        return result["page"], {k: str(v) for k, v in result.get("query", {}).items()}

    def go(self, fields: dict[str, str]) -> dict[str, Any]:
        """Send a form, and return what the page that comes next shows."""
        page, query = self.send(fields)
        return self.show(page, **query)

    def page(self, page: str, **query: str) -> str:
        """A page as a browser gets it; a mistake in a template fails the test."""
        own = {"request_key": "a-key", "page_name": page, "session_type": "shop"}
        made = _MAKER.make(page, with_own(self.show(page, **query), own), float(STARTED))
        assert made.problems == ()
        return made.text
