"""Record and exception classes that tests send."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, auto
from typing import Any, NamedTuple

from vista.ids import Id
from vista.records import record
from vista.values import Referable, Reference


@record
@dataclass
class Position:
    """A record that can change."""

    x: Any
    y: Any = 0


@record
@dataclass(frozen=True)
class Pair:
    """A record that cannot change, with a list made anew by default."""

    left: Any
    right: Any = field(default_factory=list)


@record
@dataclass(slots=True)
class Slotted:
    """A record without an instance dict."""

    value: Any


@record
class Row(NamedTuple):
    """A named tuple record."""

    name: Any
    size: Any = 7


@record
class Colour(Enum):
    """An enum record."""

    RED = "red"
    BLUE = "blue"


@record
class Level(IntEnum):
    """An enum of integers."""

    LOW = 1
    HIGH = 2


@record
class Rights(Flag):
    """A flag record."""

    READ = auto()
    WRITE = auto()
    RUN = auto()


@record
@dataclass
class Loud:
    """A record that would say so if its constructor ran again."""

    value: int

    def __post_init__(self) -> None:
        if self.value > 9:
            raise AssertionError("constructed again")


@dataclass
class Undeclared:
    """A dataclass nobody declared a record."""

    x: int = 0


class UndeclaredChild(Position):
    """A subclass of a record that is none itself."""


class UndeclaredColour(Enum):
    """An enum nobody declared a record."""

    GREEN = 1


class UndeclaredRow(NamedTuple):
    """A named tuple nobody declared a record."""

    x: int


class CodedError(Exception):
    """An exception whose constructor takes something else than its args."""

    def __init__(self, code: int, *, place: str) -> None:
        super().__init__(f"code {code} at {place}")
        self.code = code
        self.place = place


class UnspeakableError(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Handle(Reference):
    """A reference as the kernel would make one."""

    __slots__ = ("id", "name")

    def __init__(self, id: Id, name: str) -> None:
        if type(name) is not str:
            raise TypeError("the name of a class is a text")
        self.id = id
        self.name = name

    def __reference_parts__(self) -> tuple[Any, ...]:
        return self.id, self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self.id == other.id and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.id)


class Thing(Referable):
    """An object that is passed by reference."""

    def __reference__(self) -> Handle:
        return Handle(Id(b"thing".ljust(16)), "Local.Thing")


@record
@dataclass
class NotedThing(Thing):
    """One that somebody has declared to be a value as well."""

    x: int = 0
