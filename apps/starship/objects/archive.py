"""A saved game: the whole state now and then, and a line for each step since.

Two rules. A line is safe on the disk before anybody hears of its step, so that a primary that is
killed at any instant goes on from the step everybody knows. A line is deleted only when a state
that has it in it is safe.

The objects here are persistent: how they are written, and that a write is there whole or not at
all, is the store's affair.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, NamedTuple

import vista

_log = logging.getLogger("vista.starship")

LINES_MAX = 10_000
"""Steps since the last state that are kept while none can be written; then the game is not saved
until one can."""


class SavedState(NamedTuple):
    """A state as it is saved: its step, hash and text, what was promised, and which game's."""

    step: int
    hash: str
    text: str
    promised: str
    begun: int

    @property
    def order(self) -> tuple[int, int]:
        """Where it stands among the states that were saved."""
        return self.begun, self.step


class StarshipSavedState(vista.PersistentObject, namespace="StarShip"):
    """The state of a saved game after some step; `StarshipArchive` makes it."""

    # Of those that were stored without.
    promised = ""
    begun = 0

    def create(  # type: ignore[override]
        self, game: str, step: int, hash: str, text: str, promised: str, begun: int
    ) -> None:
        """Be stored."""
        self.game, self.step, self.hash, self.text = game, step, hash, text
        self.promised, self.begun = promised, begun
        self.initialize(durable=True)

    def set_state(self, step: int, hash: str, text: str, promised: str, begun: int) -> None:
        """Keep another state in the place of this one."""
        self.step, self.hash, self.text, self.promised = step, hash, text, promised
        self.begun = begun

    def get_state_saved(self) -> tuple[str, int, str, str, str, int]:
        """Return game, step, hash, text, what an admission needs beside it, and which game it is.

        The games that were begun one after another in the place of each other are counted.
        """
        return self.game, self.step, self.hash, self.text, self.promised, self.begun


class StarshipSavedStep(vista.PersistentObject, namespace="StarShip"):
    """A step of a saved game as a recording has it; `StarshipArchive` makes one for each."""

    promised = ""
    begun = 0

    def create(  # type: ignore[override]
        self, game: str, step: int, line: str, promised: str, begun: int
    ) -> None:
        """Be stored."""
        self.game, self.step, self.line, self.promised = game, step, line, promised
        self.begun = begun
        self.initialize(durable=True)

    def get_step_saved(self) -> tuple[str, int, str, str, int]:
        """Return game, step, line, what an admission needs beside it, and which game it is of."""
        return self.game, self.step, self.line, self.promised, self.begun


