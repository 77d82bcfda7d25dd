"""What a class author inherits from: objects whose every call is executed by all replicas.

Two rules. A method is a function of the object's variables, of its arguments and of what was agreed
with the call: it asks no clock, dice or world. What it wants sent goes into the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import Any, ClassVar, TypeVar

import vista
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.service import Context

_Method = TypeVar("_Method", bound=Callable[..., Any])
_READ_ONLY = "__solidstate_read_only__"


def read_only(method: _Method) -> _Method:
    """Declare that a method of a `ReplicatedObject` changes nothing.

    In a group with unordered reads 2f + 1 servers answer such a call at once from what they hold,
    and it is as true as any other answer. One that asks for what is agreed with a call (time, dice,
    who asks), that posts, or that takes more than 10,000 lines, is ordered as if it were not
    declared so.

    Such calls are answered also when the state is as large as it may be. What one changes all the
    same is undone, when it is found, and reported.
    """
    setattr(method, _READ_ONLY, True)
    return method


def is_read_only(method: Callable[..., Any]) -> bool:
    """Tell whether a method was declared with `read_only`."""
    return getattr(method, _READ_ONLY, False) is True


def random_at(random: bytes, place: int) -> bytes:
    """Return the random bytes of one operation of a bundle, as `BundledService` makes them."""
    return digest_of(random + place.to_bytes(4, "big"))


def placed(context: Context, place: int | None) -> Context:
    """Return the context of one operation of a bundle; that of the call itself for no place."""
    if place is None:
        return context
    return replace(context, random=random_at(context.random, place))


class UnorderedError(Exception):
    """Ends a read that has to be ordered; nobody but its method sees it."""


@dataclass
class Execution:
    """What was agreed with the call that is executed, and what it wants sent.

    ``time`` in microseconds since 1970; ``random`` 32 bytes that clients cannot foresee; ``client``
    the name of the machine that asks; ``ordered`` whether there is any of that, which no read has
    that is not ordered; ``asked`` whether the method wanted it; ``place`` which one it is of a
    bundle whose ``random`` they are, None where they are the call's own.
    """

    time: int
    random: bytes
    client: str = ""
    posted: list[tuple[Any, str, tuple[Any, ...]]] = field(default_factory=list)
    ordered: bool = True
    asked: bool = False
    place: int | None = None

    def ask(self) -> None:
        """Note that the method wants what is agreed. Raises `UnorderedError` if nothing is."""
        self.asked = True
        if not self.ordered:
            raise UnorderedError("what is agreed with a call is asked for: it has to be ordered")

    @cached_property
    def dice(self) -> Random:
        """The random values of the call."""
        # Made here, since few methods throw dice, and digesting for each call takes 0.6 us.
        seed = self.random
        return Random(seed if self.place is None else random_at(seed, self.place))


executing: ContextVar[Execution | None] = ContextVar("solidstate", default=None)
"""The call that a replica executes; None where an object is an ordinary one."""


def _asked() -> Execution | None:
    """Return the call that is executed, noting that it wants what is agreed."""
    execution = executing.get()
    if execution is not None:
        execution.ask()
    return execution


class Outbox:
    """What a replicated object wants sent, in the order in which it wants it."""

    def post(self, target: Any, method: str, *args: Any) -> None:
        """Have a message sent once the call is agreed.

        ``target`` is a Ref, an Id or a service name, ``args`` values. The message arrives at least
        once, with one more argument at its end: a text that is the same each time, so that the
        receiver can tell a repetition. Of an object that is not replicated it is sent at once.
        """
        execution = executing.get()
        if execution is None:
            vista.post(target, method, *args, f"{time.time_ns()}")
        else:
            execution.ask()
            execution.posted.append((target, method, args))


_OUTBOX = Outbox()


class ReplicatedObject(vista.Object, namespace="SolidState", abstract=True):
    """What a class inherits from whose objects are executed by all replicas of a group.

    Write ordinary methods::

        class Cart(ReplicatedObject):
            def create(self) -> None:
                self.items = {}

            def add(self, name: str, count: int = 1) -> int:
                self.items[name] = self.items.get(name, 0) + count
                return self.items[name]

            @read_only
            def list_items(self) -> dict[str, int]:
                return self.items

    ``CreateReplicasOnServers shop 1 Cart cart`` makes one, and the service ``cart`` is its Ref:
    ``cart.add("tea")`` is executed by all replicas and returns one proven answer. What a method
    raises is the answer as well.

    Variables have to be values. A method uses `agreed_time` and `agreed_random` in the place of
    clocks and dice, sends nothing but through `outbox`, and does not depend on the order of a set.
    One that takes more than a million lines ends with `EndlessMethodError`, everywhere at the same
    place; lines of the modules of the class and its bases count, what libraries do does not.

    Where there are many, such as one for each session, ``idle_seconds`` lets a variable go that was
    not called for so long by a method that may change it, and ``unused_seconds`` one that never was
    since it was made; 0 is never. ``retire_state_variables`` of a proxy has the group look; what
    has messages to send stays. ``answers_max`` is how many answers to requests with a key are kept.

    ``vista.create`` makes an ordinary object of such a class, for trying it out.
    """

    idle_seconds: ClassVar[float] = 0.0
    unused_seconds: ClassVar[float] = 0.0
    answers_max: ClassVar[int] = 1_000

    @property
    def agreed_time(self) -> float:
        """Seconds since 1970, the same at all replicas; it never goes back."""
        execution = _asked()
        return time.time() if execution is None else execution.time / 1_000_000

    @property
    def agreed_random(self) -> Random:
        """Dice that fall the same way at all replicas, and that clients cannot foresee."""
        execution = _asked()
        return Random() if execution is None else execution.dice

    @property
    def asking_client(self) -> str:
        """The name of the machine whose proxy asks; no other machine's proxy can ask under it.

        Every machine of the pool has one, see ``client`` of `ReplicaClientProxy.get_status`. Its
        proxy asks for all who may send it messages, peers too. It is ``""`` for an object that is
        not replicated.
        """
        execution = _asked()
        return "" if execution is None else execution.client

    @property
    def outbox(self) -> Outbox:
        """Where messages to others go."""
        return _OUTBOX
