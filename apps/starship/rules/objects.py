"""The objects of the simulation: starships, starbases and planets, as four groups of attributes.

Three rules. Each attribute belongs to one group, and a unit of work writes one group of one object.
A group that was committed never changes: a unit copies it and fills the copy, which is the next.
Nothing that can be derived from a state is stored in it.

Values are integers, strings, tuples, None, and dicts that are replaced and never filled in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

NEVER = -99
"""The step of what never happened."""

LOG_LENGTH = 30
"""Records in each of an object's three logs."""
LEDGER_STEPS = 8
"""Steps for which shots and deliveries stay, for those who read them later."""


class Record(NamedTuple):
    """A line of a log: when, the how manyth of that unit in that step, what, and its parameters.

    ``params`` are pairs of name and value in the order of the alphabet.
    """

    step: int
    seq: int
    key: str
    params: tuple[tuple[str, int | str], ...] = ()


class Weapon(NamedTuple):
    """A weapon: what it is aimed at, when it may fire again, and its health in percent."""

    id: str
    type: str
    centre: int
    half_arc: int
    lock: str | None = None
    ready_at: int = 0
    health: int = 100


class Shot(NamedTuple):
    """A shot: ``damage`` is 0 for a miss, ``back`` the bearing from the target to the shooter."""

    step: int
    weapon: str
    target: str
    damage: int
    back: int


class Delivery(NamedTuple):
    """Cargo that was brought to a planet."""

    step: int
    to: str
    amount: int


class Mission(NamedTuple):
    """A mission.

    ``stage`` counts up as parts of it are done, ``progress`` counts steps of the part; ``places``
    are the way-points of patrols and surveys. It fails at ``limit``, a step.
    """

    kind: str
    begun: int
    limit: int
    reward: int
    target: str | None = None
    stage: int = 0
    progress: int = 0
    places: tuple[tuple[int, int], ...] = ()


class Group:
    """What the four groups have in common: names of attributes, copies, differences."""

    __slots__ = ()
    names: ClassVar[tuple[str, ...]] = ()
    values: ClassVar[Any]

    def copy(self) -> Self:
        """Return a copy to be filled."""
        return type(self)(*self.values(self))

    def changes(self, before: Group) -> dict[str, Any]:
        """Return the attributes that differ from ``before``, with the values here: a delta."""
        mine, theirs = self.values(self), before.values(before)
        # Most values are the same objects, which are found without a turn of the loop for each.
        others = compress(zip(self.names, mine, theirs, strict=True), map(is_not, mine, theirs))
        return {name: value for name, value, other in others if value != other}

    def changed(self, changes: dict[str, Any]) -> Self:
        """Return a copy with a delta applied; applying it again changes nothing."""
        made = self.copy()
        for name, value in changes.items():
            setattr(made, name, value)
        return made


_G = TypeVar("_G", bound=Group)


def _group(cls: type[_G]) -> type[_G]:
    cls.names = tuple(member.name for member in fields(cls))  # type: ignore[arg-type]
    # As a plain attribute of the class it would be called with the group twice.
    cls.values = staticmethod(attrgetter(*cls.names))
    return cls


@_group
@dataclass(slots=True)
class Meta(Group):
    """What only the primary writes, when a step is committed.

    ``id`` counts the objects of a game; ``captain`` is a session number or None; ``human`` says
    that a captain made it: without one, the computer is its caretaker.
    """

    id: int
    name: str
    race: str
    kind: str
    created_at: int
    captain: int | None = None
    human: bool = False


@_group
@dataclass(slots=True)
class Nav(Group):
    """Where an object is and where it goes.

    Positions in mu, ``heading`` in tenths of a degree, ``speed`` in tenths of a warp factor.
    ``dest`` is a short name, ``point`` a way-point; at most one of them is set.
    """

    x: int
    y: int
    heading: int = 0
    speed: int = 0
    want_heading: int = 0
    want_speed: int = 0
    dest: str | None = None
    point: tuple[int, int] | None = None
    entered_at: int = 0
    log: tuple[Record, ...] = ()