class StarshipArchive(vista.PersistentObject, namespace="StarShip"):
    """Keeps a game so that a primary can go on with it after a restart.

    ``create(game)``: ``game`` is what it is called. The primary makes it on its own node, which
    must have a `PersistenceService`; after a restart that has brought it back.
    """

    def create(self, game: str) -> None:  # type: ignore[override]
        """Begin without a state."""
        self.game = game
        self.epoch = -1
        self.initialize(durable=True)

    def get_game(self) -> str:
        """Return what the game is called."""
        return self.game

    def encode(self) -> dict[str, Any]:
        """Return what is stored of this object: the rest is found again."""
        return {"game": self.game, "epoch": self.epoch}

    def open(self) -> dict[str, Any]:
        """Begin another life of the game; return what there is to go on from.

        ``epoch`` counts the lives, ``start`` is (step, hash, text of the state, what was promised)
        or None, and ``lines`` are those of the steps that follow without a gap, each with what was
        promised; see `write_state`.
        """
        self.epoch += 1
        self._saved: vista.Ref | None = None
        self._steps: dict[int, vista.Ref] = {}
        self._begun = 0
        # The last one that is safe, and the one that is in its place, be it safe or not.
        self._safe: SavedState | None = None
        self._put: SavedState | None = None
        start: tuple[int, str, str, str] | None = None
        lines: dict[int, tuple[str, str]] = {}
        for ref in found("StarshipSavedState"):
            game, *rest = ref.get_state_saved()
            if game == self.game:
                self._saved, start = ref, (rest[0], rest[1], rest[2], rest[3])
                self._begun, self._safe = rest[4], SavedState(*rest)
        for ref in found("StarshipSavedStep"):
            game, step, *line = ref.get_step_saved()
            if game == self.game and line[2] == self._begun:
                self._steps[step], lines[step] = ref, (line[0], line[1])
            elif game == self.game:
                # Of a game in the place of which this one began, and had no time to forget it.
                vista.post(ref, "delete_yourself")
        following: list[tuple[str, str]] = []
        while start is not None and start[0] + len(following) + 1 in lines:
            following.append(lines[start[0] + len(following) + 1])
        first = 0 if start is None else start[0] + 1
        # What a state has in it, and what stands behind a gap: nobody can go on from there.
        for step in [n for n in self._steps if not first <= n < first + len(following)]:
            vista.post(self._steps.pop(step), "delete_yourself")
        return {"epoch": self.epoch, "start": start, "lines": following}

    def write_step(self, step: int, line: str, primary: vista.Ref, promised: str = "") -> None:
        """Keep a step, and post ``step_saved(step, error)`` to the primary when it is safe.

        ``promised`` are the keys of its orders, see `promised.write_promised`. ``error`` is what
        was against it, or ``""``.
        """
        error = ""
        try:
            if len(self._steps) >= LINES_MAX:
                raise vista.StoreError(f"{LINES_MAX} steps wait for a state that can be written")
            self._steps[step] = vista.create(
                StarshipSavedStep, self.game, step, line, promised, self._begun
            )
        except vista.StoreError as failure:
            error = str(failure) or "the store fails"
        vista.post(primary, "step_saved", step, error)

    def write_state(
        self, step: int, hash: str, text: str, promised: str = "", begins: bool = False
    ) -> str:
        """Keep a state and forget the steps up to it; return what was against it, or ``""``.

        ``promised`` is what an admission needs after a restart, see `promised.write_promised`. With
        ``begins`` another game begins with it in the place of this one, whose steps are all
        forgotten. Nothing is as long as the state is not safe.
        """
        begun = self._begun + 1 if begins else self._begun
        state = SavedState(step, hash, text, promised, begun)
        try:
            self._keep(state)
        except (vista.StoreError, vista.NotAValueError) as failure:
            # What whoever opens the game on this node reads is what is safe. A state that was put
            # there meanwhile stays: it may be safe, and its steps forgotten.
            if self._safe is not None and self._put is state:
                with contextlib.suppress(vista.StoreError):
                    self._keep(self._safe)
            return str(failure) or "the store fails"
        if self._put is None or self._put.order < state.order:
            return "it was too late: the one before it was put back meanwhile"
        if begun < self._begun:
            return "it was too late: another game has begun"
        self._begun = begun
        if self._safe is None or self._safe.order <= state.order:
            self._safe = state
        for old in [known for known in self._steps if begins or known <= step]:
            vista.post(self._steps.pop(old), "delete_yourself")
        return ""

    def _keep(self, state: SavedState) -> None:
        self._put = state
        if self._saved is None:
            self._saved = vista.create(StarshipSavedState, self.game, *state)
        else:
            vista.send(self._saved, "set_state", *state)

    def forget_steps(self) -> None:
        """Forget all steps: a new game begins."""
        for ref in self._steps.values():
            vista.post(ref, "delete_yourself")
        self._steps = {}


def found(class_name: str) -> list[vista.Ref]:
    """Return the objects of a class of the game on this node."""
    refs = []
    for row in vista.objects():
        if row.class_name.rpartition(".")[2] == class_name:
            with contextlib.suppress(vista.NoSuchObject):
                refs.append(vista.ref_of(row.id))
    return refs


def archive_of(game: str) -> vista.Ref:
    """Return the archive of a game on this node, made if there is none.

    Raises `NoSuchService` without a `PersistenceService`.
    """
    for ref in found("StarshipArchive"):
        if ref.get_game() == game:
            return ref
    return vista.create(StarshipArchive, game)
