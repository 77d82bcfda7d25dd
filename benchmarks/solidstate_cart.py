"""The replicated object that is measured, and the users who call it."""

from __future__ import annotations

import time

import vista
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from vista import Object, Ref

CHUNK_BYTES = 1_000
"""Bytes of one piece of the state."""


class MeasuredCart(ReplicatedObject, namespace="Benchmarks"):
    """A cart with room for more: ``create()`` makes an empty one."""

    def create(self) -> None:
        """Begin with nothing."""
        self.items: dict[str, int] = {}
        self.stock: list[bytes] = []
        self.calls = 0

    def echo(self, payload: bytes) -> bytes:
        """Count the call, and return what was given."""
        self.calls += 1
        return payload

    @read_only
    def peek(self, payload: bytes) -> bytes:
        """Return what was given, and change nothing."""
        return payload

    def add(self, name: str, count: int = 1) -> int:
        """Put something into the cart and return how many of it are there."""
        if count < 1:
            raise ValueError(f"one can add 1 piece or more, not {count}")
        self.items[name] = self.items.get(name, 0) + count
        return self.items[name]

    def fill(self, chunks: int) -> int:
        """Make the state larger; return the number of its pieces."""
        for _ in range(chunks):
            self.stock.append(len(self.stock).to_bytes(4, "big") * (CHUNK_BYTES // 4))
        return len(self.stock)


class CartUser(Object, namespace="Benchmarks"):
    """Somebody who calls a cart again as soon as it has answered."""

    def create(self, cart: Ref) -> None:
        """Be idle."""
        self.cart = cart
        self.took: list[float] = []
        self.wrong = 0

    def work(self, requests: int, payload: int, asks: str) -> None:
        """Call the method ``asks`` so often with so many bytes, and keep the seconds of each."""
        given = bytes(payload)
        self.took = []
        ask = getattr(self.cart, asks)
        for _ in range(requests):
            began = time.perf_counter()
            self.wrong += ask(given) != given
            self.took.append(time.perf_counter() - began)

    def figures(self) -> tuple[list[float], int]:
        """Return the seconds of each request, and how many answers were wrong."""
        return self.took, self.wrong


class Crowd(Object, namespace="Benchmarks"):
    """The users of one node."""

    def create(self, cart: Ref) -> None:
        """Begin without users."""
        self.cart = cart
        self.users: list[Ref] = []

    def work(self, users: int, requests: int, payload: int, asks: str) -> dict[str, object]:
        """Have so many users make ``requests`` together; return when, and what they took."""
        while len(self.users) < users:
            self.users.append(vista.create(CartUser, self.cart))
        busy = self.users[:users]
        shares = [requests // users + (number < requests % users) for number in range(users)]
        began = time.monotonic()
        with vista.timeout(600):
            vista.gather(
                *[
                    vista.future(user, "work", share, payload, asks)
                    for user, share in zip(busy, shares, strict=True)
                ]
            )
        ended = time.monotonic()
        told = [user.figures() for user in busy]
        took = sorted(one for seconds, _ in told for one in seconds)
        wrong = sum(wrong for _, wrong in told)
        return {"began": began, "ended": ended, "took": took, "wrong": wrong}
