"""Two sessions under anything that may happen to them: what must hold whatever the order."""

from __future__ import annotations

import random

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.wire.session_pair import End, Pair, config
from vista.wire.credit import BATCH_COST_MIN
from vista.wire.hello import FINISH
from vista.wire.session import Close, Consumed, Finish, Lost, Received, Send, State, Tick
from vista.wire.session_states import LIVE

ENDS = st.booleans()
WINDOWS = st.sampled_from((300, 1000, 5000))
GREETED = st.sampled_from((True, True, True, False))
SIZES = st.lists(st.sampled_from((0, 10, 100, 300, 2000)), min_size=1, max_size=8)
# What ends a session is rare, or no session would last long enough to meet anything else.
SENDING = (State.ESTABLISHED, State.PEER_FINISHED)
SELDOM = st.sampled_from((False,) * 19 + (True,))


class SessionStorm(RuleBasedStateMachine):
    """Batches, delays, cut connections, pauses, old messages and goodbyes in any order.

    A connection that is cut is followed by another pair of sessions, to which messages of the
    earlier one may come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0
        self.old: list[list[bytes | memoryview]] = []
        self.connect(1000, 1000)

    @initialize(one=WINDOWS, other=WINDOWS, greeted=GREETED)
    def start(self, one: int, other: int, greeted: bool) -> None:
        """The first connection, in the midst of its handshake or after it."""
        self.connect(one, other)
        if greeted:
            self.pair.settle()

    def connect(self, one: int, other: int) -> None:
        """Begin anew, with another epoch at each end and windows of these sizes."""
        self.connections += 1
        epoch = self.connections.to_bytes(8)
        features = frozenset({"copy", f"of-{one}", FINISH})
        self.pair = Pair(
            # The identity seeds the tokens: those of each connection are others.
            config("i", node=b"i-" + epoch, epoch=epoch, window_bytes=one, features=features),
            config("a", node=b"a-" + epoch, epoch=epoch, window_bytes=other, features=features),
        )
        self.given: dict[int, list[bytes]] = {id(end): [] for end in self.pair.ends}
        self.taken: dict[int, list[bytes]] = {id(end): [] for end in self.pair.ends}

    def end(self, initiator: bool) -> End:
        """One of the ends."""
        return self.pair.ends[0 if initiator else 1]

    def note(self) -> None:
        """Note what was delivered, which may be consumed later."""
        for end in self.pair.ends:
            bodies = [bytes(delivered.parts[0]) for delivered in end.delivered]
            self.taken[id(end)] += bodies[self.noted(end) :]

    def noted(self, end: End) -> int:
        """How many of the batches still to be consumed are noted already."""
        consumed = end.session.batches_received - len(end.delivered)
        return len(self.taken[id(end)]) - consumed

    @rule(initiator=ENDS, sizes=SIZES)
    def send(self, initiator: bool, sizes: list[int]) -> None:
        """Send batches, as far as they fit."""
        end = self.end(initiator)
        for size in sizes:
            body = len(self.given[id(end)]).to_bytes(4) + bytes(size)
            if end.state in SENDING and end.session.fits([body]):
                self.pair.do(end, Send([body]))
                self.given[id(end)].append(body)

    @rule(initiator=ENDS, count=st.integers(1, 8))
    def carry(self, initiator: bool, count: int) -> None:
        """Some messages arrive."""
        end = self.end(initiator)
        for _ in range(min(count, len(end.outbox))):
            self.old.append(end.outbox[0])
            self.pair.carry(end)
        self.note()

    @rule(initiator=ENDS)
    def consume(self, initiator: bool) -> None:
        """The oldest batch is worked off."""
        end = self.end(initiator)
        if end.delivered:
            self.pair.do(end, Consumed(end.delivered.pop(0).cost))

    @rule(seconds=st.sampled_from((0.01, 0.5, 2.0, 5.0)), both=st.booleans())
    def wait(self, seconds: float, both: bool) -> None:
        """Time passes; the ticks come when they are due, or one process sleeps through them."""
        until = self.pair.now + seconds
        for _ in range(1000):
            awake = self.pair.ends if both else self.pair.ends[:1]
            due = min((end.session.next_deadline() or until for end in awake), default=until)
            if due >= until:
                break
            self.pair.now = max(due, self.pair.now)
            for end in awake:
                self.pair.do(end, Tick())
        self.pair.now = until

    @precondition(lambda self: self.old)
    @rule(initiator=ENDS, data=st.data())
    def replay(self, initiator: bool, data: st.DataObject) -> None:
        """A message of an earlier connection comes once more."""
        end = self.end(initiator)
        parts = data.draw(st.sampled_from(self.old))
        if end.state is State.HELLO_AWAITED or bytes(parts[0][1:17]) == end.session._token:
            return
        stale, closed, count = end.session.stale, end.closed, len(end.delivered)
        self.pair.do(end, Received(parts))
        assert (end.closed, len(end.delivered)) == (closed, count)
        assert end.session.stale == stale + (end.state is not State.CLOSED)

    @rule(initiator=ENDS, seldom=SELDOM)
    def finish(self, initiator: bool, seldom: bool) -> None:
        """One end sends nothing any more."""
        if seldom and self.end(initiator).state in SENDING:
            self.pair.do(self.end(initiator), Finish())

    @rule(initiator=ENDS, seldom=SELDOM)
    def close(self, initiator: bool, seldom: bool) -> None:
        """One end says goodbye."""
        if seldom:
            self.pair.do(self.end(initiator), Close("enough"))

    @rule(one=WINDOWS, other=WINDOWS, greeted=GREETED, seldom=SELDOM)
    def cut(self, one: int, other: int, greeted: bool, seldom: bool) -> None:
        """The connection breaks and what is under way with it; another one is made."""
        if not (seldom or any(end.closed for end in self.pair.ends)):
            return
        for end in self.pair.ends:
            end.outbox.clear()
            self.pair.do(end, Lost("cut"))
            assert end.state is State.CLOSED
        self.connect(one, other)
        if greeted:
            self.pair.settle()

    @rule()
    def calm(self) -> None:
        """Everything arrives and is worked off: all that was sent came, or the session closed."""
        pair = self.pair
        for _ in range(200):
            pair.settle()
            self.note()
            for end in pair.ends:
                pair.consume(end)
            if not any(end.outbox for end in pair.ends):
                break
        for end in pair.ends:
            if end.closed is None and pair.other(end).closed is None:
                assert end.state in LIVE
                assert self.taken[id(pair.other(end))] == self.given[id(end)]

    @invariant()
    def each_batch_comes_once_and_in_order(self) -> None:
        """What came is the beginning of what was sent."""
        for end in self.pair.ends:
            came = self.taken[id(self.pair.other(end))]
            assert came == self.given[id(end)][: len(came)]

    @invariant()
    def credit_is_kept(self) -> None:
        """What was sent and not consumed is within the window, or one batch alone."""
        for end in self.pair.ends:
            credit = end.session._credit
            other = self.pair.other(end).session._credit
            outstanding = credit.sent - other.consumed
            alone = 4 + 2000 + BATCH_COST_MIN
            assert outstanding <= max(credit.peer_window, alone)
            assert credit.sent_consumed <= other.told <= other.consumed <= other.came <= credit.sent

    @invariant()
    def who_ends_complete_lost_nothing(self) -> None:
        """An end that is complete has all that the other one sent, who sends nothing more."""
        for end in self.pair.ends:
            if end.closed is not None and end.closed.complete:
                other = self.pair.other(end)
                assert self.taken[id(end)] == self.given[id(other)]
                assert other.state not in SENDING

    @invariant()
    def nobody_is_accused(self) -> None:
        """Both ends keep the protocol, so no end ever finds the other one wrong."""
        assert [end.closed.error for end in self.pair.ends if end.closed] in (
            [],
            [None],
            [None] * 2,
        )

    @invariant()
    def both_agree(self) -> None:
        """Established ends speak the same version with the same features."""
        spoken = {
            (end.session.version, end.session.features)
            for end in self.pair.ends
            if end.state is State.ESTABLISHED
        }
        assert len(spoken) <= 1

    @invariant()
    def a_deadline_is_set_while_the_session_lasts(self) -> None:
        """An open session always has something to wait for, a closed one nothing."""
        for end in self.pair.ends:
            assert (end.session.next_deadline() is None) == (end.state is State.CLOSED)


TestSessionStorm = SessionStorm.TestCase
TestSessionStorm.settings = hypothesis.settings(stateful_step_count=60, deadline=None)


def test_long_streams_arrive_whole_whatever_the_windows_and_delays(seeds: range) -> None:
    for seed in seeds:
        dice = random.Random(seed)
        windows = [dice.choice((1, 200, 1000, 20_000)) for _ in range(2)]
        pair = Pair(config("i", window_bytes=windows[0]), config("a", window_bytes=windows[1]))
        pair.settle()
        given: dict[int, list[bytes]] = {id(end): [] for end in pair.ends}
        taken: dict[int, list[bytes]] = {id(end): [] for end in pair.ends}
        for _ in range(300):
            end = dice.choice(pair.ends)
            body = len(given[id(end)]).to_bytes(4) + bytes(dice.choice((0, 50, 500, 5000)))
            if dice.random() < 0.5 and end.session.fits([body]):
                pair.send(end, body)
                given[id(end)].append(body)
            for _ in range(min(len(end.outbox), dice.randrange(4))):
                pair.carry(end)
            if end.delivered and dice.random() < 0.7:
                delivered = end.delivered.pop(0)
                taken[id(end)].append(bytes(delivered.parts[0]))
                pair.do(end, Consumed(delivered.cost))
            if dice.random() < 0.1:
                pair.now += dice.choice((0.01, 0.1, 1.0))
                pair.do(end, Tick())
        pair.settle()
        for end in pair.ends:
            taken[id(end)] += [bytes(delivered.parts[0]) for delivered in end.delivered]
            assert end.closed is None, f"seed {seed}"
            assert taken[id(end)] == given[id(pair.other(end))], f"seed {seed}"
            assert len(taken[id(end)]) > 10, f"seed {seed}"
