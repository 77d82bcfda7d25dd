"""Waiting inside one object for its own affairs: turns, and the end of something.

Both are for threads of one node's loop; neither is a value, so an object keeps them in variables
that begin with an underscore.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from vista.api import wait


class Turns:
    """One thread at a time, first come, first served, also while it waits for something else.

    An object's own exclusion lets the next thread in when one waits; a write that waits for its
    reader must not be mixed with the next write, so writers take turns.
    """

    __slots__ = ("_loop", "_taken", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn for the block. Waits until those who came before have had theirs."""
        self._take()
        try:
            yield
        finally:
            self._give()

    def _take(self) -> None:
        if not self._taken:
            self._taken = True
            return
        granted = self._loop.create_future()
        self._waiting.append(granted)
        arrived = False
        try:
            wait(granted)
            arrived = True
        finally:
            # A thread may be killed when its turn was granted and before it took it up.
            if not arrived and not granted.cancel() and not granted.cancelled():
                self._give()

    def _give(self) -> None:
        while self._waiting:
            granted = self._waiting.popleft()
            if not granted.done():
                granted.set_result(None)
                return
        self._taken = False


class Ending:
    """Something ends once; threads wait for it, before or after, and get its result or error."""

    __slots__ = ("_ended", "_error", "_loop", "_result", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended = False
        self._result: object = None
        self._error: BaseException | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._ended

    def end(self, result: object = None, error: BaseException | None = None) -> None:
        """Say that it ended, with its result or its error. Only the first time counts."""
        if self._ended:
            return
        self._ended, self._result, self._error = True, result, error
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def wait(self, timeout: float | None = None) -> object:
        """Wait for the end, ``timeout`` seconds at most. Returns the result or raises the error.

        Raises TimeoutError when it has not ended by then.
        """
        if not self._ended:
            future = self._loop.create_future()
            self._waiting.add(future)
            try:
                wait(future, timeout=timeout)
            finally:
                self._waiting.discard(future)
        if self._error is not None:
            raise self._error
        return self._result
