"""Ways: what becomes of messages and calls when the way to a node changes.

Messages from one node to another are to arrive in their order. When a better way is found while the
old one works, messages on the new way could overtake those on the old. So

1. a FENCE is sent along the old way, which the other node's peering answers,
2. messages for that node are held meanwhile, in a bounded queue, those passed on for others too,
3. and they go over the new way when the answer has come, or the old way is lost.

Messages that were on a way that broke may be lost, in either direction. Then both nodes give up the
calls that are under way between them; who finds out tells the other by the word BREAK, and a node
that passed messages on tells their sender by the word LOST. Words and answers to fences are held
nowhere: two nodes that change their ways at the same time must not wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from vista.errors import (
    CallError,
    CallTimeout,
    NoSuchObject,
    Overloaded,
    PeerLost,
    RemoteProtocolError,
)
from vista.kernel.futures import Future
from vista.peering.links import Link
from vista.peering.outgoing import size_of
from vista.peering.passed import Passed
from vista.peering.strays import Strays
from vista.wire.frames import (
    CALL,
    FAILURE,
    HEAD,
    NOBODY,
    POST,
    REPLY,
    ROUTED,
    Part,
    Row,
)

if TYPE_CHECKING:
    from vista.kernel.timers import Timer
    from vista.peering.peering import Peering

FENCE: Final = "fence"
"""Method of a CALL to `NOBODY`: it is answered when all that was sent before has arrived."""

FENCED: Final = "fenced"
"""Method of a POST to `NOBODY`, with the number of the fence that it answers."""

BREAK: Final = "break"
"""As `VOID`, and what was under way between the two nodes may be lost."""

VOID: Final = "void"
"""Method of a POST to `NOBODY`, with the number of a call: it and those before it are given up."""

DROPPED: Final = "dropped"
"""Method of a POST to `NOBODY`, with the number of the last message that came before the node was
lost. One who lost nobody meanwhile has sent it after what he gave up last, and breaks."""

SERVED: Final = "served"
"""Method of a POST to `NOBODY`, with numbers of calls that run for long: see `Strays`."""

LOST: Final = "lost"
"""Method of a POST to `NOBODY`, with a node: what was passed on for it may be lost."""

WITH_PAYLOAD: Final = frozenset({CALL, POST, REPLY, FAILURE})
"""Messages that queues have no room for; others are few and small."""

Held = tuple[bytes, int, Row, Sequence[Part], int]
"""A message that is held: origin, hops that it may take, row, large buffers, size."""


@dataclass(eq=False, slots=True)
class Hold:
    """Messages for a node that wait for the answer to a fence along the link ``old``."""

    old: int
    fence: Future
    timer: Timer
    rows: deque[Held] = field(default_factory=deque)
    given_up: bool = False


class Ways:
    """The ways of one peering. ``holds`` are the nodes for which messages are held."""

    def __init__(self, peering: Peering) -> None:
        self.holds: dict[bytes, Hold] = {}
        self._peering = peering
        self._kernel = peering.kernel
        self._known: dict[bytes, tuple[int, int]] = {}
        self._messages = self._bytes = 0
        self._hops_max = self._kernel.limits.route_hops_max
        self._passed: dict[int, Passed] = {}
        self.strays = Strays(peering, self._ask_after)

    # --- what routing tells ----------------------------------------------------------------

    def reached(self, node: bytes, epoch: bytes, via: int, hops: int) -> None:
        """Take note of the first way to a node, over the link ``via``."""
        self._known[node] = (via, hops)
        # Calls of before a loss ended with it, and may still be under way.
        calls = self._peering.calls
        calls.voids.give_up(node, calls.last_number)
        self._say(node, VOID, calls.last_number)
        last = calls.voids.last_of(node, epoch)
        if last is not None:
            self._say(node, DROPPED, last)
        calls.rings.suspect_all(node)
        self.strays.watch()

    def changed(self, node: bytes, via: int, hops: int) -> None:
        """Take note of another way to a node."""
        old, hops_before = self._known[node]
        self._known[node] = (via, hops)
        link = self._peering.links.get(old)
        if link is None or hops > hops_before:
            self._broke(node)
        if link is not None and old != via and node not in self.holds:
            self._fence(node, link)
        self._peering.calls.rings.suspect_all(node)

    def lost(self, node: bytes, reason: str) -> None:
        """Take note that a node cannot be reached any longer."""
        self._known.pop(node, None)
        # This ends the fence, too.
        self._lose(node, reason)

    def link_down(self, number: int, *, complete: bool) -> None:
        """Take note that a link has ended: what was sent over it may be lost, unless ``complete``.

        Then the answers to fences come over other links.
        """
        if complete:
            self._passed.pop(number, None)
            return
        for node in [node for node, hold in self.holds.items() if hold.old == number]:
            self._broke(node)
        passed = self._passed.pop(number, None)
        for origin, node in () if passed is None else passed.all():
            self._say(origin, LOST, node)

    def _broke(self, node: bytes) -> None:
        """Give up the calls between this node and another one, on both sides."""
        hold = self.holds.get(node)
        if hold is not None:
            hold.given_up = True
        calls = self._peering.calls
        calls.voids.give_up(node, calls.last_number)
        # First: what the end of a call has sent must not be given up with it.
        self._say(node, BREAK, calls.last_number)
        self._lose(node, "the way to it broke", answer=True)
        self._peering.moves.way_broke(node)

    def _lose(self, node: bytes, reason: str, *, answer: bool = False) -> None:
        calls, moves = self._peering.calls, self._peering.moves
        moves.give_up((call for call in calls.pending.values() if call.node == node), node)
        calls.lose(node, reason, answer=answer)

    def _ask_after(self, node: bytes, numbers: list[int]) -> None:
        link = self._peering.link_to(node)
        # Another user's is a neighbour: what it gave up is lost with the link alone.
        if link is not None and link.is_kin and not link.is_congested:
            self._say(node, SERVED, numbers)

    def _say(self, node: bytes, word: str, *args: Any) -> None:
        """Send a word to another peering, past everything that is held."""
        link = self._peering.link_to(node)
        if link is None:
            # Then the other node loses this one as well.
            return
        parts = self._kernel.codec.encode_arguments(args, {})
        head = HEAD.pack(0, 0, NOBODY, NOBODY)
        row = self._wrapped(
            link, node, self._peering.node, self._hops_max, (POST, head, word, "", parts[0])
        )
        link.append(row, (), force=True)

    # --- fences ----------------------------------------------------------------------------

    def _fence(self, node: bytes, link: Link) -> None:
        """Hold what is sent to a node until all has arrived that was sent over a link."""
        kernel, peering = self._kernel, self._peering
        fence = self.ask_heard(node, link)
        late = CallTimeout("the old way carries nothing any longer")
        # Who hears nothing for that long takes a link for lost.
        timer = kernel.timers.call_later(kernel.limits.loss_seconds, lambda: fence.fail(late))
        hold = self.holds[node] = Hold(link.number, fence, timer)
        peering.near.clear()
        fence.on_done(lambda _: self._release(node, hold))

    def ask_heard(self, node: bytes, link: Link) -> Future:
        """Return what ends when all has arrived that was sent to a node over a link.

        What that node sent before by the way of its answer has come by then. It fails when the node
        is lost.
        """
        kernel, peering = self._kernel, self._peering
        fence = peering.calls.expect(node, FENCE)
        head = HEAD.pack(fence.number, 0, NOBODY, NOBODY)
        parts = kernel.codec.encode_arguments((), {})
        row = (CALL, head, FENCE, kernel.user, b"", parts[0])
        link.append(self._wrapped(link, node, peering.node, self._hops_max, row), (), force=True)
        return fence

    def hold(
        self, node: bytes, origin: bytes, hops: int, row: Row, buffers: Sequence[Part]
    ) -> None:
        """Hold a message for a node in ``holds``. Raises `Overloaded` when too much is held."""
        limits = self._kernel.limits
        size = size_of(row) + sum(map(len, buffers))
        if self._messages >= limits.link_messages_max or self._bytes + size > limits.link_bytes_max:
            self._kernel.counters.overloads += 1
            raise Overloaded(
                f"{self._messages} messages of {self._bytes} bytes wait for a change of ways "
                "(limits link_messages_max, link_bytes_max)"
            )
        self._messages += 1
        self._bytes += size
        self.holds[node].rows.append((origin, hops, row, buffers, size))

    def _release(self, node: bytes, hold: Hold) -> None:
        hold.timer.cancel()
        if hold.fence._error is not None and not hold.given_up and node in self._known:
            self._broke(node)
        del self.holds[node]
        for origin, hops, row, buffers, size in hold.rows:
            self._messages -= 1
            self._bytes -= size
            self._send_on(node, origin, hops, row, buffers)

    def _send_on(
        self, node: bytes, origin: bytes, hops: int, row: Row, buffers: Sequence[Part]
    ) -> None:
        peering = self._peering
        if origin != peering.node:
            self.pass_on(node, origin, hops, row, buffers, force=True)
            return
        link = peering.link_to(node)
        if link is not None and not (row[0] == CALL and peering.calls.is_over(row)):
            if row[0] in (CALL, POST):
                # It was on no way that broke; what the other node was told to be void is older.
                number = HEAD.unpack(row[1])[0]
                row = peering.calls.renumbered(row, peering.calls.pending.get(number))
            if row[0] == POST:
                peering.note_post(node, row)
            link.append(self._wrapped(link, node, origin, hops, row), buffers, force=True)
        elif row[0] == POST:
            self._kernel.note_lost_post("the node was lost that it was for")

    # --- messages of others ----------------------------------------------------------------

    def pass_on(
        self,
        node: bytes,
        origin: bytes,
        hops: int,
        row: Row,
        buffers: Sequence[Part],
        *,
        force: bool = False,
    ) -> None:
        """Pass a message on that ``origin`` sent to ``node``; it may take ``hops`` links more.

        A call that cannot be passed on is answered in place of the node that was to run it, and an
        answer that finds no room becomes a small one that says so.
        """
        link = self._peering.link_to(node)
        if link is None or not link.is_kin or hops < 0:
            self._bounce(node, origin, row, self._peering.unreachable(node))
            return
        try:
            if node in self.holds and self._may_hold(origin, row):
                self.hold(node, origin, hops, row, buffers)
            else:
                small = row[0] not in WITH_PAYLOAD
                link.append((ROUTED, node, origin, hops, row), buffers, force=force or small)
                self._note_passed(link, origin, node)
        except Overloaded as error:
            if row[0] in (REPLY, FAILURE):
                self.answer_overloaded(link, node, origin, row[1], error)
            else:
                self._bounce(node, origin, row, error)

    def _note_passed(self, link: Link, origin: bytes, node: bytes) -> None:
        """Take note of whom to tell when a link ends, and forget nodes that were lost by then."""
        passed = self._passed.get(link.number)
        if passed is None:
            passed = self._passed[link.number] = Passed()
        if passed.add(origin, node) and passed.set_aside({*self._known, self._peering.node}):
            fence = self.ask_heard(link.node, link)
            fence.on_done(lambda done: passed.settle(is_heard=done._error is None))

    def _may_hold(self, origin: bytes, row: Row) -> bool:
        # What this node sent itself and comes back may be a fence, which would wait for itself.
        return origin != self._peering.node and not _is_word(row)

    def answer_overloaded(
        self, link: Link, node: bytes, origin: bytes, number: int, error: Overloaded
    ) -> None:
        """Send in place of an answer that finds no room the word that it found none."""
        small = Overloaded(f"the answer found no room on its way: {error}")
        row = (FAILURE, number, 0, self._kernel.codec.encode(small))
        link.append(self._wrapped(link, node, origin, self._hops_max, row), (), force=True)

    def disown(self, origin: bytes, number: int) -> None:
        """Tell node ``origin`` that its call of a number is not served here."""
        error = PeerLost("the call or its answer was lost on a way that broke")
        row = (FAILURE, number, 0, self._kernel.codec.encode(error))
        try:
            self._peering.send(origin, row, (), self._kernel.user)
        except CallError:
            # Then that node has lost this one.
            return

    def _bounce(self, node: bytes, origin: bytes, row: Row, error: CallError) -> None:
        if row[0] != CALL:
            if row[0] == POST and not _is_word(row):
                self._kernel.note_lost_post(f"a message passed on for another node: {error}")
            if isinstance(error, (PeerLost, NoSuchObject)) and origin != self._peering.node:
                self._say(origin, LOST, node)
            return
        number = HEAD.unpack(row[1])[0]
        answer = (FAILURE, number, 0, self._kernel.codec.encode(error))
        link = self._peering.link_to(origin)
        if link is not None and link.is_kin:
            link.append((ROUTED, origin, node, self._hops_max, answer), (), force=True)

    def _wrapped(self, link: Link, node: bytes, origin: bytes, hops: int, row: Row) -> Row:
        if link.node == node and origin == self._peering.node:
            return row
        return (ROUTED, node, origin, hops, row)

    # --- what other peerings say -----------------------------------------------------------

    def answer_fence(self, origin: bytes, number: int) -> None:
        """Answer a fence of node ``origin``: what it sent before has arrived."""
        self._say(origin, FENCED, number)

    def take_word(self, origin: bytes, word: str, parts: Sequence[Part]) -> None:
        """Take a POST that node ``origin`` sent to this node's peering.

        Raises `RemoteProtocolError` for one that is not understood.
        """
        calls = self._peering.calls
        args, _ = self._kernel.codec.decode_arguments(parts)
        match word, args:
            case "void", (int(number),):
                calls.voids.note(origin, number)
            case "break", (int(number),) if not calls.voids.covers(origin, number + 1):
                calls.voids.note(origin, number)
                calls.voids.give_up(origin, calls.last_number)
                self._lose(origin, "the way from it broke", answer=True)
                self._peering.moves.way_broke(origin)
            case "fenced", (int(number),):
                fence = calls.pending.get(number)
                if fence is not None and fence.node == origin:
                    fence.resolve(None)
            case "lost", (bytes(node),):
                if node in self.holds or origin in self._peering.routing.path_to(node):
                    self._broke(node)
                else:
                    # What was lost went by an earlier way.
                    calls.rings.suspect_all(node)
            case "served", (list(numbers),):
                self.strays.disown(origin, numbers)
            case "break", (int(),):
                # A later one has come first, over another way.
                return
            case "dropped", (int(number),):
                if calls.voids.is_later(origin, number):
                    self._broke(origin)
            case _:
                raise RemoteProtocolError(f"a peering was told {word!r:.60}")


def _is_word(row: Row) -> bool:
    """Whether a message is one that peerings say to each other, and no object's."""
    return row[0] == POST and bool(HEAD.unpack(row[1])[2] == NOBODY)
