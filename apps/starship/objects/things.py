"""Starships, starbases and planets as objects, with the same Ids on every server of a game.

They show what the last committed step left. What computes the steps is the server; it tells each
object its changes. Reading them needs no server: the object browser and other programs may.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import vista
from apps.starship.rules.objects import GROUPS, UNITS, Thing
from apps.starship.rules.state import State


class SimulationObject(vista.Object, namespace="StarShip"):
    """An object of the simulation; `Starship`, `Starbase` and `Planet` are made by the primary.

    ``create(number, full_name, text)``: ``number`` is that in its game, ``text`` has its attributes
    by group and name as canonical JSON: ``meta``, ``nav``, ``tac``, ``com``. It is read when
    somebody asks: a step changes most objects, and few are looked at. ``computed_by`` says which
    servers computed the units nav, tac and com of the last step, as Ids; ``""`` is the primary
    itself.
    """

    def create(self, number: int, full_name: str, text: str) -> None:
        """Begin with attributes."""
        self.number = number
        self.full_name = full_name
        self._text = text
        self.computed_by: tuple[str | None, ...] = ()

    def get_number(self) -> int:
        """Return the number of the object in its game."""
        return self.number

    def get_full_name(self) -> str:
        """Return race, kind and short name."""
        return self.full_name

    def get_state(self) -> dict[str, dict[str, Any]]:
        """Return all attributes by group and name."""
        groups: dict[str, dict[str, Any]] = json.loads(self._text)
        return {name: groups[name] for name in GROUPS}

    def get_computed_by(self) -> dict[str, str | None]:
        """Return which servers computed the units of the last step; {} before the first."""
        return dict(zip(UNITS, self.computed_by, strict=False))

    def show(self, text: str, computed_by: tuple[str | None, ...] = ()) -> None:
        """Take over what a step left; the server posts it."""
        self._text = text
        self.computed_by = computed_by or self.computed_by

    def extract_instance_variables(
        self, *names: str, outline_characters_max: int | None = None
    ) -> dict[str, Any]:
        """Return instance variables by name, the attributes by group in the place of their text."""
        most = outline_characters_max
        plain = [name for name in names if name not in GROUPS]
        found: dict[str, Any] = {}
        if plain or not names:
            found = super().extract_instance_variables(*plain, outline_characters_max=most)
            found.pop("_text", None)
        for name, group in self.get_state().items():
            if not names or name in names:
                found[name] = group if most is None else vista.outline(group, most)
        return found


class Starship(SimulationObject, namespace="StarShip"):
    """A starship."""


class Starbase(SimulationObject, namespace="StarShip"):
    """A starbase."""


class Planet(SimulationObject, namespace="StarShip"):
    """A planet."""


THINGS_AT_ONCE = 100
"""Objects that are told in one go what they show, 1 ms."""

CLASSES = {"starship": Starship, "starbase": Starbase, "planet": Planet}
"""The class of each kind of object."""


class Exhibits:
    """The objects of a game on one node, and what each was told last.

    `show` says what they are to show, `go_on` has some of them show it: nobody waits for them.
    """

    def __init__(self) -> None:
        self.refs: dict[int, vista.Ref] = {}
        self._told: dict[int, tuple[str, tuple[str | None, ...]]] = {}
        self._waiting: deque[Thing] = deque()
        self._text_of: Callable[[Thing], str] = str
        self._computed: Mapping[str, Sequence[str | None]] = {}

    @property
    def has_more(self) -> bool:
        """Whether objects are left that do not show yet what they are to show."""
        return bool(self._waiting)

    def put(self, number: int, ref: vista.Ref) -> None:
        """Take in the object of a number."""
        self.refs[number] = ref
        self._told.pop(number, None)

    def take(self, number: int) -> vista.Ref | None:
        """Give up the object of a number, None if there is none."""
        self._told.pop(number, None)
        return self.refs.pop(number, None)

    def clear(self) -> list[vista.Ref]:
        """Give up all objects."""
        refs = list(self.refs.values())
        self.refs, self._told = {}, {}
        self._waiting.clear()
        return refs

    def show(
        self,
        state: State,
        text_of: Callable[[Thing], str],
        computed: Mapping[str, Sequence[str | None]],
    ) -> None:
        """Have the objects show a state from now on; those that wait for an older one come first.

        ``text_of`` writes one as canonical JSON, ``computed`` are the servers of its units by name.
        """
        late = {thing.meta.id for thing in self._waiting}
        things: Iterable[Thing] = state.objects.values()
        if late:
            # Where steps are faster than this, the last ones would never show anything.
            things = sorted(things, key=lambda thing: thing.meta.id not in late)
        self._waiting = deque(things)
        self._text_of, self._computed = text_of, computed

    def go_on(self, most: int) -> None:
        """Have up to ``most`` objects show what they are to, if they do not yet."""
        refs, known, waiting = self.refs, self._told, self._waiting
        for _ in range(min(most, len(waiting))):
            thing = waiting.popleft()
            number = thing.meta.id
            ref = refs.get(number)
            if ref is None:
                continue
            told = self._text_of(thing), tuple(self._computed.get(thing.name, ()))
            if known.get(number) != told:
                known[number] = told
                try:
                    vista.post(ref, "show", *told)
                except vista.Overloaded:
                    # With a full mailbox it is told after the next step; the others go on.
                    del known[number]
