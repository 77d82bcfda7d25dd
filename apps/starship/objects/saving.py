"""How a primary keeps its game, and goes on with it after a restart.

Two rules. Nobody hears of a step before its line is safe, or the store has said that it cannot:
then the game goes on, the log and the page of the servers say so, and a state is written as soon as
one can be. To write a state takes a kernel thread, so the step time is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import vista
from apps.starship.display.galaxy import fallen
from apps.starship.errors import ScenarioError
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed, Report
from apps.starship.game.promised import Promised, late_orders, read_promised, write_promised
from apps.starship.objects.archive import archive_of, found
from apps.starship.objects.configuration import Configuration
from apps.starship.objects.names import ShipNames
from apps.starship.objects.tables import Ledger
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder, encode_state
from apps.starship.rules.reading import read_state
from apps.starship.rules.replay import Played, play, read_step, write_step
from apps.starship.rules.state import State
from apps.starship.rules.theme import Theme

_log = logging.getLogger("vista.starship")

PAGER = "/ObjectPager"
"""The service that stores objects."""
GAME = "StarShip"
"""What a saved game is called if nobody says otherwise."""
NOT_SAVED = "none"
"""With this as ``save_as`` a game is not saved."""

STEPS_BETWEEN = 60
"""Steps between two states that are written."""
STEPS_BETWEEN_MIN = 5
OBJECTS_AT_ONCE = 30_000
"""Objects that a restart computes anew, at most, all steps since the last state together: 3 s."""
LATE_SECONDS = 10.0
"""How long a store may take for a step; then the game goes on without it."""
STATE_SECONDS = 30.0
"""How long a store may take for a state; then another is tried, however long it goes on."""
AGAIN_SECONDS = 5.0
"""How soon after a failure it is tried again to write a state."""
LOOK_SECONDS = 0.01
"""How often who wants a state written looks whether the one before is."""


class GameKeeping:
    """The part of a `StarshipPrimary` that keeps the game."""

    _conductor: Conductor
    _clock: Callable[[], float]
    _ledger: Ledger
    _go_on: Callable[[Committed], None]

    def _begin_keeping(self, me: vista.Ref, service: str) -> None:
        _refuse_second(service)
        self._me = me
        self._archive: vista.Ref | None = None
        self._names: vista.Ref
        self._held: Committed | None = None
        self._base_step = 0
        self._is_writing = False
        self._is_encoding = False
        self._hangs = False
        self._gap = -1
        self._write_again = 0.0
        self._to_write: tuple[State, str] | None = None
        self._promised = Promised()
        self.trouble = ""

    def _save_records(self) -> None:
        raise NotImplementedError

    # --- the start -------------------------------------------------------------------------

    def _open_game(self, config: Configuration, theme: Theme, seed: int) -> tuple[State, int]:
        """Return the state to begin with, and how many lives the game had before this one."""
        name = _game_name(config)
        self._archive = archive_of(name) if name else None
        self._names = _names_of(name)
        if self._archive is None:
            return new_game(seed, theme, config.settings()), 0
        kept = self._archive.open()
        epoch: int = kept["epoch"]
        if kept["start"] is not None and not config.new_game:
            state = self._resume(kept["start"], kept["lines"], config, theme)
            if state is not None:
                ships = [t.name for t in state.objects.values() if t.kind == "starship"]
                self._names.begin_game(ships, True)
                self._base_step = kept["start"][0]
                return state, epoch
        state = new_game(seed, theme, config.settings())
        text, hash = encode_state(state), Encoder().digest(state)
        error = self._archive.write_state(state.step, hash, text, "", True)
        if error:
            before = "" if kept["start"] is None else "; the one that was saved before is untouched"
            raise vista.StoreError(f"another game cannot be saved as {name}: {error}{before}")
        self._names.begin_game([], False)
        self._base_step = state.step
        return state, epoch

    def _resume(
        self,
        start: tuple[int, str, str, str],
        lines: list[tuple[str, str]],
        config: Configuration,
        theme: Theme,
    ) -> State | None:
        """Return the state to go on with, None if another game is wanted."""
        try:
            state = read_state(start[2], theme)
            promised = read_promised(start[3])
        except ScenarioError as error:
            raise vista.BadValueError(
                f"the saved game cannot be gone on with: {error}; write new_game=yes for another"
                " one, or save_as=NAME to keep both"
            ) from error
        if config.seed is not None and config.seed != state.seed:
            _log.warning("the saved game has seed %d: another game begins", state.seed)
            return None
        self._promised = promised
        state = self._play(state, start[1], lines)
        if "galaxy" in config.given and config.settings().across != state.settings.across:
            raise vista.BadValueError(
                "the saved game has a galaxy of another size; write new_game=yes for another one,"
                " or save_as=NAME to keep both"
            )
        settings = config.settings_over(state.settings)
        if settings != state.settings:
            _log.warning("settings have changed from step %d: %s", state.step, asdict(settings))
            state = replace(state, settings=settings)
        _log.info("the saved game goes on at step %d", state.step)
        return state

    def _play(self, state: State, hash: str, lines: list[tuple[str, str]]) -> State:
        """Compute the steps since the state that was saved; tell where they are others."""
        encoder = Encoder()
        differs = encoder.digest(state) != hash
        for line, text in lines:
            played = read_step(line, state.step + 1)
            before, state = state, play(state, played)
            keys = {**self._promised.keys, **read_promised(text).keys}
            late = late_orders(played.orders, played.deferred)
            self._promised = Promised(keys, late, self._promised.coming).of(state)
            rows = fallen(before, state)
            if rows:
                self._names.lose(rows)
            differs = differs or encoder.digest(state) != played.hash
            # So that the node sees to its links and timers in between.
            vista.sleep(0)
        if differs:
            _log.warning(
                "step %d has another hash than when it was saved: a server had sent wrong results,"
                " or the rules have changed; the game goes on with the right ones", state.step
            )  # fmt: skip
        return state

    # --- each step -------------------------------------------------------------------------

    def _hold(self, done: Committed) -> bool:
        """Have a step kept; return whether it is waited for, until `step_saved`."""
        if self._archive is None:
            return False
        if self._hangs:
            # It has been waited for once: the game is not to crawl until the store is back.
            self._gap = done.state.step
            self._write_if_due(done.state)
            return False
        self._held = done
        line = write_step(Played(done.orders, done.deferred, done.structure, done.hash))
        promised = write_promised(self._conductor.admission.promised_in(done.state.step))
        vista.post(self._archive, "write_step", done.state.step, line, self._me, promised)
        vista.create("TimerEvent", self._me, LATE_SECONDS, f"late {done.state.step}")
        return True

    def step_saved(self, step: int, error: str) -> None:
        """Go on with a step that is kept, or cannot be; the archive posts it."""
        done = self._held
        if done is None or done.state.step != step:
            # That of a step which was not waited for any longer.
            self._hangs = self._hangs and bool(error)
            return
        self._held = None
        if error:
            self._gap = step
            self._note_trouble(error)
        self._go_on(done)
        self._write_if_due(done.state)

    def _write_if_due(self, state: State) -> None:
        steps = max(STEPS_BETWEEN_MIN, OBJECTS_AT_ONCE // max(1, len(state.objects)))
        due = state.step >= self._base_step + min(STEPS_BETWEEN, steps) or bool(self.trouble)
        if due and not self._is_writing and self._clock() >= self._write_again:
            self._is_writing = True
            vista.post(self._me, "save_state")
            self._save_records()

    def _step_is_late(self, step: int) -> None:
        if self._held is not None and self._held.state.step == step:
            self._hangs = True
            self.step_saved(step, f"the store has not answered for {LATE_SECONDS:.0f} seconds")

    def _note_trouble(self, error: str) -> None:
        if not self.trouble:
            _log.error("the game is not saved, but goes on: %s", error)
            self._tell_of("unsaved", f"the game is not saved, but goes on: {error}")
        self.trouble = error
        self._write_again = self._clock() + AGAIN_SECONDS

    def _tell_of(self, kind: str, text: str) -> None:
        self._ledger.note(Report(kind, text), self._conductor.state.step)

    def save_state(self, ends: bool = False) -> None:
        """Write the whole state, and what owners' ships have earned; done every 60 steps.

        With ``ends``, when the game is stopped, also what was admitted for the steps to come.
        """
        if self._archive is None:
            return
        while self._is_encoding:
            # One after another: an older state that is written last would stand without its lines.
            vista.sleep(LOOK_SECONDS)
        self._is_writing = self._is_encoding = True
        state, hash = self._conductor.state, self._conductor.hash
        self._to_write = state, hash
        promised = write_promised(self._conductor.admission.promised(ends))
        try:
            text: str = vista.send(self._me, "encode_state_to_write")
            with vista.timeout(STATE_SECONDS):
                error = vista.send(self._archive, "write_state", state.step, hash, text, promised)
        except vista.CallTimeout:
            error = f"the store has not answered for {STATE_SECONDS:.0f} seconds"
        finally:
            self._is_writing = self._is_encoding = False
        if error:
            self._note_trouble(error)
            return
        self._base_step = state.step
        self._hangs = False
        if self._gap > state.step:
            # A line failed meanwhile: whoever goes on from this state ends before it.
            return
        if self.trouble:
            _log.warning("the game is saved again, from step %d", state.step)
            self._tell_of("saved", "the game is saved again")
        self.trouble = ""

    @vista.native
    @vista.preemptable
    def encode_state_to_write(self) -> str:
        """Return the state that is about to be written; in a kernel thread, for `save_state`."""
        assert self._to_write is not None, "save_state has chosen one"
        return encode_state(self._to_write[0])


def _refuse_second(service: str) -> None:
    """Refuse another primary here before it has written over the game of the first."""
    node = vista.id_of(vista.here()).node
    if any(row.name == service and row.object.node == node for row in vista.services()):
        raise vista.ServiceTaken(
            f"this node has a game already, the service {service!r}: delete it first"
        )


def _game_name(config: Configuration) -> str:
    """Return what the game is called in the node's store, ``""`` if it is not saved."""
    if config.save_as == NOT_SAVED:
        return ""
    node = vista.id_of(vista.here()).node
    if any(row.name == PAGER and row.object.node == node for row in vista.services()):
        return config.save_as or GAME
    if config.save_as:
        raise vista.BadValueError(
            f"save_as={config.save_as} needs a line PersistenceService before this one"
        )
    _log.info("no PersistenceService here: the game is not saved")
    return ""


def _names_of(name: str) -> Any:
    for ref in found("ShipNames") if name else ():
        if ref.get_game() == name:
            return ref
    return vista.create(ShipNames, name, bool(name))
