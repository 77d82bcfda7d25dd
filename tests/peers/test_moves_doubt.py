"""Moves in the midst of which a node crashes or the network breaks, at every message of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, chain, ended, join, links, meet, peering, seen
from vista.errors import CallError
from vista.kernel.kernel import creator_id
from vista.kernel.table import DEPARTING
from vista.limits import Limits
from vista.testing import SimulatedNode, World

SEED = 4
STEP_SECONDS = 0.0001


class Emigrant(vista.Object):
    """Somebody who moves, with messages after him."""

    def create(self) -> None:
        self.numbers: list[int] = []

    def take(self, number: int) -> int:
        self.numbers.append(number)
        return number

    def read(self) -> list[int]:
        return self.numbers


class Departure:
    """An object of node a on its way to b, while all send to it; c is beside if there is one."""

    def __init__(self, world: World, names: str) -> None:
        self.world = world
        self.nodes = chain(world, names)
        if len(self.nodes) > 2:
            join(self.nodes[2], self.nodes[0])
            for node in self.nodes:
                meet(node, [other for other in self.nodes if other is not node])
        a, b = self.nodes[:2]
        self.emigrant: vista.Ref = a.call(vista.create, Emigrant)
        self.moving = a.spawn(lambda: vista.move(self.emigrant, creator_id(b.kernel.table.node)))
        self.calls = [
            node.spawn(self._send, node, number) for number, node in enumerate(self.nodes * 3)
        ]
        self.began = world.time

    def _send(self, node: SimulatedNode, number: int) -> Any:
        return seen(node, self.emigrant).take(number)

    def messages(self) -> tuple[int, ...]:
        """How many messages were sent and received on each link."""
        return tuple(
            count
            for node in self.nodes
            for link in links(node)
            for count in (link.messages_sent, link.messages_received)
        )

    def wait(self, seconds: float) -> None:
        """Let time pass until ``seconds`` after the beginning."""
        self.world.pass_time(self.began + seconds - self.world.time)

    def living(self) -> list[SimulatedNode]:
        return [node for node in self.world.nodes if not node.stopped]

    def homes(self) -> list[SimulatedNode]:
        """The nodes that have the object, one that holds it in doubt included."""
        return [node for node in self.living() if self.emigrant._id in node.kernel.table.records]

    def doubters(self) -> list[SimulatedNode]:
        """The nodes that do not know whether the object left them."""
        id = self.emigrant._id
        return [node for node in self.homes() if node.kernel.table.records[id].state is DEPARTING]


@cache
def instants(names: str) -> tuple[float, ...]:
    """When a message is sent or arrives in a move that nothing disturbs, and the moments between.

    In seconds from its beginning.
    """
    with World(SEED, conditions=PROMPT) as world:
        departure = Departure(world, names)
        before, found, steps = departure.messages(), [0.0], 0
        while not (departure.moving.done() and steps > 100):
            steps += 1
            assert steps < 2000, "it moves in less than 0.2 s"
            departure.wait(steps * STEP_SECONDS)
            now = departure.messages()
            if now != before:
                found += [(steps - 1) * STEP_SECONDS, steps * STEP_SECONDS]
            before = now
        assert [node.name for node in departure.homes()] == ["b"]
        assert len(found) > 12
        return tuple(sorted(set(found)))


Fault = Callable[[World], Callable[[], Any]]


def crash(name: str) -> Fault:
    def strike(world: World) -> Callable[[], Any]:
        world.crash(name)
        return lambda: None

    return strike


def cut(world: World) -> Callable[[], Any]:
    """Break the link of a and b, and what is on its way with it."""
    world.network.lose("a", "b")
    return lambda: None


def part(world: World) -> Callable[[], Any]:
    """Part a from b for so long that each takes the other for lost."""
    return world.network.partition("a", "b").heal


def mute(one: str, other: str) -> Fault:
    """Let nothing pass from one of them to the other for as long."""

    def strike(world: World) -> Callable[[], Any]:
        return world.network.partition(one, other, one_way=True).heal

    return strike


FAULTS: dict[str, Fault] = {
    "the link is cut": cut,
    "both are parted": part,
    "nothing reaches the new home": mute("a", "b"),
    "nothing comes back from it": mute("b", "a"),
}


def every_instant(names: str, strike: Fault, check: Callable[[Departure], None]) -> None:
    """Disturb a move at each of its instants, heal it a minute later, and check in another one."""
    for at in instants(names):
        with World(SEED, conditions=PROMPT) as world:
            departure = Departure(world, names)
            departure.wait(at)
            heal = strike(world)
            world.pass_time(60.0)
            heal()
            world.pass_time(60.0)
            try:
                check(departure)
            except BaseException as error:
                error.add_note(f"at {at} s")
                raise


def check_calls(departure: Departure) -> list[Any]:
    """Every caller of a living node had one end; return those ends."""
    alive = {node.kernel for node in departure.living()}
    asked = [call for call in [*departure.calls, departure.moving] if call.kernel in alive]
    ends = ended(departure.world, asked, 0.0)
    for end in ends:
        assert not isinstance(end, BaseException) or isinstance(end, CallError)
    return ends


def check_rest(nodes: Sequence[SimulatedNode]) -> None:
    for node in nodes:
        moves, calls = peering(node).moves, peering(node).calls
        assert (moves.fences, moves._numbers, moves.arrivals) == ({}, {}, {})
        assert (moves.handovers.prepared, calls.pending, calls.served) == ({}, {}, {})


def check_one_place(departure: Departure) -> None:
    """The object is in one place, answers from everywhere, and took each message at most once."""
    check_calls(departure)
    homes = departure.homes()
    assert len(homes) == 1
    assert departure.doubters() == []
    for node in departure.living():
        numbers = node.call(lambda n=node: seen(n, departure.emigrant).read())
        assert len(set(numbers)) == len(numbers)
        done = {call._value for call in departure.calls if call._error is None}
        assert done <= set(numbers)
    # Who is told where it went asks for the end of the old way.
    departure.world.pass_time(5.0)
    check_rest(departure.nodes)


@pytest.mark.parametrize("names", ["ab", "abc"])
@pytest.mark.parametrize("fault", list(FAULTS))
def test_whatever_breaks_the_object_is_in_one_place(fault: str, names: str) -> None:
    every_instant(names, FAULTS[fault], check_one_place)


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_when_its_old_home_crashes_it_is_in_one_place_or_went_with_it(names: str) -> None:
    survived = set()

    def check(departure: Departure) -> None:
        check_calls(departure)
        survived.add(len(departure.homes()))
        assert [node.name for node in departure.homes()] in ([], ["b"])
        check_rest(departure.living())

    every_instant(names, crash("a"), check)
    assert survived == {0, 1}


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_when_its_new_home_crashes_it_stays_or_goes_or_is_in_doubt(names: str) -> None:
    outcomes = set()

    def check(departure: Departure) -> None:
        check_calls(departure)
        assert [node.name for node in departure.homes()] in ([], ["a"])
        doubters = departure.doubters()
        outcomes.add(f"{len(departure.homes())} {len(doubters)}")
        if not doubters:
            check_rest(departure.living())

    every_instant(names, crash("b"), check)
    assert outcomes == {"0 0", "1 0", "1 1"}


@pytest.mark.parametrize("then", ["moves on", "is deleted"])
def test_an_object_that_was_taken_is_not_brought_back_when_it_is_gone_from_there(
    then: str,
) -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b, c = nodes = chain(world, "abc")
        emigrant = a.call(vista.create, Emigrant)
        id = emigrant._id
        a.spawn(lambda: vista.move(emigrant, creator_id(b.kernel.table.node)))
        world.drive(lambda: _is_committing(a), 1.0)
        partition = world.network.partition("b", "a", one_way=True)
        world.drive(lambda: id in b.kernel.table.records, 1.0)
        world.drive(lambda: not peering(b).moves.fences, 60.0)
        if then == "moves on":
            b.call(lambda: vista.move(seen(b, emigrant), creator_id(c.kernel.table.node)))
        else:
            b.call(lambda: vista.delete(seen(b, emigrant)))
        assert a.kernel.table.records[id].state is DEPARTING
        partition.heal()
        world.pass_time(60.0)
        homes = [node.name for node in nodes if id in node.kernel.table.records]
        assert homes == (["c"] if then == "moves on" else [])


def _is_committing(node: SimulatedNode) -> bool:
    return any(call.name == "commit_object" for call in peering(node).calls.pending.values())


def test_an_object_in_doubt_stays_when_its_thread_is_killed(caplog: Any) -> None:
    with World(SEED, conditions=PROMPT) as world:
        departure = Departure(world, "ab")
        a, _ = departure.nodes
        world.drive(lambda: _is_committing(a), 1.0)
        world.crash("b")
        world.pass_time(60.0)
        (words,) = [text for text in caplog.messages if "Until that is known" in text]
        assert departure.doubters() == [a]
        thread = words.partition("vista.kill(Id('")[2].partition("'")[0]
        a.call(lambda: vista.kill(thread))
        world.pass_time(1.0)
        assert departure.doubters() == []
        assert a.call(lambda: departure.emigrant.take(100)) == 100
        check_rest([a])


def test_another_run_of_the_new_home_tells_whether_it_has_the_object() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        emigrant = b.call(vista.create, Emigrant)
        id, there = emigrant._id, seen(a, b.call(vista.here))
        token, run = b"t" * 16, b"earlier."
        assert a.call(lambda: there.took_object(id, token, run)) is True
        b.call(lambda: vista.delete(emigrant))
        assert a.call(lambda: there.took_object(id, token, run)) is False


def prepared(a: SimulatedNode, b: SimulatedNode) -> tuple[vista.Id, bytes, bytes]:
    """Have a node prepare another one for an object; return its Id, the token and b's run."""
    there = seen(a, b.call(vista.here))

    def prepare() -> tuple[vista.Id, bytes, bytes]:
        emigrant = vista.create(Emigrant)
        id = vista.id_of(emigrant)
        token = bytes(id)
        return id, token, there.prepare_object(emigrant.encode_object(), None, [], [], token)

    made: tuple[vista.Id, bytes, bytes] = a.call(prepare)
    return made


