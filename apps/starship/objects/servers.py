"""The servers of a game at its primary: who is in it, what they send, and the primary's own one.

Two rules. A server speaks by the ticket it got, since a posted message does not tell its sender.
Everything that comes is checked before the rules see it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

import vista
from apps.starship.errors import ScenarioError
from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Event, Joined, Lost, Received
from apps.starship.game.following import Message
from apps.starship.game.messages import FromServer, Ready, Refresh, StepDone, StepUpdate
from apps.starship.game.own import OwnServer
from apps.starship.game.texts import read_deltas
from apps.starship.objects.sending import Letters, Outbox
from apps.starship.objects.tables import Ledger, Place
from apps.starship.objects.version import rules_version
from apps.starship.rules.reading import check_delta
from apps.starship.rules.state import State

_log = logging.getLogger("vista.starship")

SERVERS_MAX = 256
"""Servers of one game: the primary sends each of them every result."""
BUSY_US_MAX = 10**12
"""Microseconds a server says it was busy, 12 days: a larger number is none."""
NUMBER_MAX = 2**63 - 1
"""Larger numbers are none: the runtime carries them of any length."""
WORDS_MAX = 200
"""Characters of what a server says of itself."""


class ServersDesk:
    """The part of a `StarshipPrimary` to which servers send messages."""

    _conductor: Conductor
    _ledger: Ledger
    _told: tuple[State, str]
    _me: vista.Ref
    _own_server: OwnServer
    _is_computing: bool
    own_secondary: vista.Ref | None
    _tell: Callable[[Event], None]
    _note_results: Callable[[str, int], None]

    def _begin_servers(self) -> None:
        self._outboxes: dict[str, Outbox] = {}
        self._letters = Letters()
        self._places: dict[str, Place] = {}
        self._nodes: dict[str, vista.Ref] = {}
        self._tickets: dict[int, str] = {}
        self._own_url = ""

    # --- servers ---------------------------------------------------------------------------

    def register_server(
        self, server: vista.Ref, node: vista.Ref, offer: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Take a server into the game; a `StarshipSecondary` sends it, ``node`` is its creator.

        ``offer`` has the ``version`` of its rules, the ``url`` of its site and the ``name`` of its
        node. Returns ``{"ticket": number}``: whoever has it speaks for the server, and nobody else
        does. Or ``{"refused": sentence}`` for one that has other rules.
        """
        offer = offer or {}
        version, own = _in_short(offer.get("version", "none")), rules_version()
        name = _in_short(offer.get("name", ""))
        if version != own:
            why = f"it has the rules {version}, the game is played by {own}"
            self._ledger.refuse(name or str(vista.id_of(node)), why, self._told[0].step)
            _log.error("server on %s is not taken: %s", name or node, why)
            return {"refused": f"this server has the rules {version}, the game is played by {own}"}
        id = str(vista.id_of(server))
        if id == self._own_id():
            # It needs no ticket, and whoever had one would be believed whatever he sends.
            return {"refused": "this is the primary's own server"}
        if len(self._outboxes) >= SERVERS_MAX and id not in self._outboxes:
            return {"refused": f"the game has {SERVERS_MAX} servers already"}
        self._tickets = {ticket: known for ticket, known in self._tickets.items() if known != id}
        ticket = secrets.randbits(62)
        self._tickets[ticket] = id
        self._outboxes[id], self._nodes[id] = Outbox(server, False, self._letters), node
        self._places[id] = Place(name, _in_short(offer.get("url", "")), False)
        self._tell(Joined(id))
        return {"ticket": ticket}

    def unregister_server(self, ticket: int) -> None:
        """Let a server go; what it still had to do others do."""
        id = self._speaker(ticket)
        if id is not None:
            self._forget(id)

    def knows_server(self, ticket: int) -> bool:
        """Tell a server whether it is in the game; one that was let go may not have heard of it."""
        return self._speaker(ticket) is not None

    def server_url(self, ticket: int, url: str) -> None:
        """Take note of where a server's site is; it posts it."""
        id = self._speaker(ticket, url=(url, str))
        if id is not None:
            self._places[id].url = _in_short(url)

    def _forget(self, id: str) -> None:
        del self._outboxes[id], self._nodes[id], self._places[id]
        self._tickets = {ticket: known for ticket, known in self._tickets.items() if known != id}
        self._tell(Lost(id))

    def peer_registered(self, creator: vista.Ref | None) -> None:
        """Nodes that come are no news; `PeerRegistry` sends it."""

    def peer_unregistered(self, creator: vista.Ref) -> None:
        """Lose the servers of a node that is gone; `PeerRegistry` sends it."""
        for id in [id for id, node in self._nodes.items() if node == creator]:
            self._forget(id)

    def server_sent(self, ticket: int, epoch: int, t: int, deltas: str) -> None:
        """Take results; a server posts it."""
        # Before anything is read: what a stranger sends is to cost nothing.
        id = self._speaker(ticket, epoch=(epoch, int), step=(t, int), results=(deltas, str))
        if id is None:
            return
        try:
            state = self._conductor.state
            # Late ones only count: what they are of may be gone, which is no fault of a server.
            is_late = t <= state.step
            found = read_deltas(deltas, None if is_late else state)
            for delta in () if is_late else found:
                check_delta(state, delta)
        except ScenarioError as error:
            # It may have in it whatever was sent.
            self._take_in(id, Refresh(epoch, _in_short(f"it sent what is no result: {error}")))
            return
        update = StepUpdate(epoch, t, found)
        self._letters.keep(update, deltas)
        self._take_in(id, update)

    def server_done(self, ticket: int, epoch: int, t: int, busy_us: int) -> None:
        """Take note that a server has sent everything; it posts it."""
        id = self._speaker(ticket, epoch=(epoch, int), step=(t, int), time=(busy_us, int))
        if id is not None:
            self._take_in(id, StepDone(epoch, t, min(max(0, busy_us), BUSY_US_MAX)))

    def server_ready(self, ticket: int, epoch: int, t: int, hash: str) -> None:
        """Take the hash of a server's state; it posts it."""
        id = self._speaker(ticket, epoch=(epoch, int), step=(t, int), hash=(hash, str))
        if id is not None:
            self._take_in(id, Ready(epoch, t, _in_short(hash)))

    def server_refresh(self, ticket: int, epoch: int, why: str) -> None:
        """A server cannot go on; it posts it."""
        id = self._speaker(ticket, epoch=(epoch, int), reason=(why, str))
        if id is not None:
            self._take_in(id, Refresh(epoch, _in_short(why)))

    def _speaker(self, ticket: int, **words: tuple[object, type]) -> str | None:
        """Return which server has a ticket; None for none, and for one that sent other types.

        ``words`` are by what they are called: what came, and what it must be. Another type is the
        fault of whoever has the ticket; of a stranger nobody hears.
        """
        id = self._tickets.get(ticket) if type(ticket) is int else None
        if id is None:
            return None
        for name, (word, kind) in words.items():
            if type(word) is not kind:
                found = type(word).__name__
                why = f"it sent a {found} as the {name}, which is a {kind.__name__}"
            elif type(word) is int and abs(word) > NUMBER_MAX:
                why = f"it sent a number of {word.bit_length()} bits as the {name}"
            else:
                continue
            self._take_in(id, Refresh(self._conductor.epoch, why))
            return None
        return id

    def _take_in(self, id: str, message: FromServer) -> None:
        self._tell(Received(id, message))
        if isinstance(message, StepUpdate):
            self._note_results(id, len(message.deltas))

    # --- the own server --------------------------------------------------------------------

    def _own_id(self) -> str:
        return "" if self.own_secondary is None else str(vista.id_of(self.own_secondary))

    def take_own_server(self) -> None:
        """Take the own server into the game; the primary posts it to itself."""
        id, own = self._own_id(), self.own_secondary
        if own is None or id in self._outboxes:
            return
        self._conductor.own = id
        self._outboxes[id] = Outbox(own, True, self._letters)
        self._nodes[id] = vista.here()
        self._places[id] = Place(vista.here().get_name(), self._own_url, True)
        self._tell(Joined(id))
        _log.info("in the game at step %d", self._told[0].step)

    def set_own_url(self, url: str) -> None:
        """Take note of where the site of this node is; its server posts it."""
        self._own_url = str(url)[:WORDS_MAX]
        place = self._places.get(self._own_id())
        if place is not None:
            place.url = self._own_url

    def _tell_own(self, id: str, message: Message) -> None:
        """Tell the own server what every server is told."""
        for answer in self._own_server.handle(message):
            self._take_in(id, answer)
        self._work_soon()

    def _work_soon(self) -> None:
        # A message for each batch: in between the node sees to everything else. With a full mailbox
        # the own server is a slow one: others get their work, and time is gone on with.
        with contextlib.suppress(vista.Overloaded):
            if self._own_server.has_work and not self._is_computing:
                self._me.work.post()
                # After it: a message that was refused does not come.
                self._is_computing = True

    def work(self) -> None:
        """Compute some of the own server's units; the primary posts it to itself."""
        try:
            # A node looks at its links after 16 messages, and these are long: others would wait for
            # their work and for these results, and what they have sent would wait.
            vista.sleep(0)
            own = self._own_server
            for answer in own.work(own.at_once):
                self._take_in(self._conductor.own, answer)
        finally:
            self._is_computing = False
        self._work_soon()


def _in_short(words: object) -> str:
    """Return what a server says for logs and pages: some characters, all of them on one line."""
    return "".join(c if c.isprintable() else "?" for c in str(words)[:WORDS_MAX])
