"""Moves in the midst of which a node crashes or the network breaks, at every message of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

import vista
from tests.peers.system import PROMPT, chain, ended, join, links, meet, peering, seen
from vista.errors import CallError, ObjectBusy, PeerLost
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

    def carry(self, load: bytes) -> None:
        self.load = load


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
        if len(self.nodes) == 2:
            # Who has just been heard gets the object by one message.
            world.pass_time(5.0)
            there = seen(a, b.call(vista.here))
            a.call(lambda: there.get_name())
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


def every_instant(names: str, strike: Fault, check: Callable[[Departure], Any]) -> list[Any]:
    """Disturb a move at each of its instants, heal it a minute later, and check in another one.

    Returns what ``check`` found, for each instant.
    """
    found = []
    for at in instants(names):
        with World(SEED, conditions=PROMPT) as world:
            departure = Departure(world, names)
            departure.wait(at)
            heal = strike(world)
            world.pass_time(60.0)
            heal()
            world.pass_time(60.0)
            try:
                found.append(check(departure))
            except BaseException as error:
                error.add_note(f"at {at} s")
                raise
    return found


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


def check_one_place(departure: Departure) -> str:
    """The object is in one place, answers from everywhere, and took each message at most once.

    Returns the names of the nodes it is on, joined.
    """
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
    for node in departure.nodes:
        assert peering(node).moves.handovers.taken == {}
    return "".join(node.name for node in homes)


@pytest.mark.parametrize("names", ["ab", "abc"])
@pytest.mark.parametrize("fault", list(FAULTS))
def test_whatever_breaks_the_object_is_in_one_place(fault: str, names: str) -> None:
    assert set(every_instant(names, FAULTS[fault], check_one_place)) <= {"a", "b"}


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
    # One that is prepared first, and does not answer to that, leaves no doubt.
    assert outcomes == ({"0 0", "1 1"} if names == "ab" else {"0 0", "1 0", "1 1"})


def in_doubt(world: World, names: str) -> tuple[list[SimulatedNode], vista.Ref, Any]:
    """Nodes in a chain; an object of the first one lives on the second, which cannot say so.

    Returns the nodes, the object and the partition between the two.
    """
    nodes = chain(world, names)
    a, b = nodes[:2]
    emigrant = a.call(vista.create, Emigrant)
    id = emigrant._id
    a.spawn(lambda: vista.move(emigrant, creator_id(b.kernel.table.node)))
    world.drive(lambda: _is_handing_over(a), 1.0)
    partition = world.network.partition("b", "a", one_way=True)
    world.drive(lambda: id in b.kernel.table.records, 1.0)
    world.drive(lambda: not peering(b).moves.fences, 60.0)
    assert a.kernel.table.records[id].state is DEPARTING
    return nodes, emigrant, partition


def homes_of(nodes: Sequence[SimulatedNode], ref: vista.Ref) -> list[str]:
    """The names of the running nodes that have an object."""
    running = [node for node in nodes if not node.stopped]
    return [node.name for node in running if ref._id in node.kernel.table.records]


def test_an_object_that_was_taken_is_not_brought_back_when_it_was_deleted_there() -> None:
    with World(SEED, conditions=PROMPT) as world:
        nodes, emigrant, partition = in_doubt(world, "ab")
        b = nodes[1]
        b.call(lambda: vista.delete(seen(b, emigrant)))
        partition.heal()
        world.pass_time(60.0)
        assert homes_of(nodes, emigrant) == []


def test_an_object_moves_on_only_when_its_old_home_knows_that_it_came() -> None:
    # If b fell after it had passed it on, nobody could tell a that it was taken.
    with World(SEED, conditions=PROMPT) as world:
        nodes, emigrant, partition = in_doubt(world, "abc")
        _, b, c = nodes
        on = creator_id(c.kernel.table.node)
        with pytest.raises(PeerLost, match=r"may not know that yet and cannot be asked"):
            b.call(lambda: vista.move(seen(b, emigrant), on))
        assert b.call(lambda: seen(b, emigrant).take(1)) == 1
        partition.heal()
        world.pass_time(60.0)
        b.call(lambda: vista.move(seen(b, emigrant), on))
        assert homes_of(nodes, emigrant) == ["c"]


def test_a_fall_after_an_object_was_passed_on_does_not_make_two_of_it() -> None:
    for at in (0.0, 0.5, 5.0, 20.0):
        with World(SEED, conditions=PROMPT) as world:
            nodes, emigrant, partition = in_doubt(world, "abc")
            _, b, c = nodes
            moving = b.spawn(
                lambda b=b, c=c, emigrant=emigrant: vista.move(
                    seen(b, emigrant), creator_id(c.kernel.table.node)
                )
            )
            world.pass_time(at)
            partition.heal()
            world.drive(lambda moving=moving: moving.done(), 60.0)
            world.crash("b")
            world.restart("b")
            world.pass_time(120.0)
            assert len(homes_of(world.nodes, emigrant)) <= 1


def test_an_object_moves_on_when_the_answer_that_its_old_home_gives_is_that_it_knows() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b, c = nodes = chain(world, "abc")
        emigrant = a.call(vista.create, Emigrant)
        id = emigrant._id
        a.call(lambda: vista.move(emigrant, creator_id(b.kernel.table.node)))
        world.pass_time(1.0)
        # As if the word that a knows had been lost.
        peering(b).moves.handovers.take(id, b"t" * 16, a.kernel.table.node)
        b.call(lambda: vista.move(seen(b, emigrant), creator_id(c.kernel.table.node)))
        assert homes_of(nodes, emigrant) == ["c"]
        assert peering(b).moves.handovers.taken == {}


def test_an_object_moves_on_when_it_is_released_from_an_old_home_that_is_gone() -> None:
    with World(SEED, conditions=PROMPT) as world:
        nodes, emigrant, _ = in_doubt(world, "abc")
        _, b, c = nodes
        world.crash("a")
        world.pass_time(20.0)
        on = creator_id(c.kernel.table.node)
        with pytest.raises(PeerLost, match=r"here\(\)\.release_object\(Id\('"):
            b.call(lambda: vista.move(seen(b, emigrant), on))
        b.call(lambda: vista.here().release_object(seen(b, emigrant)))
        b.call(lambda: vista.move(seen(b, emigrant), on))
        assert homes_of(nodes, emigrant) == ["c"]


def test_an_object_that_was_released_is_one_still_when_its_old_home_asks_after_it() -> None:
    with World(SEED, conditions=PROMPT) as world:
        nodes, emigrant, partition = in_doubt(world, "abc")
        _, b, c = nodes
        b.call(lambda: vista.here().release_object(seen(b, emigrant)))
        b.call(lambda: vista.move(seen(b, emigrant), creator_id(c.kernel.table.node)))
        partition.heal()
        world.pass_time(60.0)
        assert homes_of(nodes, emigrant) == ["c"]
        assert peering(b).moves.handovers.taken == {}


def test_only_the_nodes_user_releases_an_object() -> None:
    with World(SEED, conditions=PROMPT) as world:
        nodes, emigrant, _ = in_doubt(world, "ab")
        b = nodes[1]
        asking = b.kernel.spawn(lambda: vista.here().release_object(emigrant._id), "mary")
        (error,) = ended(world, [asking], 5.0)
        assert isinstance(error, vista.AccessDenied)
        assert peering(b).moves.handovers.unknown_to(emigrant._id) is not None


def test_an_object_whose_old_home_does_not_know_in_time_is_busy() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b, c = chain(world, "abc")
        emigrant = b.call(vista.create, Emigrant)
        token = b"t" * 16
        peering(a).departures._open.add(token)
        peering(b).moves.handovers.take(emigrant._id, token, a.kernel.table.node)
        with pytest.raises(
            ObjectBusy, match=r"does not know that yet.*here\(\)\.release_object\(Id"
        ):
            b.call(lambda: vista.move(emigrant, creator_id(c.kernel.table.node), 1.0))


def _is_handing_over(node: SimulatedNode) -> bool:
    names = {call.name for call in peering(node).calls.pending.values()}
    return not names.isdisjoint({"commit_object", "take_object"})


def test_an_object_in_doubt_stays_when_its_thread_is_killed(caplog: Any) -> None:
    with World(SEED, conditions=PROMPT) as world:
        departure = Departure(world, "ab")
        a, _ = departure.nodes
        world.drive(lambda: _is_handing_over(a), 1.0)
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


def test_what_was_asked_about_is_not_taken_by_one_message_either() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        there, run = seen(a, b.call(vista.here)), peering(b).session_config.epoch
        emigrant = a.call(vista.create, Emigrant)
        data, token = a.call(lambda: vista.encode_object(emigrant)), b"t" * 16
        assert a.call(lambda: there.took_object(emigrant._id, token, run)) is False
        with pytest.raises(vista.BadValueError, match=r"was told that it stays"):
            a.call(lambda: there.take_object(data, None, [], [], token, run))
        assert emigrant._id not in b.kernel.table.records


def test_a_token_is_that_of_one_move_only() -> None:
    # Else one who sends it twice could have the new home lose count of what it took.
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        there, run = seen(a, b.call(vista.here)), peering(b).session_config.epoch
        first, second = (a.call(vista.create, Emigrant) for _ in range(2))

        def take(emigrant: vista.Ref) -> None:
            there.take_object(vista.encode_object(emigrant), None, [], [], b"t" * 16, run)

        a.call(lambda: take(first))
        with pytest.raises(vista.BadValueError, match=r"token of a move that was carried out"):
            a.call(lambda: take(second))
        assert peering(b).moves.handovers.of(a.kernel.table.node) == [(first._id, b"t" * 16)]


def test_an_object_that_was_to_go_to_an_earlier_run_is_not_taken() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        there = seen(a, b.call(vista.here))
        data = a.call(lambda: vista.encode_object(vista.create(Emigrant)))
        with pytest.raises(PeerLost, match=r"an earlier run of this node"):
            a.call(lambda: there.take_object(data, None, [], [], b"t" * 16, b"earlier."))


def steps_of_a_move(size: int, quiet_seconds: float) -> list[int]:
    """How often a new home was asked to prepare, to commit, and to take at once."""
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        emigrant = a.call(vista.create, Emigrant)
        a.call(lambda: emigrant.carry(bytes(size)))
        # Then all is said of routes. But for pings, one in two seconds, nothing is left to say.
        world.pass_time(5.0)
        there = seen(a, b.call(vista.here))
        a.call(lambda: there.get_name())
        world.pass_time(quiet_seconds)
        a.call(lambda: vista.move(emigrant, there))
        methods = b.kernel.table.records[there._id].entry.methods
        names = ("prepare_object", "commit_object", "take_object")
        return [methods[name].calls if name in methods else 0 for name in names]


def test_a_small_object_goes_by_one_message_to_a_neighbour_that_was_heard() -> None:
    assert steps_of_a_move(size=10, quiet_seconds=0.0) == [0, 0, 1]


def test_a_neighbour_that_was_not_heard_just_now_is_prepared_first() -> None:
    # It may have died, and a move that it did not answer would stay in doubt.
    assert steps_of_a_move(size=10, quiet_seconds=1.0) == [1, 1, 0]


def test_a_large_object_is_prepared_first() -> None:
    assert steps_of_a_move(size=100_000, quiet_seconds=0.0) == [1, 1, 0]


def test_no_more_refusals_are_remembered_than_the_limit_says() -> None:
    with World(SEED, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=Limits(moves_remembered_max=2))
        there, run = seen(a, b.call(vista.here)), peering(b).session_config.epoch
        id = a.call(vista.create, Emigrant)._id
        tokens = [bytes([number]) * 16 for number in range(3)]
        for token in tokens:
            assert a.call(lambda t=token: there.took_object(id, t, run)) is False
        assert list(peering(b).moves.handovers.refused) == tokens[1:]


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
        assert len(peering(b).moves.handovers._unknown) == 2
