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
    """One service name and the object that provides it."""

    name: str
    object: Id
    class_name: str


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
