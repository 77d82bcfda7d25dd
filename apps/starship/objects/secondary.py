"""A server of a game: takes its share of every step and keeps a copy of everything."""

from __future__ import annotations

import asyncio
import logging

import vista
from apps.starship.errors import ScenarioError
from apps.starship.game.differences import differences
from apps.starship.game.following import Answer, Follower, Message
from apps.starship.game.messages import Ready, Refresh, Snapshot, StepDone, StepUpdate
from apps.starship.game.texts import (
    read_begin,
    read_commit,
    read_deltas,
    write_deltas,
    write_units,
)
from apps.starship.rules.encoding import changes_to_plain, digest
from apps.starship.rules.reading import read_state
from apps.starship.rules.state import State
from apps.starship.themes import shipped_theme

_log = logging.getLogger("vista.starship")

PRIMARY = "StarshipPrimary"
LOOK_AGAIN_SECONDS = 2.0
"""How often a server without a primary looks for one."""


class StarshipSecondary(vista.Object, namespace="StarShip"):
    """A server of a game: computes what the primary gives it and has all objects of the galaxy.

    rc line: ``StarshipSecondary``

    ``create(primary=None, own=False, work_factor=1)``: ``primary`` is a Ref; by default the service
    ``StarshipPrimary`` is looked for, among peers as well, for as long as it takes. The primary
    makes one on its own node with ``own``. ``work_factor`` computes everything as many times, for
    demonstrations. While the primary cannot be reached the server shows its last state, and joins
    again by itself.

    The original's StarshipSecondary.
    """

    def create(
        self, primary: vista.Ref | None = None, own: bool = False, work_factor: int = 1
    ) -> None:
        """Begin to look for the primary."""
        if not 1 <= work_factor <= 10_000:
            raise vista.BadValueError(f"work_factor is 1 to 10000, not {work_factor}")
        self._follower = Follower(self._microseconds, work_factor)
        self._own = own
        self._primary = primary
        self._ticket = 0
        self._node: vista.Ref | None = None
        self._things: dict[int, vista.Ref] = {}
        self._theme = shipped_theme()
        self.frozen = True
        me = vista.self_ref(self)
        if not own:
            try:
                vista.send("PeerRegistry", "add_notify_when_peer_registered", me)
            except vista.NoSuchService:
                _log.info("no PeerRegistry here: only a game on this node can be joined")
        me.join.post()

    def delete(self) -> None:
        """Leave the game politely, and take the copies along."""
        if self._primary is not None and not self._own:
            vista.future(self._primary, "unregister_server", self._ticket)
        self._forget_things()

    # --- the primary -----------------------------------------------------------------------

    def join(self) -> None:
        """Look for the primary and join its game."""
        if not self.frozen:
            return
        try:
            primary = self._primary or vista.service(PRIMARY)
            self._ticket = primary.register_server(vista.self_ref(self), vista.here())
            self._primary = primary
        except vista.VistaError as error:
            _log.debug("no primary: %r", error)
            self._look_again()

    def _look_again(self) -> None:
        vista.create("TimerEvent", vista.self_ref(self), LOOK_AGAIN_SECONDS)

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Look for the primary again; the timer sends it."""
        self.join()

    def peer_registered(self, creator: vista.Ref | None) -> None:
        """A node is there (again): it may have the primary. `PeerRegistry` sends it."""
        self.join()

    def peer_unregistered(self, creator: vista.Ref) -> None:
        """Show what there is while the primary's node is gone; `PeerRegistry` sends it."""
        if creator == self._node:
            _log.warning("link to the primary lost: frozen at step %d", self.get_step())
            self.frozen = True
            if not self._own:
                self._primary = None
            self._look_again()

    # --- what the primary sends ------------------------------------------------------------

    def take_snapshot(
        self, epoch: int, text: str, hash: str, node: vista.Ref, objects: tuple[bytes, ...]
    ) -> None:
        """Take over the state of the game, and its objects with their Ids; ``node`` sends it."""
        state = read_state(text, self._theme)
        self._node = node
        if not self._own:
            self._forget_things()
            for data in objects:
                self._import(data)
        self.frozen = False
        self._handle(Snapshot(epoch, state, hash))
        _log.info("in the game at step %d", state.step)

    def begin_step(self, epoch: int, t: int, line: str, units: str) -> None:
        """Compute units of a step."""
        self._handle(read_begin(epoch, t, line, units))
        self._work_soon()

    def stage_results(self, epoch: int, t: int, deltas: str) -> None:
        """Keep what others computed."""
        self._handle(StepUpdate(epoch, t, read_deltas(deltas)))

    def commit_step(self, epoch: int, t: int, line: str, objects: tuple[bytes, ...]) -> None:
        """Make the step's state the present one."""
        before = self._follower.state
        self._handle(read_commit(epoch, t, line))
        after = self._follower.state
        if self._own or before is None or after is None or after is before:
            return
        for data in objects:
            self._import(data)
        self._show(before, after)

    def work(self) -> None:
        """Compute some of the units that wait; the server posts it to itself."""
        self._send(self._follower.work())
        self._work_soon()

    def _work_soon(self) -> None:
        # A message for each batch: in between the node sees to everything else.
        if self._follower.has_work:
            vista.self_ref(self).work.post()

    def _handle(self, message: Message) -> None:
        try:
            self._send(self._follower.handle(message))
        except ScenarioError as error:
            self._send([Refresh(message.epoch, str(error))])

    def _send(self, answers: list[Answer]) -> None:
        primary, ticket = self._primary, self._ticket
        if primary is None:
            return
        for answer in answers:
            if isinstance(answer, StepUpdate):
                primary.server_sent.post(
                    ticket, answer.epoch, answer.t, write_deltas(answer.deltas)
                )
            elif isinstance(answer, StepDone):
                units = write_units(answer.units)
                primary.server_done.post(ticket, answer.epoch, answer.t, units, answer.busy_us)
            elif isinstance(answer, Ready):
                primary.server_ready.post(ticket, answer.epoch, answer.t, answer.hash)
            else:
                primary.server_refresh.post(ticket, answer.epoch, answer.why)

    def _microseconds(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000)

    # --- the copies ------------------------------------------------------------------------

    def _import(self, data: bytes) -> None:
        made = vista.import_object(data)
        self._things[made.get_number()] = made

    def _forget_things(self) -> None:
        for made in self._things.values():
            vista.send(made, "delete_yourself")
        self._things = {}

    def _show(self, before: State, after: State) -> None:
        """Let the copies show what a step changed."""
        found = differences(before, after)
        for number in found.gone:
            gone = self._things.pop(number, None)
            if gone is not None:
                vista.post(gone, "delete_yourself")
        for number, groups in found.changed.items():
            thing = self._things.get(number)
            if thing is not None:
                changes = {group: changes_to_plain(made) for group, made in groups.items()}
                vista.post(thing, "update", changes)

    # --- looking ---------------------------------------------------------------------------

    def get_step(self) -> int:
        """Return the number of the step that was committed last, -1 before the first snapshot."""
        state = self._follower.state
        return -1 if state is None else state.step

    def get_hash(self) -> str:
        """Return the hash of the state, worked out anew."""
        state = self._follower.state
        return "" if state is None else digest(state)

    def is_frozen(self) -> bool:
        """Tell whether the primary cannot be reached, so that nothing goes on."""
        return self.frozen

    def get_things(self) -> dict[str, vista.Ref]:
        """Return this node's copies of the objects by short name."""
        state = self._follower.state
        if state is None:
            return {}
        return {
            name: self._things[thing.meta.id]
            for name, thing in sorted(state.objects.items())
            if thing.meta.id in self._things
        }
