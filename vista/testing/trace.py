"""The trace of a simulated world: what happened, in order, and its digest.

Two runs of one seed give equal traces. So a trace holds nothing that differs between two runs of
one program: no addresses, no operating system time, no text that depends on hashing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that happened in a simulated world.

    ``time`` is in virtual seconds from the start of the world. ``kind`` is ``started``, ``ended``,
    ``parked``, ``woken``, ``resumed`` or ``thrown`` for a thread, ``timer`` for a timer that was
    due, ``native`` for a step of a kernel thread, ``fault`` for what a storm or the scenario broke
    or mended, ``link`` for a connection, or ``note`` for what the scenario itself noted.
    ``thread`` counts the threads of a node from 1 in the order they were first seen, 0 means none;
    ``object`` is the class and serial number of the object and ``detail`` says why or how.
    """

    time: float
    kind: str
    node: str
    thread: int
    object: str
    method: str
    detail: str

    def __str__(self) -> str:
        where = f"{self.object}.{self.method}" if self.object else ""
        who = f"{self.node}/{self.thread}" if self.thread else self.node
        words = [f"{self.time:.6f}", self.kind, who, where, self.detail]
        return " ".join(word for word in words if word)


class Trace:
    """The events of a world, in the order they happened.

    ``watchers`` are called with each event as it happens and return what is wrong, in words, or
    the empty text. They do not raise: they are called in the midst of a method, which would get
    the error. ``complaints`` holds what they said; the world stops at the first.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.watchers: list[Callable[[Event], str]] = []
        self.complaints: list[str] = []

    def add(self, event: Event) -> None:
        """Note an event and ask the watchers."""
        self.events.append(event)
        for watcher in self.watchers:
            complaint = watcher(event)
            if complaint:
                self.complaints.append(f"{complaint} (at event {len(self.events) - 1}: {event})")

    def digest(self) -> str:
        """Return 32 hexadecimal digits that are equal for equal traces."""
        found = hashlib.blake2b(digest_size=16)
        for event in self.events:
            found.update(repr(tuple(event)).encode())
        return found.hexdigest()

    def last(self, count: int) -> str:
        """Return the last ``count`` events as text, one a line."""
        return "\n".join(map(str, self.events[-count:]))


def first_difference(one: Trace, other: Trace) -> str:
    """Say in words where two traces part; the empty text when they are equal."""
    for number, (left, right) in enumerate(zip(one.events, other.events, strict=False)):
        if left != right:
            return f"event {number} was once {left} and once {right}"
    if len(one.events) != len(other.events):
        return f"there were once {len(one.events)} and once {len(other.events)} events"
    return ""
