"""The primary of a game: closes steps, shares them out, commits them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any

import vista
from apps.starship.display.galaxy import fallen
from apps.starship.game.conductor import Conductor, Phase
from apps.starship.game.differences import differences
from apps.starship.game.events import Committed, Effect, Event, Joined, Received, Report, Send, Tick
from apps.starship.game.messages import Late, Snapshot, StepBegin, StepCommit, StepUpdate
from apps.starship.game.own import OwnServer
from apps.starship.objects.captains import Activity, CaptainsDesk
from apps.starship.objects.clock import microseconds
from apps.starship.objects.configuration import Configuration, read_configuration
from apps.starship.objects.counts import count_step
from apps.starship.objects.hooked import HookedPrimary
from apps.starship.objects.own import OwnScreens, StarshipOwnSecondary
from apps.starship.objects.recorder import StarshipRecorder
from apps.starship.objects.saving import GameKeeping
from apps.starship.objects.sending import Made, encoded
from apps.starship.objects.servers import ServersDesk
from apps.starship.objects.tables import Ledger, computed_in_short, servers_table
from apps.starship.objects.things import CLASSES, THINGS_AT_ONCE, Exhibits
from apps.starship.objects.version import rules_version
from apps.starship.rules.objects import Thing
from apps.starship.rules.replay import Played, write_start, write_step
from apps.starship.rules.state import State
from apps.starship.rules.theme import theme_text
from apps.starship.themes import read_theme, shipped_theme

_log = logging.getLogger("vista.starship")

SERVICE = "StarshipPrimary"
"""The service by which secondaries find the game."""
SEED_BITS = 32
WAITING_MAX = 10_000
"""Messages of servers that wait while a step is saved, 4 MB: no results are in them.

