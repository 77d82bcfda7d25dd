"""A customer's session in the shop: the cart, the way to the till, and the orders that were made.

All of it is executed by every server of the group, so a page that one of them shows is what the
others would show.
"""

from __future__ import annotations

from typing import Any

from apps.solidstate.objects.replicated import read_only
from apps.solidstate.shop.address import FIELDS, mistakes_of, read_address
from apps.solidstate.shop.goods import FREE_FROM_CENTS, GOODS, price, sending
from apps.solidstate.shop.moments import day_of
from apps.solidstate.web.state import HTTPreplicaStateVariable

COUNT_MAX = 20
"""Pieces of one thing in a cart; who wants more asks for an offer."""

ORDERS_MAX = 50
"""Orders of one session: they are part of its state, and of each of its pages of orders."""

TYPED_CHARACTERS_MAX = 12
"""Characters of a wrong quantity that are shown again."""

BOOK = "orders"
"""The service name of the `OrderBook` that every order is sent to."""

_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBER_LETTERS = 8


class ShopCart(HTTPreplicaStateVariable, namespace="SolidState"):
    """A cart with the pages of the shop.

    rc line: ``RegisterReplicaHTTPclass localhost shop ShopCart templates``; `ShopServer` does that.

    Pages: ``index.html`` the goods, ``cart.html``, ``checkout.html``, ``order.html?number=...``,
    ``orders.html``. Forms: ``add=ID``; ``do=update`` with ``count-ID`` for each; ``remove=ID``;
    ``do=order`` with the fields of an address. An order is there when the answer to its form is;
    the `OrderBook` gets it by the outbox.
    """

    def create(self) -> None:
        """Begin with an empty cart."""
        self.items: dict[str, int] = {}
        self.typed: dict[str, str] = {}
        self.address: dict[str, str] = {}
        self.orders: list[dict[str, Any]] = []

    # --- pages -----------------------------------------------------------------------------

    @read_only
    def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        """Return what a page shows."""
        shown = self._totals()
        if page == "index.html":
            shown |= self._goods(query)
        elif page == "cart.html":
            shown |= self._cart(query)
        elif page == "checkout.html":
            shown |= self._checkout(query)
        elif page == "order.html":
            shown |= self._order(query.get("number", ""), bool(query.get("new")))
        elif page == "orders.html":
            shown["orders"] = [_order_row(one) for one in reversed(self.orders)]
            shown["none"] = not self.orders
        else:
            # A template that others include is a file of the same folder.
            raise ValueError("There is no such page here.")
        return shown

    def _totals(self) -> dict[str, Any]:
        goods = sum(GOODS[id].cents * count for id, count in self.items.items())
        extra = sending(goods)
        missing = FREE_FROM_CENTS - goods
        return {
            "cart_count": sum(self.items.values()),
            "goods_price": price(goods),
            "sending_price": price(extra) if extra else "free",
            "total_price": price(goods + extra),
            "missing_price": price(missing) if goods and missing > 0 else "",
        }

    def _goods(self, query: dict[str, str]) -> dict[str, Any]:
        added = GOODS.get(query.get("added", ""))
        rows = [
            {
                "id": one.id, "name": one.name, "words": one.words, "picture": one.picture,
                "price": price(one.cents), "count": self.items.get(one.id, 0),
            }
            for one in GOODS.values()
        ]  # fmt: skip
        full = bool(query.get("full"))
        return {
            "goods": rows,
            "added": added.name if added and not full else "",
            "full": f"A cart takes {COUNT_MAX} of {added.name} at most." if added and full else "",
        }

    def _cart(self, query: dict[str, str]) -> dict[str, Any]:
        typed = self.typed if query.get("check") else {}
        removed = GOODS.get(query.get("removed", ""))
        rows = []
        for id, count in self.items.items():
            wrong = f"A whole number from 0 to {COUNT_MAX}, please." if id in typed else ""
            rows.append(
                {
                    "id": id, "name": GOODS[id].name, "picture": GOODS[id].picture,
                    "price": price(GOODS[id].cents), "count": typed.get(id, str(count)),
                    "sum": price(GOODS[id].cents * count), "wrong": wrong,
                }
            )  # fmt: skip
        return {
            "lines": rows,
            "empty": not rows,
            "removed": removed.name if removed else "",
            "updated": bool(query.get("updated")),
            "most": COUNT_MAX,
            "wrong": any(id in self.items for id in typed),
        }

    def _checkout(self, query: dict[str, str]) -> dict[str, Any]:
        mistakes = mistakes_of(self.address) if query.get("check") else {}
        fields = [
            {
                "id": one.id, "label": one.label, "autocomplete": one.autocomplete,
                "kind": "email" if one.id == "email" else "text",
                "value": self.address.get(one.id, ""), "wrong": mistakes.get(one.id, ""),
            }
            for one in FIELDS
        ]  # fmt: skip
        return {
            "fields": fields,
            "mistakes": [{"id": id, "words": words} for id, words in mistakes.items()],
            "wrong": bool(mistakes),
            "bought": [_line(id, count) for id, count in self.items.items()],
            "empty": not self.items,
        }

    def _order(self, number: str, new: bool) -> dict[str, Any]:
        for order in self.orders:
            if order["number"] == number:
                at = order["address"]
                where = (at["name"], at["street"], f"{at['postcode']} {at['town']}", at["email"])
                return {
                    **_order_row(order), "new": new, "address": [{"text": text} for text in where],
                    "bought": [_line(id, count) for id, count in order["items"].items()],
                    "order_goods": price(order["goods"]),
                    "order_sending": price(order["sending"]) if order["sending"] else "free",
                    "email": at["email"],
                }  # fmt: skip
        raise ValueError("There is no order of that number here.")

    # --- forms -----------------------------------------------------------------------------

    def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
        """Do what a form asks for."""
        if "add" in fields:
            return self._add(fields["add"])
        if "remove" in fields:
            return self._remove(fields["remove"])
        if fields.get("do") == "update":
            return self._update(fields)
        if fields.get("do") == "order":
            return self._submit(fields)
        raise ValueError("The form says nothing that can be done here.")

    def _add(self, id: str) -> dict[str, Any]:
        if id not in GOODS:
            raise ValueError("We do not have that.")
        if self.items.get(id, 0) >= COUNT_MAX:
            return {"page": "index.html", "query": {"added": id, "full": 1}}
        self.items[id] = self.items.get(id, 0) + 1
        return {"page": "index.html", "query": {"added": id}}

    def _remove(self, id: str) -> dict[str, Any]:
        self.typed.pop(id, None)
        if self.items.pop(id, None) is None:
            return {"page": "cart.html"}
        return {"page": "cart.html", "query": {"removed": id}}

    def _update(self, fields: dict[str, str]) -> dict[str, Any]:
        self.typed = {}
        for id in list(self.items):
            text = fields.get(f"count-{id}", str(self.items[id])).strip()
            right = text.isascii() and text.isdecimal() and len(text) <= TYPED_CHARACTERS_MAX
            if not right or int(text) > COUNT_MAX:
                self.typed[id] = text[:TYPED_CHARACTERS_MAX]
            elif int(text) == 0:
                del self.items[id]
            else:
                self.items[id] = int(text)
        return {"page": "cart.html", "query": {"check": 1} if self.typed else {"updated": 1}}

    def _submit(self, fields: dict[str, str]) -> dict[str, Any]:
        """Make an order of the cart, which is empty then."""
        self.address = read_address(fields)
        if not self.items:
            return {"page": "cart.html"}
        if mistakes_of(self.address):
            return {"page": "checkout.html", "query": {"check": 1}}
        if len(self.orders) >= ORDERS_MAX:
            raise ValueError(f"You have made {ORDERS_MAX} orders. Begin a new session for more.")
        goods = sum(GOODS[id].cents * count for id, count in self.items.items())
        order = {
            "number": self._draw_number(),
            "at": self.agreed_time,
            "items": self.items,
            "goods": goods,
            "sending": sending(goods),
            "address": self.address,
        }
        self.orders.append(order)
        self.outbox.post(BOOK, "place", order)
        self.items, self.typed = {}, {}
        return {"page": "order.html", "query": {"number": str(order["number"]), "new": 1}}

    def _draw_number(self) -> str:
        dice = self.agreed_random
        letters = "".join(dice.choice(_LETTERS) for _ in range(_NUMBER_LETTERS))
        return f"{letters[:4]}-{letters[4:]}"


def _line(id: str, count: int) -> dict[str, Any]:
    good = GOODS[id]
    return {"id": id, "name": good.name, "count": count, "sum": price(good.cents * count)}


def _order_row(order: dict[str, Any]) -> dict[str, Any]:
    pieces = sum(order["items"].values())
    return {
        "number": order["number"],
        "day": day_of(order["at"]),
        "pieces": f"{pieces} piece" if pieces == 1 else f"{pieces} pieces",
        "order_total": price(order["goods"] + order["sending"]),
    }
