"""What tests may do to a primary that allows it: other galaxies, dropped servers, traces."""

from __future__ import annotations

from typing import Any

import vista
from apps.starship.errors import ScenarioError
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed
from apps.starship.game.messages import StepBegin
from apps.starship.objects.configuration import Configuration
from apps.starship.objects.sending import Outbox
from apps.starship.objects.things import Exhibits
from apps.starship.rules.objects import Thing
from apps.starship.rules.scenario import read_scenario
from apps.starship.rules.state import State

TRACES_MAX = 100
"""Steps whose traces are kept."""
DROPS = ("begin", "half")
"""When a server is dropped: as soon as it has its work, or when half of it has come back."""


class HookedPrimary:
    """The part of a `StarshipPrimary` for tests; with ``test_hooks=1`` alone it does anything."""

    _config: Configuration
    _conductor: Conductor
    _outboxes: dict[str, Outbox]
    _things: Exhibits
    _tickets: dict[int, str]
    _archive: vista.Ref | None

    def _begin_hooks(self) -> None:
        self._traces: dict[int, dict[str, Any]] = {}
        self._drops: dict[str, str] = {}
        self._shares: dict[str, int] = {}

    def _check_hooks(self) -> None:
        if not self._config.test_hooks:
            raise vista.AccessDenied("this game has no test hooks; they need test_hooks=1")

    def load_scenario(self, text: str) -> int:
        """Go on with another galaxy, which JSON describes; return its number of objects.

        See `apps.starship.rules.scenario`. Raises `BadValueError` for what is none.
        """
        self._check_hooks()
        try:
            state = read_scenario(text, self._conductor.state.theme)
        except ScenarioError as error:
            raise vista.BadValueError(str(error)) from error
        for made in self._things.clear():
            vista.post(made, "delete_yourself")
        self._begin_conductor(state, self._conductor.epoch + 1, self._config)
        for thing in state.objects.values():
            self._make(state, thing)
        if self._archive is not None:
            self._archive.forget_steps()
            self.save_state()
        self._rejoin_all()
        return len(state.objects)

    def drop_server(self, place: int, at: str) -> str:
        """Drop a server in the midst of the next step it works in; return its id.

        ``place`` is that in the list of servers, ``at`` one of `DROPS`. It joins again afterwards.
        """
        self._check_hooks()
        ids = sorted(self._outboxes)
        if at not in DROPS or not 0 <= place < len(ids):
            raise vista.BadValueError(f"servers are 0 to {len(ids) - 1}, at is begin or half")
        self._drops[ids[place]] = at
        return ids[place]

    def get_trace(self, step: int) -> dict[str, Any]:
        """Return who was given what of a step, who computed what, and what was deferred."""
        self._check_hooks()
        return self._traces.get(step, {})

    def has_test_hooks(self) -> bool:
        """Tell whether tests may interfere."""
        return self._config.test_hooks

    # --- what the primary tells ------------------------------------------------------------

    def _note_begin(self, id: str, begin: StepBegin) -> None:
        if not self._config.test_hooks:
            return
        trace = self._traces.setdefault(begin.t, {"assigned": {}})
        trace["assigned"].setdefault(id, []).extend(list(unit) for unit in begin.units)
        while len(self._traces) > TRACES_MAX:
            del self._traces[next(iter(self._traces))]
        self._shares[id] = len(begin.units)
        if self._drops.get(id) == "begin":
            self._drop(id)

    def _note_results(self, id: str, count: int) -> None:
        if self._drops.get(id) == "half":
            self._shares[id] = self._shares.get(id, 0) - 2 * count
            if self._shares[id] <= 0:
                self._drop(id)

    def _note_commit(self, done: Committed) -> None:
        if not self._config.test_hooks:
            return
        trace = self._traces.setdefault(done.state.step, {"assigned": {}})
        computed: dict[str, list[list[str]]] = {}
        for unit, author in sorted(self._conductor.authors.items()):
            computed.setdefault(author, []).append(list(unit))
        hands = self._conductor.pool.hands
        trace["computed"] = computed
        trace["deferred"] = [list(unit) for unit in done.deferred]
        trace["late"] = {id: hands[id].late for id in sorted(hands)}
        trace["hash"] = done.hash

    def _drop(self, id: str) -> None:
        del self._drops[id]
        vista.post(self._me, "forget_dropped", id)

    def forget_dropped(self, id: str) -> None:
        """Drop a server that was to be; the primary posts it to itself."""
        self._check_hooks()
        outbox = self._outboxes.get(id)
        if outbox is None:
            return
        tickets = [ticket for ticket, known in self._tickets.items() if known == id]
        self._forget(id)
        for ticket in tickets:
            vista.post(outbox.server, "primary_ended", ticket)
        if outbox.own:
            vista.post(self._me, "take_own_server")

    # --- what the primary has ----------------------------------------------------------------

    _me: vista.Ref

    def _make(self, state: State, thing: Thing) -> vista.Ref:
        raise NotImplementedError

    def _forget(self, id: str) -> None:
        raise NotImplementedError

    def _begin_conductor(self, state: State, epoch: int, config: Configuration) -> None:
        raise NotImplementedError

    def _rejoin_all(self) -> None:
        raise NotImplementedError

    def save_state(self) -> None:
        """Write the whole state."""
        raise NotImplementedError