What comes then counts as lost.
"""
KEPT_SHOWN_MAX = 500
"""Ships left over from earlier games that a login page offers."""


class StarshipPrimary(
    CaptainsDesk, ServersDesk, GameKeeping, HookedPrimary, vista.Object, namespace="StarShip"
):
    """The primary of a game: makes the galaxy and takes it from step to step.

    rc line: ``StarshipPrimary``, or ``StarshipPrimary 5 42 commands_per_step=4``

    ``create(interval=5, seed=None, ...)``: ``interval`` in seconds between two steps, 0 for steps
    by hand (`step`); ``seed`` a whole number from which the whole galaxy comes, drawn if it is not
    given. What follows is written ``KEY=VALUE``:

    - ``commands_per_step=3``, ``max_starships=64``, ``human_reserve=16``, ``ai_per_race=10``,
      ``galaxy=normal`` (or ``large``, ``huge``), ``theme=FILE``: the simulation, on all servers;
    - ``update_interval_default=30`` seconds between two loads of a page without script,
      ``scan_delay=0`` steps that spectators are behind;
    - ``soft_deadline=40`` and ``hard_deadline=80`` percent of the interval after which missing work
      is given to others too, and deferred; ``sample=2`` results of each server that are computed
      again in each step (``all`` for servers of strangers); ``work_factor=1`` how often each unit
      is computed, for demonstrations;
    - ``save_as=NAME`` what the game is called in the store of the node's `PersistenceService`, with
      which it is saved under ``StarShip`` anyway (``none``: not at all); ``new_game=yes`` to begin
      another one there; ``record=FILE`` to record it;
    - ``test_hooks=1`` and ``step_mode=manual`` for tests.

    Saved, it goes on after a restart at the exact step. The game is the service
    ``StarshipPrimary``; it computes by itself and by every `StarshipSecondary` that joins.

    The original's StarshipPrimary.
    """

    def create(self, *words: Any, **settings: Any) -> None:
        """Make the galaxy, or go on with the one that was saved, and begin."""
        config = self._config = read_configuration(words, settings)
        self._begin_keeping(vista.self_ref(self), SERVICE)
        self._recorder: vista.Ref | None = None
        self.own_secondary: vista.Ref | None = None
        theme = read_theme(config.theme) if config.theme else shipped_theme()
        seed = secrets.randbits(SEED_BITS) if config.seed is None else config.seed
        state, epoch = self._open_game(config, theme, seed)
        self._begin_desk()
        self._begin_servers()
        self._things = Exhibits()
        self._is_showing = False
        self._ledger = Ledger()
        self._begin_conductor(state, epoch, config)
        self._conductor.admission.restore(self._promised)
        self._begin_hooks()
        self.look_for_left_over()
        self._news = self._look_around()
        self._made: tuple[tuple[bytes, ...], str] = (), "{}"
        self._alarm = math.inf
        self._alarms = 0
        self._count = vista.counters()
        if config.record:
            self._recorder = vista.create(StarshipRecorder, config.record, write_start(state))
        for thing in sorted(state.objects.values(), key=lambda thing: thing.meta.id):
            self._make(state, thing)
        self._subscribe()
        self.own_secondary = vista.create(StarshipOwnSecondary, self._me)
        self._screens = OwnScreens(self._own_id(), self._now)
        self._show_anew()
        self.take_own_server()
        self._set_alarm()
        _log.info(
            "a galaxy from seed %d at step %d: %d objects", state.seed, state.step,
            len(state.objects),
        )  # fmt: skip

    def _begin_desk(self) -> None:
        self._clock = self._now
        self._activity = Activity(self._config.update_interval_default)
        self._sealing = 0
        self._revived: set[str] = set()
        self._ends = False

    def _begin_conductor(self, state: State, epoch: int, config: Configuration) -> None:
        self._conductor = Conductor(
            state,
            math.inf if config.manual else config.interval,
            self._now(),
            secrets.randbits(64),
            epoch,
            config.sample,
            config.soft_deadline,
            config.hard_deadline,
        )
        self._conductor.own = self._own_id()
        self._own_server = OwnServer(self._conductor, microseconds, max(1, config.work_factor))
        self._told = state, self._conductor.hash
        self._effects: deque[Effect] = deque()
        self._events: deque[Event] = deque()
        self._is_working_off = False
        self._is_computing = False
        self._standing_us = 0
        for thing in state.objects.values():
            if thing.meta.captain is not None:
                # Whoever had a ship before a restart may come back to it.
                self._activity.hear(thing.meta.captain, self._now())

    def _subscribe(self) -> None:
        me = vista.self_ref(self)
        try:
            # Not before: whoever finds the game may join it, and gets all objects.
            vista.register_service(SERVICE, me)
        except vista.ServiceTaken:
            for thing in self._things.clear():
                vista.post(thing, "delete_yourself")
            raise
        for name, method in (
            ("PeerRegistry", "add_notify_when_peer_registered"),
            ("ShutdownService", "register"),
        ):
            try:
                vista.send(name, method, me)
            except vista.NoSuchService:
                _log.info("no %s here", name)

    def delete(self) -> None:
        """End the game on this node; a saved one can be gone on with."""
        self._end_game()
        for ref in (self._recorder, self.own_secondary, *self._things.clear()):
            if ref is not None:
                vista.post(ref, "delete_yourself")

    def system_shutdown(self) -> None:
        """Tell the servers, and save the game with all that was admitted for steps to come.

        ``ShutdownService`` sends it. What is asked from here on is refused: it could not be kept.
        """
        self._ends = True
        self._end_game()
        self._save_records()
        self.save_state(True)

    def _end_game(self) -> None:
        for ticket, id in self._tickets.items():
            vista.post(self._outboxes[id].server, "primary_ended", ticket)

    # --- looking ---------------------------------------------------------------------------

    def get_step(self) -> int:
        """Return the number of the step that was committed last."""
        return self._told[0].step

    def get_hash(self) -> str:
        """Return the hash of the state that was committed last."""
        return self._told[1]

    def get_epoch(self) -> int:
        """Return how many lives the game had before this one."""
        return self._conductor.epoch

    def get_version(self) -> str:
        """Return the version of the rules, which every server must have; see `rules_version`."""
        return rules_version()

    def get_things(self) -> dict[str, vista.Ref]:
        """Return the objects of the galaxy by short name."""
        objects = self._told[0].objects
        return {name: self._things.refs[objects[name].meta.id] for name in sorted(objects)}

    def get_servers(self) -> list[dict[str, Any]]:
        """Return what is known of each server: state, speed, work done, late and lost, faults."""
        rows: list[dict[str, Any]] = self.get_servers_table()["servers"]
        return rows

    def get_servers_table(self) -> dict[str, Any]:
        """Return what the page of the servers shows; see `tables.servers_table`."""
        return servers_table(self._conductor, self._places, self._ledger, self.trouble)

    def get_own_server(self) -> vista.Ref | None:
        """Return the server on this node, which the primary made."""
        return self.own_secondary

    def ask_screens(self, name: str, words: Sequence[Any]) -> Any:
        """Return what is shown on this node; `StarshipOwnSecondary` passes on what it is asked."""
        return self._screens.answer(name, words)

    def _show_anew(self) -> None:
        """Show a state that is not the step after the last one."""
        state = self._told[0]
        self._screens.begin(state, self._config.terms(), self._names.get_lost_rows(), self._news)

    def _rejoin_all(self) -> None:
        self._news = self._look_around()
        self._show_anew()
        for id in sorted(self._outboxes):
            self._tell(Joined(id))
        self._set_alarm()

    def step(self) -> None:
        """Begin a step now, if none is being computed."""
        self._tell(Tick(step=True))

    # --- time ------------------------------------------------------------------------------

    def timer_expired(self, timer: vista.Ref, what: int | str) -> None:
        """See what is due; the timer sends it."""
        if isinstance(what, str):
            self._step_is_late(int(what.removeprefix("late ")))
        elif what == self._alarms:
            self._alarm = math.inf
            self._tell(Tick())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _set_alarm(self) -> None:
        due = self._conductor.next_deadline()
        if due < self._alarm:
            self._alarm = due
            self._alarms += 1
            wait = max(0.0, due - self._now())
            vista.create("TimerEvent", vista.self_ref(self), wait, self._alarms)

    # --- what the conductor wants ----------------------------------------------------------

    def _tell(self, event: Event) -> None:
        if self._held is not None:
            # Until the step that was decided last is safe, nothing else is.
            self._keep(event)
            return
        began, phase = microseconds(), self._conductor.phase
        self._effects.extend(self._conductor.handle(event, self._now()))
        self._work_off()
        if self._conductor.phase is not phase:
            self._note_standing(phase is Phase.COLLECTING, microseconds() - began)
        self._alarm = math.inf if self._alarm <= self._now() else self._alarm
        self._set_alarm()

    def _keep(self, event: Event) -> None:
        """Have an event wait until a step is saved; what is due by time `_go_on` sees to then."""
        if isinstance(event, Received):
            if len(self._events) >= WAITING_MAX:
                return
            if isinstance(event.message, StepUpdate):
                late = Late(event.message.epoch, len(event.message.deltas))
                event = Received(event.server, late)
        if not isinstance(event, Tick):
            self._events.append(event)

    def _note_standing(self, begins: bool, spent_us: int) -> None:
        """Take note of how long it took to begin a step or to end it: no server does that."""
        if begins:
            self._conductor.pool.note_standing(self._own_id(), self._standing_us / 1_000_000)
            self._standing_us = 0
        self._standing_us += spent_us

    def _work_off(self) -> None:
        # One thread at a time: what another one adds meanwhile is carried out in its place here.
        if self._is_working_off:
            return
        self._is_working_off = True
        try:
            while self._effects and self._held is None:
                effect = self._effects.popleft()
                if not (isinstance(effect, Committed) and self._hold(effect)):
                    self._carry_out(effect)
        finally:
            self._is_working_off = False

    def _go_on(self, done: Committed) -> None:
        """Carry out what waited for a step to be safe."""
        began = microseconds()
        self._carry_out(done)
        self._work_off()
        self._note_standing(False, microseconds() - began)
        while self._events and self._held is None:
            self._tell(self._events.popleft())
        self._tell(Tick())

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._send(effect.to, effect.message)
        elif isinstance(effect, Committed):
            self._show(effect)
        elif isinstance(effect, Report):
            self._ledger.note(effect, self._conductor.state.step)
            _log.info("%s: %s", effect.kind, effect.text)

    def _send(self, id: str, message: Snapshot | StepBegin | StepUpdate | StepCommit) -> None:
        outbox = self._outboxes.get(id)
        if outbox is None:
            return
        if isinstance(message, StepBegin):
            self._note_begin(id, message)
        if outbox.own:
            self._tell_own(id, message)
            return
        put: Any = Made(message, *self._made) if isinstance(message, StepCommit) else message
        try:
            if outbox.put(put):
                vista.post(vista.self_ref(self), "send_state", id)
        except vista.Overloaded as error:
            _log.error("server %s is let go: %s", id, error)
            self._forget(id)

    def send_state(self, id: str) -> None:
        """Send a server the state it was promised, piece by piece; the primary posts it."""
        outbox = self._outboxes.get(id)
        if outbox is None:
            return
        try:
            for call in outbox.send_state(self._more, self._things.refs):
                call.result()
                if self._outboxes.get(id) is not outbox:
                    return
        except vista.VistaError as error:
            _log.warning("server %s did not take the state: %s", id, error)
            if self._outboxes.get(id) is outbox:
                self._forget(id)

    def _more(self, snapshot: Snapshot) -> str:
        """What a server is told with a state."""
        return json.dumps(
            {
                "terms": self._config.terms().plain(),
                "theme": theme_text(snapshot.state.theme),
                "lost": self._names.get_lost_rows(),
                "news": self._look_around(),
            }
        )

    def _look_around(self) -> dict[str, Any]:
        """What servers are told after each step that is not the simulation's."""
        due = self._conductor.next_deadline() - self._now()
        return {
            "next_in": max(0.0, due) if math.isfinite(due) else None,
            "table": self.get_servers_table(),
            "kept": self._left_over,
        }

    def look_for_left_over(self) -> None:
        """See which ships of owners are left over from earlier games; the primary posts it."""
        theme = self._conductor.state.theme
        self._left_over = [
            {"name": owned.name, "full_name": theme.full_name(owned.race, "starship", owned.name)}
            for owned in self._names.list_owned()
            if not owned.here
        ][-KEPT_SHOWN_MAX:]

    # --- what a step left ------------------------------------------------------------------

    def _make(self, state: State, thing: Thing) -> vista.Ref:
        full_name = state.theme.full_name(thing.race, thing.kind, thing.name)
        text = self._conductor.text_of(thing)
        made = vista.create(CLASSES[thing.kind], thing.meta.id, full_name, text)
        self._things.put(thing.meta.id, made)
        return made

    def _show(self, done: Committed) -> None:
        """Let the objects show what a step changed, and keep what outlives it."""
        before, after = self._told[0], done.state
        self._told = after, done.hash
        self._news = self._look_around()
        found = differences(before, after)
        for number in found.gone:
            gone = self._things.take(number)
            if gone is not None:
                vista.post(gone, "delete_yourself")
        made = [thing for thing in after.objects.values() if thing.meta.id in found.made]
        for thing in made:
            self._make(after, thing)
        computed = self._news["table"]["computed"]
        self._things.show(after, self._conductor.text_of, computed)
        self._show_soon()
        if any(not outbox.own for outbox in self._outboxes.values()):
            # Once for all servers, which are told it with the commit.
            self._made = encoded(made, self._things.refs), json.dumps(self._in_short(before))
        self._note_commit(done)
        rows = fallen(before, after)
        if rows:
            vista.post(self._names, "lose", rows)
        if self._recorder is not None:
            played = Played(done.orders, done.deferred, done.structure, done.hash)
            vista.post(self._recorder, "write", write_step(played))
        count_step(self._count, done, self._conductor, self._now())
        self._dismiss_silent()
        self._screens.go_on(before, after, self._news)

    def _show_soon(self) -> None:
        # With a full mailbox the next step tries again: this one is to be told and kept anyway.
        with contextlib.suppress(vista.Overloaded):
            if not self._is_showing:
                vista.post(self._me, "show_rest")
                # After it: a message that was refused does not come.
                self._is_showing = True

    def show_rest(self) -> None:
        """Let some of the objects show what the last step left; the primary posts it to itself.

        Captains and servers have been told of the step before.
        """
        self._is_showing = False
        self._screens.keep_frame()
        self._things.go_on(THINGS_AT_ONCE)
        if self._things.has_more:
            self._show_soon()

    def _in_short(self, before: State) -> dict[str, Any]:
        """Return the news as servers get them, who computed what in a letter for each unit."""
        table = {**self._news["table"], "computed": {}}
        computed = computed_in_short(self._conductor.authors, before)
        return {**self._news, "table": table, "computed": computed}
