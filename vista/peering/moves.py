"""Moving objects between nodes, with the messages on their way to them.

The old home prepares the new one, which then has the state but not the object; commits, after which
the object lives there, or does both by one message; and passes on, in their order, the messages
that waited and those that still come. Three rules. No message is lost or doubled: one that came to
the old home is passed on by it and answered through it. Order is kept: a node that learns where an
object went sends it nothing by the new way before a `FENCE` it sent by the old one has come back,
which follows all its earlier messages; also the new home lets its own objects wait for that. An
object lives in one place: until the old home knows whether its commit arrived nobody reaches the
object there, and it does not leave the new one.
After the original's copying by ``encodeObject`` and ``importObject``; the original did not move.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from vista.errors import BadValueError, CallError, ObjectBusy, Overloaded, PeerLost
from vista.ids import NODE_BYTES, Id
from vista.kernel import encoding, monitor
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.current import METHOD, PARENT, current
from vista.kernel.kernel import Kernel, creator_id
from vista.kernel.refs import Ref
from vista.kernel.table import ARRIVED, Record
from vista.mobility.likeness import are_alike, likeness_of
from vista.peering.early import EarlyCopies
from vista.peering.handovers import HandOvers, Package
from vista.peering.remote import CALLER, RemoteFuture, chain_of
from vista.peering.searches import Searches
from vista.peering.waiting import Arrivals, Fence, GivenUp, Posted, Settled, is_preemptable
from vista.wire.frames import CHAIN_LINK_BYTES, FENCE, FENCED, MOVED, Part, Row

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.peering.peering import Peering

_MAY_BE_STORED: Final = (
    "may be at that node, which was started again and has not opened %s yet; if it never will, "
    "stop it and remove the line of that store from the file stores in its state directory"
)

_TELL_AGAIN_SECONDS = 1.0
_log = logging.getLogger("vista.peering")


class Moves:
    """Where the objects are that are not at their birth node, as one node knows it.

    ``places`` says of objects that are elsewhere where they went, and ``has_forgotten`` whether
    there were more than it holds; ``fences`` are what waits, by the
    object's Id. ``departing`` holds the fences that wait until it is known whether an object left.
    """

    def __init__(self, peering: Peering) -> None:
        self.places: dict[bytes, bytes] = {}
        self.early_copies = EarlyCopies(peering.kernel, self.places)
        self.has_forgotten = False
        self.fences: dict[bytes, Fence] = {}
        self._peering = peering
        self._kernel = peering.kernel
        self._numbers: dict[int, Fence] = {}
        self._number = 0
        self.handovers = HandOvers(peering.kernel)
        self._run = peering.session_config.epoch
        self.departing: dict[bytes, list[tuple[bytes, int]]] = {}
        self.arrivals: dict[bytes, Arrivals] = {}
        # Who hears nothing for ``loss_seconds`` takes a link for lost, and what was on its way. Two
        # such ways there are at least: to the old home, and from that to the next one.
        self._late_seconds = 2 * peering.kernel.limits.loss_seconds
        remembered = peering.kernel.limits.moves_remembered_max
        self.given_up = GivenUp(remembered, self._late_seconds)
        self.posted = Posted(remembered, self._late_seconds)
        self._settled = Settled(peering.kernel.table.records)
        self.searches = Searches(peering, self)
        # When each node may be told again where an object went, in that order.
        self._told: dict[tuple[bytes, bytes], float] = {}
        peering.watchers.append(self._note_node)

    # --- arriving --------------------------------------------------------------------------

    def prepare(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: Sequence[str],
        watchers: Sequence[Any],
        departure: tuple[bytes, bytes],
        likeness: bytes = b"",
    ) -> bytes:
        """Take the state of an object that is to come here.

        ``departure`` has the node it is from and the move's own token; ``likeness`` is that of its
        class there. Returns which run of this node has it. Raises what `vista.import_object` does,
        and `BadValueError` when its class is another one here; that a service name is taken is
        found out at the commit.
        """
        origin, token = departure
        id, package = self._unpacked(data, acl, services, watchers)
        self._check_alike(id, package[0], origin, likeness)
        self.handovers.prepare(id, token, origin, package)
        return self._run

    def take(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: Sequence[str],
        watchers: Sequence[Any],
        departure: tuple[bytes, bytes, bytes],
        likeness: bytes = b"",
    ) -> None:
        """Do what `prepare` and `commit` do; ``departure`` has origin, token and run of this node.

        Raises what they do, `BadValueError` when the old home was told that the object was not
        taken, and `PeerLost` when it is an earlier run to which it was to go.
        """
        origin, token, run = departure
        if run != self._run:
            raise PeerLost("the object was to move to an earlier run of this node")
        id, package = self._unpacked(data, acl, services, watchers)
        self._check_alike(id, package[0], origin, likeness)
        self.handovers.take(id, token, origin)
        self._let_live(id, token, origin, package)

    def _unpacked(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: Sequence[str],
        watchers: Sequence[Any],
    ) -> tuple[Id, Package]:
        entry, id, state = encoding.read_encoding(self._kernel, data)
        self.check_free(id)
        return id, (entry, state, checked_acl(acl), tuple(services), tuple(watchers))

    def _check_alike(self, id: Id, entry: ClassEntry, origin: bytes, likeness: bytes) -> None:
        """Raise `BadValueError` when an object's class is another one here than where it was."""
        cls: type = entry.cls
        own = likeness_of(cls)
        if not are_alike(own, likeness):
            name = entry.full_name
            raise BadValueError(
                f"object {id} is of class {name} version {entry.version} with the code "
                f"{likeness.hex()[-8:]} of node {creator_id(origin)}, and node "
                f"{creator_id(self._peering.node)} has the code {own.hex()[-8:]} under that name: "
                "give the class that changed another version, or let this one take its place there "
                f"by there.offer_class_code(here().get_class_code({name!r}))"
            )

    def check_free(self, id: Id) -> None:
        """Raise `BadValueError` when an object with an Id is here.

        And `ObjectBusy` when it may be in a store of this node that is not open.
        """
        # Also one that waits in a store: it comes back with the next message.
        if self.is_kept(id):
            raise BadValueError(
                f"object {id} or a copy of it is here already; delete it before another one comes"
            )
        table = self._kernel.table
        # Of those born elsewhere it cannot be known which an earlier run had.
        if id.node == table.node and id.serial < table.run_start:
            closed = self._kernel.pagers.closed_stores()
            if closed:
                raise ObjectBusy(f"object {id} {_MAY_BE_STORED % ', '.join(closed)}")

    def is_coming(self, id: Id) -> bool:
        """Whether an object was prepared to move here."""
        return id in self.handovers.prepared

    def discard(self, id: bytes, token: bytes) -> None:
        """Forget a move: the object's old home knows how it ended."""
        self.handovers.forget(id, token)

    def release(self, id: Id) -> None:
        """Let an object move on though its old home may not know that it came here."""
        self.handovers.release(id)

    def is_kept(self, id: bytes) -> bool:
        """Whether an object is here or in a store of this node."""
        return id in self._kernel.table.records or self._kernel.pagers.have_stored(id)

    def took(self, id: Id, token: bytes, run: bytes) -> bool:
        """Return whether a move was committed that ``run`` of this node prepared.

        If it was not, it never will be.
        """
        if run != self._run:
            # An earlier run's, of which there is what it kept.
            return self._kept_before(id)
        return self.handovers.took(id, token)

    def _kept_before(self, id: Id) -> bool:
        if self.is_kept(id):
            return True
        closed = self._kernel.pagers.closed_stores()
        if closed:
            raise PeerLost(f"object {id} {_MAY_BE_STORED % ', '.join(closed)}")
        return False

    def commit(self, id: Id, token: bytes) -> None:
        """Let a prepared object live here.

        Its own node's messages for it wait until those of its old home have come.
        """
        self.check_free(id)
        origin, package = self.handovers.commit(id, token)
        self._let_live(id, token, origin, package)

    def _let_live(self, id: Id, token: bytes, origin: bytes, package: Package) -> None:
        kernel, (entry, state, acl, services, watchers) = self._kernel, package
        try:
            record = encoding.revive(kernel, entry, id, state)
        except BaseException:
            self.handovers.forget(id, token)
            raise
        if acl is not None:
            kernel.guard_of(record).acl = acl
        if watchers:
            kernel.guard_of(record).watch(record, list(watchers))
        # Where this node's own messages for it went so far.
        before = self.node_of(id)
        self.places.pop(id, None)
        self._settled.add(id)
        record.state = ARRIVED
        if record.queue is None:
            record.queue = monitor.new_queue()
        self.arrivals[id] = Arrivals(record, origin, before, self._peering.node)
        for name in services:
            if kernel.services.get_local(name) is None:
                kernel.services.register(name, record)
            else:
                _log.error("service %r of %s is taken here: it has that name no more", name, record)
        own = Fence(id, before, self._peering.node)
        fence = self.fences.get(id)
        if fence is not None:
            # What it holds was not sent anywhere. An earlier fence may have been where the object
            # was while messages waited for it there: this one goes behind those.
            own.held = fence.held
            if self._numbers.pop(fence.number, None) is not None:
                # Not of a search, whose questions are still to end.
                fence.cancel_timer()
        self.send_fence(own)

    def arrival(self, id: bytes) -> Arrivals | None:
        """Return where messages from other nodes wait for an object that has just arrived."""
        return self.arrivals.get(id)

    def _open(self, id: Id) -> None:
        """Let an object that arrived begin: first what came by its old home, then the rest."""
        arrivals = self.arrivals.pop(id, None)
        record = self._kernel.table.records.get(id)
        if record is None or arrivals is None or record.state is not ARRIVED:
            return
        waiting, record.queue = arrivals.in_order(), monitor.new_queue()
        self.let_in(record, waiting)

    def let_in(self, record: Record, waiting: Iterable[Any]) -> None:
        """Let go of an object that nobody got into, in the order of those who waited."""
        for item in waiting:
            if is_preemptable(item):
                self._kernel.threads.passing.begin(item)
                self._kernel.threads.make_ready(item)
            else:
                monitor.line_up(record, item)
        monitor.release(record)

    # --- knowing where ---------------------------------------------------------------------

    def node_of(self, id: Id) -> bytes:
        """Return the node where an object is thought to be."""
        return self.places.get(id) or id.node

    def has_moved(self, id: bytes) -> bool:
        """Whether an object that is not here went elsewhere."""
        return id in self.places

    def note_place(self, id: Id, node: bytes) -> None:
        """Remember that an object is at another node."""
        if id not in self.places and len(self.places) >= self._kernel.limits.moved_objects_max:
            # Its own node knows as well. If that is this one, the peers are asked from here on.
            del self.places[next(iter(self.places))]
            self.has_forgotten = True
        self.places[id] = node

    def note_copy(self, record: Record) -> None:
        """Remember where the original is of which a copy is here, for when the copy goes."""
        node = self.node_of(record.id)
        if node != self._peering.node:
            self.note_place(record.id, node)
        self.early_copies.note(record)

    def tell(self, id: Id, origin: bytes) -> None:
        """Tell a node that sends to an object through this one where the object went."""
        key, now = (id, origin), self._kernel.hub.time()
        link = self._peering.link_to(origin)
        if link is None or not link.is_kin or now < self._told.get(key, now):
            return
        # It may be busy with an earlier move, so it is told again while it sends here.
        self._told.pop(key, None)
        while self._told and self._told[first := next(iter(self._told))] <= now:
            del self._told[first]
        self._told[key] = now + _TELL_AGAIN_SECONDS
        self._peering.send(origin, (MOVED, id, self.places[id]), (), self._kernel.user)

    def take_moved(self, origin: bytes, id: Id, node: bytes) -> None:
        """Take note that an object which was thought to be at ``origin`` went to ``node``."""
        if id in self._kernel.table.records or id in self.fences or self.node_of(id) != origin:
            return
        if node != self._peering.node and self._peering.link_to(node) is None:
            return
        self.send_fence(Fence(id, origin, node))

    def hold(self, id: Id, row: Row, parts: Sequence[Part], user: str) -> bool:
        """Keep a message back while a fence is out for its object; whether it was.

        Raises `Overloaded` when too many wait.
        """
        fence = self.fences.get(id)
        if fence is None:
            return False
        if len(fence.held) >= self._kernel.messages_max:
            self._kernel.counters.overloads += 1
            raise Overloaded(f"{len(fence.held)} messages wait to be sent to object {id}")
        fence.held.append(lambda: self._peering.calls.resend(id, row, parts, user))
        return True

    def has_copy(self, id: Id) -> bool:
        """Whether an object is here as a copy of one elsewhere: it did not move here."""
        record = self._kernel.table.records.get(id)
        if record is None or (record.guard is not None and record.guard.keeper is not None):
            return False  # What is stored may have moved here in an earlier run.
        return id in self.places or (id.node != self._peering.node and id not in self._settled)

    def locate(self, id: Id) -> Ref | None:
        """Return the ObjectCreator of the node where an object is, if this node knows."""
        if id in self._kernel.table.records:
            return self._kernel.ref(creator_id(self._peering.node))
        node = self.places.get(id)
        return None if node is None else self._kernel.ref(creator_id(node))

    # --- fences ----------------------------------------------------------------------------

    def send_fence(self, fence: Fence) -> None:
        """Hold what is sent to an object until all has come that was sent to its old home."""
        self.fences[fence.id] = fence
        self._number += 1
        fence.number = number = self._number
        self._numbers[number] = fence
        kernel = self._kernel
        fence.timer = kernel.timers.call_later(self._late_seconds, lambda: self.end_fence(number))
        row = (FENCE, number, fence.id)
        if fence.old == self._peering.node:
            # This run of the node has sent nothing away.
            self.end_fence(number)
            return
        try:
            self._peering.send(fence.old, row, (), self._kernel.user)
        except CallError:
            node, due = self.given_up.of(fence.id, fence.old, kernel.hub.time())
            if node != fence.old:
                # The old way is gone, and nothing was on it.
                self.end_fence(number)
                return
            # What is left of the way may deliver it; the fence goes when the node is back.
            fence.cancel_timer()
            fence.timer = kernel.timers.call_at(due, lambda: self.end_fence(number))

    def take_fence(self, origin: bytes, number: int, id: Id) -> None:
        """Answer a fence, behind everything its sender sent to the object by this way."""
        own = self.fences.get(id)
        waiting = len(self.departing.get(id, ())) + (0 if own is None else len(own.held))
        if waiting >= self._kernel.messages_max:
            # Without an answer it ends by itself, as one does whose answer is lost.
            self._kernel.counters.overloads += 1
            return
        if id in self.departing:
            self.departing[id].append((origin, number))
            return
        if id in self._kernel.table.records and not self._leads_on(id):
            # Also one that has just arrived: what came before the fence comes before the rest.
            self._answer_fence(origin, number)
        elif own is not None:
            # Behind what its sender sent here to be passed on.
            own.held.append(lambda: self.take_fence(origin, number, id))
        elif self.has_moved(id):
            # What was passed on before has left already, so the next home is behind it.
            self._pass_fence(origin, number, id)
        else:
            self._answer_fence(origin, number)

    def _leads_on(self, id: Id) -> bool:
        """Whether a copy is here and what came before it was passed on to the original."""
        place = self.places.get(id)
        return place is not None and self._peering.link_to(place) is not None

    def _answer_fence(self, origin: bytes, number: int) -> None:
        try:
            self._peering.send(origin, (FENCED, number), (), self._kernel.user)
        except CallError as error:
            _log.info("a fence is not answered: %s", error)

    def _pass_fence(self, origin: bytes, number: int, id: Id) -> None:
        onward = self.places[id]
        if onward == origin:
            # It comes from the object's new home: its messages have gone round and are there.
            self._answer_fence(origin, number)
        elif self._peering.link_to(onward) is None and self.searches.begin_once(id):
            # As for the messages before it, of which none may be waiting here any longer.
            self.fences[id].held.append(lambda: self.take_fence(origin, number, id))
        else:
            hops = self._kernel.limits.route_hops_max
            self._peering.ways.pass_on(onward, origin, hops, (FENCE, number, id), ())

    def take_fenced(self, origin: bytes, number: int, *, is_kin: bool = True) -> None:
        """Go on with what waited for a fence.

        Of nodes with other keys the one may answer to which it went: who passes it on is kin.
        """
        fence = self._numbers.get(number)
        if is_kin or (fence is not None and fence.old == origin):
            self.end_fence(number)

    def end_fence(self, number: int) -> None:
        """Send what waited for a fence, if it is out still."""
        fence = self._numbers.pop(number, None)
        if fence is None:
            return
        fence.cancel_timer()
        del self.fences[fence.id]
        if fence.new != self._peering.node:
            self.note_place(fence.id, fence.new)
        for send in fence.held:
            send()
        self._open(fence.id)

    def give_up(self, calls: Iterable[RemoteFuture], node: bytes = b"") -> None:
        """Take note of calls that are given up while they are under way, and may come late.

        And of the posts to ``node`` if there is one.
        """
        now = self._kernel.hub.time()
        for id in self.posted.to(node, now) if node else ():
            self.given_up.note(id, node, now)
        for call in calls:
            # An ObjectCreator and a node's peering go nowhere.
            if call.target.serial:
                self.given_up.note(call.target, call.node, now)

    def way_broke(self, node: bytes) -> None:
        """Send again the fences that went to a node by a way that broke, and what may be lost.

        The next way leads behind what was sent before as well: what is late there is void.
        """
        for number, fence in list(self._numbers.items()):
            if fence.old == node and number in self._numbers:
                fence.cancel_timer()
                del self._numbers[number]
                self.send_fence(fence)
        if self.handovers.of(node):
            # The word that it knows of what came from it may have been lost as well.
            departures = self._peering.departures
            self._kernel.spawn(lambda: departures.ask_known(node))

    def _note_node(self, node: bytes, via: bytes | None) -> None:
        """Take note that a node is reached, or lost.

        No fence ends with a node that is lost. Where it was to answer, links on the way there may
        still carry what was sent before, for as long as the fence may take; it is sent again when
        the node is back. Nor where the object went: it may have gone on, and its old home still
        pass on to it what was sent before.
        """
        if via is not None:
            self.way_broke(node)
            return
        self.handovers.forget_node(node)
        for key in [key for key in self._told if key[1] == node]:
            del self._told[key]


def moves_of(kernel: Kernel) -> Moves:
    """Return the moves of a node. Raises `BadValueError` when it has no links."""
    moves = getattr(kernel.elsewhere, "moves", None)
    if not isinstance(moves, Moves):
        raise BadValueError("this node has no links, so nothing moves here")
    return moves


def sender_node(kernel: Kernel) -> bytes:
    """Return the node that sent the call which the calling thread runs; its own for local ones."""
    frame = current().frame
    while frame is not None and frame[METHOD] is not CALLER:
        frame = frame[PARENT]
    if frame is None:
        return kernel.table.node
    return chain_of(frame)[-CHAIN_LINK_BYTES:][:NODE_BYTES]
