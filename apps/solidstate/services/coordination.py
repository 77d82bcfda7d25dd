"""Locks, elections, barriers and queues on a tuple space.

What each is made of are tuples, so that programs in any place may look at them. After the recipes
of Hunt and others, "ZooKeeper" (USENIX ATC 2010), section 2.4: who waits watches the one in front
of him and nobody else, so the end of a wait wakes one waiter and not all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import vista
from apps.solidstate.errors import ExpiredError

_log = logging.getLogger("vista.solidstate")

LEASE_SECONDS = 10.0
"""How long others wait for what a node held that fell."""
KEPT_ALIVE = 3
"""How often within its lease a session is kept alive: two of three messages may be late."""
SLICE_SECONDS = 10.0
"""A longer wait is several calls: a call has its bound."""
LOOK_AGAIN_SECONDS = 5.0
"""After so long a waiter looks for himself: the message that was to wake him may be lost."""


class CoordinationSession(vista.Object, namespace="SolidState"):
    """A session with a `TupleSpace`, kept alive as long as this object and its node live.

    ``create(space, lease=10.0)``: ``space`` is the Ref or the service name of the space; ``lease``
    in seconds is how long after this node's end others wait for what it held. `Lock`, `Election`,
    `Barrier` and `Queue` take its Ref. Deleting it ends the session.
    """

    def create(self, space: vista.Ref | str, lease: float = LEASE_SECONDS) -> None:
        """Open the session."""
        self.space = vista.service(space) if isinstance(space, str) else space
        self.session: str = self.space.open_session(lease)
        self.over = False
        self._waits: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._timer = vista.create(
            "RepeatingTimerEvent", vista.self_ref(self), float(lease) / KEPT_ALIVE
        )

    def delete(self) -> None:
        """Close the session; whoever still waits in it is told."""
        if hasattr(self, "_timer"):
            vista.post(self._timer, "delete_yourself")
            self._end()
            # In flight and not waited for: without it the lease runs out.
            vista.future(self.space, "close_session", self.session)

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Keep the session alive; the timer sends it."""
        try:
            self.space.keep_alive(self.session)
        except ExpiredError:
            _log.warning("a session with %r is over: its lease ran out", self.space)
            vista.post(self._timer, "delete_yourself")
            self._end()
        except vista.VistaError as error:
            _log.warning("a session was not kept alive, which is tried again: %s", error)

    def is_over(self) -> bool:
        """Tell whether the session ended, and with it all that it held."""
        return self.over

    def get_space(self) -> vista.Ref:
        """Return the tuple space."""
        return self.space

    def get_session(self) -> str:
        """Return the Id of the session, which the space's methods take."""
        return self.session

    def read_clock(self) -> float:
        """Return the seconds by which waits in this session are measured; they begin anywhere."""
        return asyncio.get_running_loop().time()

    def tuple_event(self, tag: int, fields: Sequence[Any], key: str) -> None:
        """Wake who waits; the space has it sent, possibly more than once."""
        waiting = self._waits.pop(tag, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def wait_for_match(self, template: Sequence[Any], timeout: float | None = None) -> Any:
        """Wait for a tuple that matches and return it; None after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over.
        """
        me = vista.self_ref(self)

        def look(tag: int) -> Any:
            return self.space.rd_or_watch(tuple(template), self.session, me, tag)

        return self._wait(timeout, look)

    def wait_for_removal(
        self, number: int, fields: Sequence[Any], timeout: float | None = None
    ) -> bool:
        """Wait until a tuple is gone; return whether it is, False after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over.
        """
        me = vista.self_ref(self)

        def look(tag: int) -> bool | None:
            there = self.space.watch_removal(number, tuple(fields), self.session, me, tag)
            return None if there else True

        return self._wait(timeout, look) is not None

    def _wait(self, timeout: float | None, look: Callable[[int], Any]) -> Any:
        """Look until there is an answer; each look sets a watch, which ends the pause."""
        clock = asyncio.get_running_loop().time
        end = math.inf if timeout is None else clock() + timeout
        self._count += 1
        tag = self._count
        try:
            while not self.over:
                waiting = self._waits[tag] = asyncio.get_running_loop().create_future()
                found = look(tag)
                if found is not None:
                    return found
                if not _pause(waiting, min(end - clock(), LOOK_AGAIN_SECONDS)):
                    self.space.unwatch(self.session, tag)
                    if clock() >= end:
                        return None
        finally:
            self._waits.pop(tag, None)
        raise ExpiredError("the session is over: its lease ran out, or it was closed")

    def _end(self) -> None:
        self.over = True
        for waiting in self._waits.values():
            if not waiting.done():
                waiting.set_result(None)


def _pause(waiting: asyncio.Future[None], seconds: float) -> bool:
    """Wait to be woken, for some seconds at most; return whether it was."""
    try:
        vista.wait(waiting, max(0.0, seconds))
    except TimeoutError:
        return False
    return True


def _checked(name: str) -> str:
    """Return a name. Raises `BadValueError` for what is none: None would stand for every name."""
    if not isinstance(name, str):
        raise vista.BadValueError(f"a name is a text, not {name!r:.60}")
    return name


class _Patience:
    """What is left of a wait, however often it is interrupted; None waits for ever."""

    def __init__(self, session: vista.Ref, timeout: float | None) -> None:
        self._session = session
        self._end: float | None = None if timeout is None else session.read_clock() + timeout

    def left(self) -> float:
        """Return for how many seconds to wait at once: 0 when all is used up."""
        if self._end is None:
            return SLICE_SECONDS
        now: float = self._session.read_clock()
        return max(0.0, min(SLICE_SECONDS, self._end - now))


class _Line:
    """Tuples of one kind and name, of which the first counts; the others wait in their order.

    ``count`` is how many fields they have behind kind and name. Together these are unique.
    """

    def __init__(self, session: vista.Ref, kind: str, name: str, count: int = 1) -> None:
        self._session = session
        self._id = ""
        self._space: vista.Ref = session.get_space()
        self._kind = kind
        self._name = _checked(name)
        self._template: tuple[str | None, ...] = (kind, name, *[None] * count)
        self._fields: tuple[str, ...] | None = None
        self._number = 0

    def _stand(self, *values: str) -> None:
        if self._fields is not None:
            raise vista.BadValueError(f"{self._name} is waited for, or held, here already")
        fields = (self._kind, self._name, *values)
        self._id = self._session.get_session()
        try:
            self._number = self._space.out(fields, self._id)
        except vista.CallError:
            # It may stand all the same, in the way of others.
            vista.future(self._space, "inp", fields)
            raise
        self._fields = fields

    def _wait_until_first(self, timeout: float | None) -> bool:
        """Wait for those in front; return whether it is the first, False after ``timeout``."""
        patience = _Patience(self._session, timeout)
        while True:
            before = self._space.previous(self._number, self._fields, self._template)
            if before is None:
                return True
            left = patience.left()
            if not self._session.wait_for_removal(*before, left) and not left:
                return False

    def _leave(self) -> bool:
        """Take back the own tuple; return whether it was still there."""
        if self._fields is None:
            raise vista.BadValueError(f"{self._name} is not held here")
        try:
            there: bool = self._space.withdraw(self._number, self._id)
        except ExpiredError:
            there = False
        # After any other error it may stand still: then it can be taken back again.
        self._fields = None
        return there

    def _abandon(self) -> None:
        """Have the own tuple taken back, where something else is to be told."""
        self._fields = None
        vista.future(self._space, "withdraw", self._number, self._id)


class Lock:
    """A lock that one of any number of programs holds.

    ``session`` is the Ref of a `CoordinationSession`, ``name`` what the lock is called. It is held
    until `release`, at the latest until the session is over: who lost his session and goes on all
    the same is kept off by the token, which grows with each holder. What is protected refuses
    tokens smaller than one it has seen.

    >>> with Lock(session, "printer") as token:
    ...     printer.print_page(page, token)
    """

    def __init__(self, session: vista.Ref, name: str) -> None:
        self._line = _Line(session, "lock", name)

    def acquire(self, timeout: float | None = None) -> int:
        """Wait for the lock and return its token, a number above 0; 0 after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over.
        """
        self._line._stand(secrets.token_hex(8))
        try:
            if self._line._wait_until_first(timeout):
                return self._line._number
        except BaseException:
            self._line._abandon()
            raise
        self._line._leave()
        return 0

    def release(self) -> bool:
        """Let the next one have it; return False if the session had ended before.

        Raises `BadValueError` if it is not held here. After a `CallError` it may be held still:
        then call it again.
        """
        return self._line._leave()

    def __enter__(self) -> int:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class Election:
    """An election: the candidate that stands longest is the leader, until its session is over.

    ``session`` is the Ref of a `CoordinationSession`, ``name`` what is elected.
    """

    def __init__(self, session: vista.Ref, name: str) -> None:
        self._line = _Line(session, "candidate", name, 2)

    def stand(self, value: str) -> None:
        """Be a candidate; ``value`` is what `leader` tells the others, as an address."""
        # Two candidates may say the same.
        self._line._stand(value, secrets.token_hex(8))

    def wait_until_leader(self, timeout: float | None = None) -> bool:
        """Wait until this candidate is the leader; return False after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over, `BadValueError` without `stand`.
        """
        if self._line._fields is None:
            raise vista.BadValueError("who is no candidate cannot be the leader: stand first")
        return self._line._wait_until_first(timeout)

    def leader(self) -> str | None:
        """Return what the leader said when it stood, None if there is none."""
        found = self._line._space.rdp(self._line._template)
        return None if found is None else found[2]

    def resign(self) -> bool:
        """Be no candidate any longer; return False if the session had ended before."""
        return self._line._leave()


class Barrier:
    """A barrier that opens, for good, when enough programs are at it at the same time.

    ``session`` is the Ref of a `CoordinationSession`; ``parties`` how many it takes. A name serves
    once.
    """

    def __init__(self, session: vista.Ref, name: str, parties: int) -> None:
        if type(parties) is not int or parties < 1:
            raise vista.BadValueError(f"a barrier is for 1 or more parties, not {parties!r:.60}")
        self._session = session
        self._space: vista.Ref = session.get_space()
        self._name = _checked(name)
        self._parties = parties

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the others; return whether it opened, False after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over.
        """
        own = ("barrier", self._name, secrets.token_hex(8))
        opened = ("barrier open", self._name)
        try:
            self._space.out(own, self._session.get_session())
            if self._space.count(("barrier", self._name, None)) >= self._parties:
                self._space.cas(opened, opened)
            patience = _Patience(self._session, timeout)
            while True:
                left = patience.left()
                if self._session.wait_for_match(opened, left) is not None:
                    return True
                if not left:
                    # Waited for: who is told that he is late counts no longer.
                    self._space.inp(own)
                    return False
        finally:
            # Whatever came back: one that stood still would count beside that of the next try.
            with contextlib.suppress(vista.CallError):
                vista.future(self._space, "inp", own)


class Queue:
    """A queue: what is put first is taken first, each item by one taker.

    ``session`` is the Ref of a `CoordinationSession`. Items are what fields of tuples are: texts,
    numbers, bytes or truth values. An item is gone once it is taken, whatever becomes of the taker.
    """

    def __init__(self, session: vista.Ref, name: str) -> None:
        self._session = session
        self._space: vista.Ref = session.get_space()
        self._name = _checked(name)

    def put(self, item: str | float | bytes) -> None:
        """Add an item at the end; it stays when the session is over."""
        self._space.out(("item", self._name, item))

    def get(self, timeout: float | None = None) -> Any:
        """Take the first item, waiting for one; None after ``timeout`` seconds.

        Raises `ExpiredError` when the session is over.
        """
        template = ("item", self._name, None)
        patience = _Patience(self._session, timeout)
        while True:
            found = self._space.inp(template)
            if found is not None:
                return found[2]
            left = patience.left()
            if not left:
                return None
            self._session.wait_for_match(template, left)