def test_what_was_asked_about_and_not_taken_is_taken_no_more() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        id, token, run = prepared(a, b)
        there = seen(a, b.call(vista.here))
        assert a.call(lambda: there.took_object(id, token, run)) is False
        with pytest.raises(vista.BadValueError, match=r"was not prepared"):
            a.call(lambda: there.commit_object(id, token))


def test_a_commit_of_another_attempt_is_refused() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        id, _, _ = prepared(a, b)
        there = seen(a, b.call(vista.here))
        with pytest.raises(vista.BadValueError, match=r"was not prepared"):
            a.call(lambda: there.commit_object(id, b"another token"))


def test_what_was_taken_is_remembered_until_the_old_home_knows() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        id, token, run = prepared(a, b)
        there = seen(a, b.call(vista.here))
        a.call(lambda: there.commit_object(id, token))
        b.call(lambda: vista.delete(seen(b, b.kernel.ref(id))))
        for _ in range(2):
            assert a.call(lambda: there.took_object(id, token, run)) is True
        a.call(lambda: there.discard_object(id, token))
        assert peering(b).moves.handovers.taken == {}


def test_what_was_prepared_and_not_committed_is_forgotten() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        prepared(a, b)
        world.pass_time(b.kernel.limits.call_seconds + 1.0)
        assert peering(b).moves.handovers.prepared == {}


def test_no_more_is_prepared_than_the_limit_says() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=Limits(moves_remembered_max=2))
        for _ in range(2):
            prepared(a, b)
        with pytest.raises(vista.Overloaded, match=r"limit moves_remembered_max"):
            prepared(a, b)


def test_no_more_moves_are_remembered_than_the_limit_says() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=Limits(moves_remembered_max=2))
        there, tokens = seen(a, b.call(vista.here)), []
        for _ in range(3):
            id, token, _ = prepared(a, b)
            a.call(lambda id=id, token=token: there.commit_object(id, token))
            tokens.append(token)
        assert list(peering(b).moves.handovers.taken) == tokens[1:]
