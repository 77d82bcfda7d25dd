"""A server of a game: takes its share of every step and keeps a copy of everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

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
)
from apps.starship.objects.clock import microseconds
from apps.starship.objects.configuration import WORK_FACTOR_MAX, read_terms
from apps.starship.objects.showing import ScreenSource
from apps.starship.objects.tables import computed_in_full
from apps.starship.objects.things import THINGS_AT_ONCE, Exhibits
from apps.starship.objects.version import rules_version
from apps.starship.rules.encoding import digest
from apps.starship.rules.objects import Thing
from apps.starship.rules.reading import read_in_pieces, read_things
from apps.starship.rules.state import State
from apps.starship.rules.theme import parse_theme

_log = logging.getLogger("vista.starship")

PRIMARY = "StarshipPrimary"
MERGED_AT_ONCE = 256
"""Own results that are merged in one go, 1 ms."""
UNREAD_MAX = 10_000
"""Messages with results of others that wait until the own units are done."""
LOOK_AGAIN_SECONDS = 2.0
"""How often a server without a primary looks for one."""
CHECK_SECONDS = 10.0
"""How often a server asks whether the primary still has it: word that it was let go may be lost."""
REFUSED_SECONDS = 30.0
"""How often one asks again that was refused: somebody may have brought the game up to date."""


class StarshipSecondary(ScreenSource, vista.Object, namespace="StarShip"):
    """A server of a game: computes what the primary gives it and has all objects of the galaxy.

    rc line: ``StarshipSecondary``

    ``create(primary=None, work_factor=0)``: ``primary`` is a Ref; by default the service
    ``StarshipPrimary`` is looked for, among peers as well, for as long as it takes. The primary
    has one on its own node, see `StarshipOwnSecondary`. ``work_factor`` computes everything as many
    times, for demonstrations, 0 as often as the primary says. While the primary cannot be reached
    the server shows its last state, and joins again by itself. A server with other rules than the
    primary's is refused.

    Whoever shows the game reads everything from the server of its own node: see `get_screens`,
    `get_map` and `add_watcher`.

    The original's StarshipSecondary.
    """

    def create(self, primary: vista.Ref | None = None, work_factor: int = 0) -> None:
        """Begin to look for the primary."""
        if not 0 <= work_factor <= WORK_FACTOR_MAX:
            raise vista.BadValueError(f"work_factor is 0 to {WORK_FACTOR_MAX}, not {work_factor}")
        self._begin_showing()
        self._work_factor = work_factor
        self._follower = Follower(microseconds, work_factor)
        self._primary = primary
        self._ticket = 0
        self._node: vista.Ref | None = None
        self._things = Exhibits()
        self._copies: dict[vista.Id, vista.Ref] = {}
        self._doomed: dict[vista.Id, vista.Ref] = {}
        self._pieces: _Pieces | None = None
        self._unread: deque[tuple[int, int, str]] = deque()
        self._is_working = False
        self._is_showing = False
        self._is_looking = False
        self.url = ""
        self.refusal = ""
        self.frozen = True
        me = vista.self_ref(self)
        with contextlib.suppress(vista.NoSuchService):
            vista.send("ShutdownService", "register", me)
        try:
            vista.send("PeerRegistry", "add_notify_when_peer_registered", me)
        except vista.NoSuchService:
            _log.info("no PeerRegistry here: only a game on this node can be joined")
        vista.create("TimerEvent", me, CHECK_SECONDS, "check")
        me.join.post()

    def delete(self) -> None:
        """Leave the game politely, and take the copies along."""
        self._leave()
        self._forget_things()

    def system_shutdown(self) -> None:
        """Leave the game politely: others do what is to be done; ``ShutdownService`` sends it.

        The players are told where they can go on.
        """
        self._note_leaving()
        self._leave()

    def _leave(self) -> None:
        if self._primary is not None:
            vista.future(self._primary, "unregister_server", self._ticket)
        # The link that ends now is no loss.
        self._node = None

    # --- the primary -----------------------------------------------------------------------

    def join(self) -> None:
        """Look for the primary and join its game."""
        if not self.frozen:
            return
        try:
            primary = self._primary or vista.service(PRIMARY)
            answer = primary.register_server(vista.self_ref(self), vista.here(), self._offer())
        except vista.VistaError as error:
            _log.debug("no primary: %r", error)
            # That one may be gone, and another one be the service by this time.
            self._primary = None
            self._look_again(LOOK_AGAIN_SECONDS)
            return
        if "refused" in answer:
            self._note_refusal(str(answer["refused"]))
            return
        self.refusal = ""
        self._ticket, self._primary = answer["ticket"], primary

    def _offer(self) -> dict[str, Any]:
        """What the primary is told of this server."""
        name = vista.here().get_name()
        return {"version": rules_version(), "url": self.url, "name": name}

    def _note_refusal(self, why: str) -> None:
        if why != self.refusal:
            _log.error("the primary does not take this server: %s", why)
        self.refusal = why
        self._look_again(REFUSED_SECONDS)

    def _look_again(self, seconds: float) -> None:
        # One timer is enough, however many peers come and go while there is no primary.
        if self._is_looking:
            return
        self._is_looking = True
        vista.create("TimerEvent", vista.self_ref(self), seconds)

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Look for the primary again, or ask whether it has this server; the timer sends it."""
        if extra_data == "check":
            self._check_in()
        else:
            self._is_looking = False
            self.join()

    def _check_in(self) -> None:
        """Freeze, and so join again, if the primary let this server go without its noticing."""
        vista.create("TimerEvent", vista.self_ref(self), CHECK_SECONDS, "check")
        ticket = self._ticket
        if self._primary is None:
            return
        try:
            known = self._primary.knows_server(ticket)
        except vista.VistaError as error:
            _log.debug("the primary does not answer: %r", error)
            if self.frozen and ticket == self._ticket:
                # It went before it sent the game: nothing else would tell.
                self._freeze()
            return
        if not known and ticket == self._ticket:
            _log.warning("the primary has let this server go: it joins again")
            self._freeze()

    def peer_registered(self, creator: vista.Ref | None) -> None:
        """A node is there (again): it may have the primary. `PeerRegistry` sends it."""
        self.join()

    def peer_unregistered(self, creator: vista.Ref) -> None:
        """Show what there is while the primary's node is gone; `PeerRegistry` sends it."""
        if creator == self._node:
            _log.warning("link to the primary lost: frozen at step %d", self.get_step())
            self._freeze()

    def primary_ended(self, ticket: int) -> None:
        """Freeze, since the primary goes; it posts it when its node stops or it is deleted."""
        if ticket == self._ticket:
            _log.warning("the primary has ended: frozen at step %d", self.get_step())
            self._freeze()

    def _freeze(self) -> None:
        self.frozen = True
        self._node = None
        self._primary = None
        self._tell_watchers()
        self._look_again(LOOK_AGAIN_SECONDS)

    def set_url(self, url: str) -> None:
        """Say where this server's site is, for the page of the servers and for its players."""
        self.url = url
        if self._primary is not None and self._ticket:
            self._primary.server_url.post(self._ticket, url)

    def get_refusal(self) -> str:
        """Return why the primary does not take this server, ``""`` if it does."""
        return self.refusal

    # --- what the primary sends ------------------------------------------------------------

    def begin_snapshot(
        self, epoch: int, head: str, more: str, hash: str, node: vista.Ref, count: int
    ) -> None:
        """Begin to take over the state of the game, in ``count`` pieces; ``node`` sends it.

        ``more`` is JSON: ``terms``, ``theme``, ``lost`` and ``news``.
        """
        self._node = node
        self._pieces = _Pieces(epoch, head, json.loads(more), hash, count)
        self._forget_things()

    def take_piece(
        self, epoch: int, hash: str, number: int, text: str, objects: tuple[bytes, ...]
    ) -> None:
        """Take a piece of the state with a hash, and its objects with their Ids."""
        pieces = self._pieces
        if pieces is None or not pieces.fits(epoch, hash, number):
            return
        for data in objects:
            self._import(data)
        if self._pieces is not pieces:
            # Another state has begun to come, and took these objects away again.
            return
        pieces.add(read_things(text))
        if pieces.complete:
            self._pieces = None
            self._begin_game(pieces)

    def _begin_game(self, pieces: _Pieces) -> None:
        terms, state = read_terms(pieces.more["terms"]), pieces.state()
        self._follower.work_factor = max(1, self._work_factor or terms.work_factor)
        self.frozen = False
        self._handle(Snapshot(pieces.epoch, state, pieces.hash))
        self._note_game(state, terms, pieces.more["lost"])
        self._note_news(pieces.more["news"])
        self._tell_watchers()
        _log.info("in the game at step %d", state.step)

    def begin_step(self, epoch: int, t: int, line: str, units: str) -> None:
        """Compute units of a step."""
        self._handle(read_begin(epoch, t, line, units))
        self._work_soon()

    def stage_results(self, epoch: int, t: int, deltas: str) -> None:
        """Keep what others computed; it is read when the own units are done."""
        self._unread.append((epoch, t, deltas))
        if len(self._unread) > UNREAD_MAX:
            self._read_results()
        self._work_soon()

    def _read_results(self) -> None:
        """Read the results of others that came first."""
        epoch, t, deltas = self._unread.popleft()
        state = self._follower.state
        if state is None or t != state.step + 1:
            return
        try:
            found = read_deltas(deltas, state)
        except ScenarioError as error:
            self._send([Refresh(epoch, str(error))])
            return
        self._handle(StepUpdate(epoch, t, found))

    def commit_step(
        self, epoch: int, t: int, line: str, objects: tuple[bytes, ...], news: str = "{}"
    ) -> None:
        """Make the step's state the present one; ``news`` is JSON that the rules do not need."""
        while self._unread:
            self._read_results()
        before = self._follower.state
        self._handle(read_commit(epoch, t, line))
        after = self._follower.state
        if before is None or after is None or after is before:
            return
        told = json.loads(news)
        computed = computed_in_full(told.get("computed", {}), before)
        if "table" in told:
            told["table"]["computed"] = computed
        for data in objects:
            self._import(data)
        self._show(before, after, computed)
        self._note_commit(before, after)
        self._note_news(told)
        self._tell_watchers()
        self._show_soon()

    def _show_soon(self) -> None:
        if not self._is_showing:
            vista.self_ref(self).show_rest.post()
            # After it: a message that was refused does not come.
            self._is_showing = True

    def show_rest(self) -> None:
        """Let some of the copies show what the last step left; the server posts it to itself."""
        self._is_showing = False
        self.keep_frame()
        self._things.go_on(THINGS_AT_ONCE)
        if self._things.has_more:
            self._show_soon()

    def work(self) -> None:
        """Compute some of the units that wait, or read results; the server posts it to itself.

        The own units come first: others wait for them.
        """
        try:
            # A node looks at its links after 16 messages, and these are long: what was computed is
            # to leave before more is.
            vista.sleep(0)
            follower = self._follower
            if follower.has_work:
                self._send(follower.work(follower.at_once))
            elif follower.is_behind:
                follower.catch_up(MERGED_AT_ONCE)
            elif self._unread:
                self._read_results()
        finally:
            self._is_working = False
        self._work_soon()

    def _work_soon(self) -> None:
        # A message for each batch: in between the node sees to everything else.
        follower = self._follower
        if not self._is_working and (follower.has_work or follower.is_behind or self._unread):
            vista.self_ref(self).work.post()
            # After it: a message that was refused does not come.
            self._is_working = True

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
                    ticket, answer.epoch, answer.t, write_deltas(answer.deltas, answer.t)
                )
            elif isinstance(answer, StepDone):
                primary.server_done.post(ticket, answer.epoch, answer.t, answer.busy_us)
            elif isinstance(answer, Ready):
                primary.server_ready.post(ticket, answer.epoch, answer.t, answer.hash)
            else:
                primary.server_refresh.post(ticket, answer.epoch, answer.why)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    # --- the copies ------------------------------------------------------------------------

    def _import(self, data: bytes) -> None:
        made = vista.import_object(data)
        # At once: who sent it may be lost while the copy is asked for its number.
        self._copies[vista.id_of(made)] = made
        self._things.put(made.get_number(), made)

    def _forget_things(self) -> None:
        # Taken out first: while one is waited for that is deleted, others may come; and whoever
        # is cut off in the midst leaves the rest to the next.
        self._doomed.update(self._copies)
        self._copies = {}
        self._things.clear()
        while self._doomed:
            _id, made = self._doomed.popitem()
            with contextlib.suppress(vista.NoSuchObject):
                vista.send(made, "delete_yourself")

    def _show(
        self, before: State, after: State, computed: Mapping[str, Sequence[str | None]]
    ) -> None:
        """Have the copies show from now on what a step changed, and who computed it."""
        for number in differences(before, after).gone:
            gone = self._things.take(number)
            if gone is not None:
                self._copies.pop(vista.id_of(gone), None)
                vista.post(gone, "delete_yourself")
        self._things.show(after, self._follower.text_of, computed)

    # --- looking ---------------------------------------------------------------------------

    def get_hash(self) -> str:
        """Return the hash of the state, worked out anew."""
        state = self._follower.state
        return "" if state is None else digest(state)

    def get_things(self) -> dict[str, vista.Ref]:
        """Return this node's copies of the objects by short name."""
        state = self._follower.state
        if state is None:
            return {}
        return {
            name: self._things.refs[thing.meta.id]
            for name, thing in sorted(state.objects.items())
            if thing.meta.id in self._things.refs
        }


class _Pieces:
    """A state that comes piece by piece."""

    def __init__(self, epoch: int, head: str, more: dict[str, Any], hash: str, count: int) -> None:
        self.epoch, self.head, self.more, self.hash = epoch, head, more, hash
        self._count = count
        self._next = 0
        self._things: list[Thing] = []

    def fits(self, epoch: int, hash: str, number: int) -> bool:
        """Tell whether a piece is the next one."""
        return (epoch, hash, number) == (self.epoch, self.hash, self._next)

    def add(self, things: list[Thing]) -> None:
        """Add the next piece."""
        self._next += 1
        self._things += things

    @property
    def complete(self) -> bool:
        """Whether it was the last piece."""
        return self._next == self._count

    def state(self) -> State:
        """Return the state. Raises `ScenarioError` for what is none."""
        return read_in_pieces(self.head, self._things, parse_theme(self.more["theme"]))
