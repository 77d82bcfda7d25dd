"""Hand-overs of objects to this node, so that each is carried out once and its outcome is known.

A hand-over is prepared, then committed or not; its *token*, which the old home draws, tells it from
others of the same object. Two rules. What was asked about and is not committed never will be. And
what was committed is remembered until the old home has said that it knows: the object itself may
have moved on or be deleted by the time it asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vista.errors import BadValueError, Overloaded
from vista.ids import Id

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.timers import Timer

Package = tuple[Any, ...]
"""What an object is made from."""


@dataclass(eq=False, slots=True)
class _Prepared:
    token: bytes
    origin: bytes
    package: Package
    timer: Timer


class HandOvers:
    """The hand-overs to one node: ``prepared`` by object, ``taken`` those that were committed.

    There are ``limits.moves_remembered_max`` of either at most.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.prepared: dict[Id, _Prepared] = {}
        self.taken: dict[bytes, None] = {}
        self._timers = kernel.timers
        self._seconds = kernel.limits.call_seconds
        self._count_max = kernel.limits.moves_remembered_max

    def prepare(self, id: Id, token: bytes, origin: bytes, package: Package) -> None:
        """Keep what an object is to be made from that node ``origin`` hands over.

        For ``limits.call_seconds``: the word that it comes to nothing may be lost. Raises
        `Overloaded` when too many are prepared.
        """
        if len(self.prepared) >= self._count_max:
            raise Overloaded(
                f"{len(self.prepared)} objects are about to move here (limit moves_remembered_max)"
            )
        self._drop(id)
        timer = self._timers.call_later(self._seconds, lambda: self.forget(id, token))
        self.prepared[id] = _Prepared(token, origin, package, timer)

    def commit(self, id: Id, token: bytes) -> tuple[bytes, Package]:
        """Return whence an object came that lives here from this moment on, and its package.

        Raises `BadValueError` when it was not prepared.
        """
        found = self.prepared.get(id)
        if found is None or found.token != token:
            raise BadValueError(f"object {id} was not prepared to come here, or too long ago")
        self._drop(id)
        self.taken[token] = None
        if len(self.taken) > self._count_max:
            del self.taken[next(iter(self.taken))]
        return found.origin, found.package

    def took(self, id: Id, token: bytes) -> bool:
        """Return whether a hand-over was committed; if not, it can be no longer."""
        if token in self.taken:
            # Not forgotten by being told: the answer may be lost as well.
            return True
        self.forget(id, token)
        return False

    def forget(self, id: Id, token: bytes) -> None:
        """Forget a hand-over: the old home knows how it ended."""
        self.taken.pop(token, None)
        if id in self.prepared and self.prepared[id].token == token:
            self._drop(id)

    def forget_node(self, origin: bytes) -> None:
        """Forget what a node prepared that is lost: what it hands over it will hand over again."""
        for id in [id for id, found in self.prepared.items() if found.origin == origin]:
            self._drop(id)

    def _drop(self, id: Id) -> None:
        found = self.prepared.pop(id, None)
        if found is not None:
            found.timer.cancel()
