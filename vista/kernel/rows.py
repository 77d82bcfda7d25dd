"""Rows: what the node tells of its threads, objects, services and classes, as values."""

from __future__ import annotations

from dataclasses import dataclass

from vista.ids import Id
from vista.records import record


@record
@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One live thread.

    ``state`` is one of running, ready, waiting, sleeping, suspended and native; ``waiting_for``
    says in words for what; ``age_seconds`` counts from its start; ``stack`` is the traceback of a
    thread that is parked, outermost line first.
    """

    id: Id
    object: Id | None
    class_name: str
    method: str
    state: str
    waiting_for: str
    user: str
    age_seconds: float
    stack: str


@record
@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object: its class, service names, live threads and messages that wait for it."""

    id: Id
    class_name: str
    services: tuple[str, ...]
    threads: int
    messages_queued: int


@record
@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service name and the object that provides it.

    ``node`` is the text of the identity of the node that announces it; the class of an object on
    another node is not told.
    """

    name: str
    object: Id
    class_name: str
    node: str


@record
@dataclass(frozen=True, slots=True)
class PeerRow:
    """One node that can be reached; of a neighbour also what the link to it counts.

    ``node`` is the text of its identity and ``name`` what it calls itself; ``hops`` counts the
    links on the way to it, and ``link`` says where the first one leads. ``user`` is the one that
    the neighbour's messages run as here, with ``rights``. A node further off has no name and no
    figures here: they belong to its own links.
    """

    node: str
    name: str
    hops: int
    link: str
    user: str
    rights: tuple[str, ...]
    messages_sent: int | None
    messages_received: int | None
    bytes_sent: int | None
    bytes_received: int | None
    messages_waiting: int | None
    round_trip_seconds: float | None


@record
@dataclass(frozen=True, slots=True)
class ClassRow:
    """One version of a class: how many objects it has, its module and first line of doc."""

    namespace: str
    name: str
    version: int
    objects: int
    module: str
    summary: str


@record
@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method: its signature, docstring and marks (exclusive, preemptable, native, async)."""

    name: str
    signature: str
    doc: str
    flags: tuple[str, ...]
