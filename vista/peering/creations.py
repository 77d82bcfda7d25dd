"""Objects that other nodes ask for, so that one is made however often it is asked for.

A node that lost the answer cannot tell whether the object was made. It asks again with the same
token, and gets the one that there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vista.errors import ThreadKilled
from vista.kernel.futures import Future

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.refs import Ref


class Creations:
    """What was asked for with a token at one node, the last ``limits.moves_remembered_max``."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._made: dict[bytes, Future] = {}

    def make_once(self, token: bytes, make: Callable[[], Ref]) -> Ref:
        """Return what ``make()`` made for a token, and still is there, or make it.

        Waits for one that is being made. Raises what ``make`` does, after which nothing was made.
        """
        while (known := self._made.get(token)) is not None:
            try:
                made: Ref = known.result()
            except ThreadKilled:
                # Whoever asked for it gave up, and nothing of the object is left.
                continue
            if self._is_there(made):
                return made
            self._made.pop(token, None)
        return self._make(token, make)

    def _make(self, token: bytes, make: Callable[[], Ref]) -> Ref:
        while len(self._made) >= self._kernel.limits.moves_remembered_max:
            del self._made[next(iter(self._made))]
        making = self._made[token] = Future(self._kernel, None, "create")
        try:
            made = make()
        except BaseException as error:
            self._made.pop(token, None)
            making.fail(error if isinstance(error, Exception) else ThreadKilled("it was cancelled"))
            raise
        making.resolve(made)
        return made

    def _is_there(self, ref: Ref) -> bool:
        elsewhere = self._kernel.elsewhere
        has_moved = elsewhere is not None and elsewhere.has_moved(ref._id)
        return ref._id in self._kernel.table.records or has_moved
