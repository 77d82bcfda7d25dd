"""Hand-overs of objects to this node, so that each is carried out once and its outcome is known.

A hand-over is prepared, then committed or not, or both at once; its *token*, which the old home
draws, tells it from others of the same object. Three rules. What was asked about and is not
committed never will be. What was committed is remembered until the old home has said that it knows:
the object itself may be deleted by the time it asks. And until then it does not move on: should
this node fall, nobody could say that it was here, and the old home would let it live there again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vista.errors import BadValueError, Overloaded
from vista.ids import Id

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.timers import Timer

Package = tuple[Any, ...]
"""What an object is made from."""

TOKEN_BYTES_MAX: Final = 64
"""Bytes of a token: it is kept for each move, and drawn by another node. This one's have 17."""


@dataclass(eq=False, slots=True)
class _Prepared:
    token: bytes
    origin: bytes
    package: Package
    timer: Timer


class HandOvers:
    """The hand-overs to one node.

    ``prepared`` are those that may be committed, by object; ``taken`` has object and old home of
    those that were, by token; ``refused`` the tokens of those that never will be. There are
    ``limits.moves_remembered_max`` of each at most.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.prepared: dict[bytes, _Prepared] = {}
        self.taken: dict[bytes, tuple[Id, bytes]] = {}
        self.refused: dict[bytes, None] = {}
        # Of each object that came and whose old home may not know it, the token.
        self._unknown: dict[Id, bytes] = {}
        self._timers = kernel.timers
        self._seconds = kernel.limits.call_seconds
        self._count_max = kernel.limits.moves_remembered_max

    def prepare(self, id: Id, token: bytes, origin: bytes, package: Package) -> None:
        """Keep what an object is to be made from that node ``origin`` hands over.

        For ``limits.call_seconds``: the word that it comes to nothing may be lost. Raises
        `Overloaded` when too many are prepared.
        """
        _check_token(token)
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
        self.take(id, token, found.origin)
        return found.origin, found.package

    def take(self, id: Id, token: bytes, origin: bytes) -> None:
        """Take note that an object lives here from this moment on, which node ``origin`` had.

        Raises `BadValueError` when that node was told that it does not, and for a token that was
        used.
        """
        _check_token(token)
        if token in self.refused:
            raise BadValueError(f"object {id} comes too late: its old home was told that it stays")
        if token in self.taken:
            raise BadValueError(f"object {id} comes with the token of a move that was carried out")
        self._drop(id)
        if len(self.taken) >= self._count_max:
            self._note_known(next(iter(self.taken)))
        self.taken[token] = id, origin
        self._unknown[id] = token

    def took(self, id: Id, token: bytes) -> bool:
        """Return whether a hand-over was committed; if not, it can be no longer."""
        _check_token(token)
        if token in self.taken:
            # Not forgotten by being told: the answer may be lost as well.
            return True
        self.forget(id, token)
        if len(self.refused) >= self._count_max:
            del self.refused[next(iter(self.refused))]
        self.refused[token] = None
        return False

    def unknown_to(self, id: Id) -> tuple[bytes, bytes] | None:
        """Return the old home of an object that may not know that it is here, and the token.

        None when its old home knows.
        """
        token = self._unknown.get(id)
        return None if token is None else (self.taken[token][1], token)

    def of(self, origin: bytes) -> list[tuple[Id, bytes]]:
        """Return object and token of what came from a node that may not know that it did."""
        unknown = self._unknown.items()
        return [(id, token) for id, token in unknown if self.taken[token][1] == origin]

    def release(self, id: Id) -> None:
        """Let an object move on whatever its old home knows, which is told still that it came."""
        self._unknown.pop(id, None)

    def forget(self, id: bytes, token: bytes) -> None:
        """Forget a hand-over: the old home knows how it ended."""
        self._note_known(token)
        if id in self.prepared and self.prepared[id].token == token:
            self._drop(id)

    def forget_node(self, origin: bytes) -> None:
        """Forget what a node prepared that is lost: what it hands over it will hand over again."""
        for id in [id for id, found in self.prepared.items() if found.origin == origin]:
            self._drop(id)

    def _note_known(self, token: bytes) -> None:
        taken = self.taken.pop(token, None)
        if taken is not None and self._unknown.get(taken[0]) == token:
            del self._unknown[taken[0]]

    def _drop(self, id: bytes) -> None:
        found = self.prepared.pop(id, None)
        if found is not None:
            found.timer.cancel()


def _check_token(token: Any) -> None:
    if type(token) is not bytes or len(token) > TOKEN_BYTES_MAX:
        raise BadValueError(f"the token of a move has {TOKEN_BYTES_MAX} bytes at most")
