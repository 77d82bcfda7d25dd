"""The classes of rc/solidstate-cart.rc: a cart for the prompt, and machines that can be broken.

Nothing in Cart says that it is replicated but the class it inherits from.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.server import ReplicaServer
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import Reply

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


class ReplicaServerThatMayLie(ReplicaServer):
    """A replica with a switch: while it is on, every answer to a client is made up."""

    lies = False

    def lie(self, on: bool) -> None:
        """Begin to lie, or be honest again."""
        self.lies = on

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        super()._post(to, [self._bend(one) for one in messages] if self.lies else messages)

    def _bend(self, message: bytes) -> bytes:
        read = decode(message)
        if not isinstance(read, Reply):
            return message
        result = b"made up"
        return encode(replace(read, result_digest=digest_of(result), result=result))


class PoolMemberThatMayFail(ReplicaPoolMember):
    """A machine of the demonstration, which fails when it is told to.

    ``create(pool, directory="solidstate-data")`` as of ReplicaPoolMember.
    """

    server_class = ReplicaServerThatMayLie
    lies = False

    def fail(self, how: str) -> None:
        """``kill`` or ``stop`` this process, make its replicas ``lie``, or be ``well`` again."""
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif how in ("lie", "well"):
            self.lies = how == "lie"
            for server in self._servers.values():
                server.lie(self.lies)
        else:
            raise ValueError(f"a machine can kill, stop, lie or be well, and not {how}")

    def wake(self, pid: int) -> None:
        """Have a process of this machine that was stopped go on."""
        if pid > 1:
            os.kill(pid, signal.SIGCONT)

    def get_status(self) -> dict[str, Any]:
        """Tell besides which process this is, and whether it was told to lie."""
        return {**super().get_status(), "pid": os.getpid(), "lies": self.lies}
