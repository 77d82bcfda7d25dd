"""Results of units as they travel: rows of JSON, of which every value is checked as it is read.

A row is the group, the name of the object, and its attributes with their next values. The decoder
checks types and bounds in C: attribute after attribute in Python that takes five times as long, a
third of what it takes to compute the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypedDict

try:
    import msgspec
    from msgspec import Meta
except ImportError as error:
    missing = f"StarShip needs a library that is not here: pip install vista[starship] ({error})"
    raise ImportError(missing) from error

from apps.starship.errors import ScenarioError
from apps.starship.rules.geography import QUADRANT
from apps.starship.rules.objects import Delivery, Mission, Record, Shot, Weapon
from apps.starship.rules.reading import OBJECTS_MAX
from apps.starship.rules.tactics import DAMAGE_FROM_MAX

ROWS_MAX = 1_000_000
"""Results in one message."""
TEXT_MAX = 200
"""Characters of a text, as `rules.reading` has it."""
MANY_MAX = 1_000
"""Members of a list that has no length of its own."""

_WHOLE = 2**63 - 1

Whole = Annotated[int, Meta(ge=-_WHOLE, le=_WHOLE)]
Count = Annotated[int, Meta(ge=0, le=_WHOLE)]
Angle = Annotated[int, Meta(ge=0, le=3_599)]
Speed = Annotated[int, Meta(ge=0, le=100)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Level = Annotated[int, Meta(ge=0, le=5)]
Position = Annotated[int, Meta(ge=0, le=24 * QUADRANT - 1)]
Text = Annotated[str, Meta(max_length=TEXT_MAX, pattern=r"\A[\x00-\x7f]*\Z")]
Texts = Annotated[tuple[Text, ...], Meta(max_length=MANY_MAX)]
Log = Annotated[tuple[Record, ...], Meta(max_length=MANY_MAX)]


class NavChanges(TypedDict, total=False):
    """The attributes of NAV; ``lines`` are those that a step adds to the log."""

    x: Position
    y: Position
    heading: Angle
    speed: Speed
    want_heading: Angle
    want_speed: Speed
    dest: Text | None
    point: tuple[Position, Position] | None
    entered_at: Whole
    log: Log
    lines: Log


class TacChanges(TypedDict, total=False):
    """The attributes of TAC."""

    energy: Count
    shields: tuple[Count, Count, Count, Count, Count, Count]
    hull: Whole
    crew: Count
    supplies: Count
    ammo: Count
    weapons: Annotated[tuple[Weapon, ...], Meta(max_length=16)]
    shields_up: bool
    systems: tuple[Percent, Percent, Percent, Percent]
    power: Text
    repair_first: Text | None
    shots: Annotated[tuple[Shot, ...], Meta(max_length=MANY_MAX)]
    hits_through: Whole
    attackers: Annotated[dict[Text, Whole], Meta(max_length=OBJECTS_MAX)]
    damage_from: Annotated[dict[Text, tuple[Whole, Whole]], Meta(max_length=DAMAGE_FROM_MAX)]
    last_hit: Whole
    truce_until: Whole
    dead_at: Whole | None
    killer: Text | None
    suppressed_at: Whole
    suppressed_by: Text | None
    log: Log
    lines: Log


class ComChanges(TypedDict, total=False):
    """The attributes of COM."""

    mission: Mission | None
    next_mission_at: Whole
    points: Count
    score: Whole
    kills: Whole
    missions_done: Whole
    upgrades: tuple[Level, Level, Level, Level, Level, Level]
    cargo: Count
    evacuees: Count
    distress_at: Whole
    responding_to: Text | None
    responding_at: Whole
    deliveries: Annotated[tuple[Delivery, ...], Meta(max_length=MANY_MAX)]
    assists: Texts
    credited: Texts
    seen_through: Whole
    berth: Text | None
    alert: Text
    stock: Count
    deliveries_through: Whole
    emergency: Whole | None
    log: Log
    lines: Log


class NavRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="nav"):
    """A result of the unit NAV."""

    name: str
    changes: NavChanges
    group: ClassVar[str] = "nav"


class TacRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="tac"):
    """A result of the unit TAC."""

    name: str
    changes: TacChanges
    group: ClassVar[str] = "tac"


class ComRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="com"):
    """A result of the unit COM."""

    name: str
    changes: ComChanges
    group: ClassVar[str] = "com"


Rows = Annotated[list[NavRow | TacRow | ComRow], Meta(max_length=ROWS_MAX)]
Units = Annotated[
    list[tuple[str, Annotated[list[Literal["nav", "tac", "com"]], Meta(max_length=3)]]],
    Meta(max_length=ROWS_MAX),
]

_units_decoder: msgspec.json.Decoder[list[tuple[str, list[str]]]] = msgspec.json.Decoder(Units)
_decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(Rows)
_encoder = msgspec.json.Encoder()


def write_rows(rows: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """Return rows of group, name and changes as a text."""
    return _encoder.encode(rows).decode()


def write_unit_rows(rows: Sequence[tuple[str, list[str]]]) -> str:
    """Return the names of objects, with the groups of each that are to be computed, as a text."""
    return _encoder.encode(rows).decode()


def read_unit_rows(text: str) -> list[tuple[str, list[str]]]:
    """Return the names and groups of a text. Raises `ScenarioError` for what are none."""
    try:
        return _units_decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ScenarioError(f"these are no units: {error}") from None


def read_rows(text: str) -> list[Any]:
    """Return the rows of a text: each has ``group``, ``name`` and ``changes``.

    Raises `ScenarioError` for what are none, with the place.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise ScenarioError(f"these are no results: {error}") from None