@_group
@dataclass(slots=True)
class Tac(Group):
    """Energy, shields, weapons, damage, and the ledger of shots.

    ``systems`` are ENG, RCT, SHG and SEN. ``hits_through`` is the step up to which shots at this
    object have struck it. ``damage_from`` is total damage and last step by shooter.
    """

    energy: int
    shields: tuple[int, ...]
    hull: int
    crew: int
    supplies: int
    ammo: int
    weapons: tuple[Weapon, ...]
    shields_up: bool = False
    systems: tuple[int, ...] = (100, 100, 100, 100)
    power: str = "balanced"
    repair_first: str | None = None
    shots: tuple[Shot, ...] = ()
    hits_through: int = 0
    attackers: dict[str, int] = field(default_factory=dict)
    damage_from: dict[str, tuple[int, int]] = field(default_factory=dict)
    last_hit: int = NEVER
    truce_until: int = 0
    dead_at: int | None = None
    killer: str | None = None
    suppressed_at: int = NEVER
    suppressed_by: str | None = None
    log: tuple[Record, ...] = ()


@_group
@dataclass(slots=True)
class Com(Group):
    """Missions, points, calls for help, and the ledger of deliveries.

    ``upgrades`` are levels in the order of `tables.TRACKS`. ``credited`` are wrecks, ``assists``
    calls that were paid for, as ``name@step``. ``berth`` and ``alert`` are what the log was told
    last.
    """

    mission: Mission | None = None
    next_mission_at: int = 0
    points: int = 0
    score: int = 0
    kills: int = 0
    missions_done: int = 0
    upgrades: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
    cargo: int = 0
    evacuees: int = 0
    distress_at: int = NEVER
    responding_to: str | None = None
    responding_at: int = NEVER
    deliveries: tuple[Delivery, ...] = ()
    assists: tuple[str, ...] = ()
    credited: tuple[str, ...] = ()
    seen_through: int = 0
    berth: str | None = None
    alert: str = "green"
    stock: int = 0
    deliveries_through: int = 0
    emergency: int | None = None
    log: tuple[Record, ...] = ()


GROUPS: dict[str, type[Group]] = {"meta": Meta, "nav": Nav, "tac": Tac, "com": Com}
"""The groups by name."""
UNITS = ("nav", "tac", "com")
"""The groups that units of work write."""


class Thing(NamedTuple):
    """An object of the simulation in one state."""

    meta: Meta
    nav: Nav
    tac: Tac
    com: Com

    @property
    def name(self) -> str:
        """The short name."""
        return self.meta.name

    @property
    def race(self) -> str:
        """The key of the race."""
        return self.meta.race

    @property
    def kind(self) -> str:
        """Starship, starbase or planet."""
        return self.meta.kind

    def with_group(self, name: str, group: Group) -> Thing:
        """Return the object with another group in the place of the one called ``name``."""
        members: dict[str, Any] = {name: group}
        return self._replace(**members)

    @property
    def alive(self) -> bool:
        """Whether it is no wreck."""
        return self.tac.dead_at is None


def appended(log: tuple[Record, ...], step: int, key: str) -> tuple[Record, ...]:
    """Return a log with one more record, after those a unit wrote in the same step."""
    seq = sum(record.step == step for record in log)
    return (*log, Record(step, seq, key))[-LOG_LENGTH:]


class Logbook:
    """Appends records to a log, which keeps the last `LOG_LENGTH`."""

    def __init__(self, step: int, log: tuple[Record, ...]) -> None:
        self._step = step
        self._log = log
        self._fresh: list[Record] = []

    def note(self, key: str, **params: int | str) -> None:
        """Add a record."""
        self._fresh.append(Record(self._step, len(self._fresh), key, tuple(sorted(params.items()))))

    def close(self) -> tuple[Record, ...]:
        """Return the log with what was noted; the same tuple if nothing was."""
        if not self._fresh:
            return self._log
        return (*self._log, *self._fresh)[-LOG_LENGTH:]
