"""Moving objects between nodes, also while messages for them are under way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from tests.peers.system import add_node, chain, ended, join, meet, peering, seen
from vista import AccessControlList, AccessDenied, ObjectBusy, ObjectDeleted
from vista.errors import CallTimeout, NotAValueError, PeerLost, ThreadKilled
from vista.testing import Conditions, SimulatedNode, World

SLOW = Conditions(delay_seconds=0.05, jitter_seconds=0.05)
"""A network on which dozens of messages are on their way at any time."""


class Wanderer(vista.Object):
    """Remembers what it was sent, wherever it is."""

    def create(self) -> None:
        self.lines: list[Any] = []

    def write(self, who: str, number: int) -> int:
        self.lines.append((who, number))
        return len(self.lines)

    def read(self) -> list[Any]:
        return self.lines

    def numbers_of(self, who: str) -> list[int]:
        return [number for name, number in self.lines if name == who]

    def where(self) -> vista.Id:
        return vista.id_of(vista.here())

    @vista.preemptable
    def glance(self) -> int:
        return len(self.lines)

    def rest(self, seconds: float) -> str:
        vista.sleep(seconds)
        return "rested"

    @vista.exclusive
    def ask(self, other: vista.Ref) -> Any:
        return other.where()

    def keep_a_lock(self) -> None:
        self.lock = iter([])

    def move_itself(self, creator: vista.Ref) -> None:
        vista.move(self, creator)

    def move_itself_later(self, creator: vista.Ref) -> None:
        vista.post(self, "move_to", creator)


class Correspondent(vista.Object):
    """Writes to a wanderer in every way there is."""

    def create(self) -> None:
        self.heard: list[str] = []

    def write(self, wanderer: vista.Ref, who: str, count: int) -> None:
        futures = []
        for number in range(count):
            match number % 4:
                case 0:
                    wanderer.write.post(who, number)
                case 1:
                    futures.append(wanderer.write.future(who, number))
                case 2:
                    wanderer.write(who, number)
                case 3:
                    wanderer.write(who, number)
                    vista.sleep(0.003)
        vista.gather(*futures)

    def post_steadily(self, wanderer: vista.Ref, who: str, count: int) -> None:
        for number in range(count):
            wanderer.write.post(who, number)
            vista.sleep(0.002)

    def object_modified(self, id: vista.Id) -> None:
        self.heard.append("modified")

    def object_deleted(self, id: vista.Id) -> None:
        self.heard.append("deleted")

    def list_heard(self) -> list[str]:
        return self.heard


@pytest.fixture
def world() -> Iterator[World]:
    with World(3) as world:
        yield world


@pytest.fixture
def nodes(world: World) -> list[SimulatedNode]:
    """Three kin nodes in a row."""
    return chain(world, "abc")


def creator(node: SimulatedNode) -> vista.Id:
    return vista.Id.make(node.kernel.table.node, 0)


def wanderer_at(node: SimulatedNode) -> vista.Ref:
    made: vista.Ref = node.call(vista.create, Wanderer)
    return made


def move(node: SimulatedNode, ref: vista.Ref, to: SimulatedNode) -> None:
    node.call(lambda: vista.move(seen(node, ref), creator(to)))


def at_rest(world: World, nodes: list[SimulatedNode]) -> None:
    """Nothing of moves or calls is left, when all has come to its end."""
    world.pass_time(30.0)
    for node in nodes:
        moves, calls = peering(node).moves, peering(node).calls
        assert (moves.fences, moves._numbers, moves.arrivals) == ({}, {}, {})
        assert (moves.handovers.prepared, moves.handovers.taken) == ({}, {})
        assert (calls.pending, calls.served) == ({}, {})


def test_an_object_moves_and_keeps_its_id_and_variables(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    a.call(lambda: wanderer.write("a", 1))
    move(a, wanderer, b)
    assert a.call(lambda: wanderer.where()) == creator(b)
    assert a.call(lambda: wanderer.read()) == [("a", 1)]
    assert wanderer._id in b.kernel.table.records
    assert wanderer._id not in a.kernel.table.records
    at_rest(world, nodes)


def test_whoever_asks_for_the_move_gets_the_object_to_where_he_says(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(c, wanderer, c)
    assert c.call(lambda: seen(c, wanderer).where()) == creator(c)
    assert b.call(lambda: seen(b, wanderer).where()) == creator(c)
    at_rest(world, nodes)


def test_an_object_that_came_is_called_here_and_not_over_links(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    ref = seen(b, wanderer)
    b.call(lambda: ref.write("b", 0))
    move(b, wanderer, b)
    b.call(lambda: ref.write("b", 1))
    before = peering(b).calls.last_number
    assert b.call(lambda: ref.write("b", 2)) == 3
    assert peering(b).calls.last_number == before


def test_a_move_to_where_it_is_does_nothing(nodes: list[SimulatedNode]) -> None:
    wanderer = wanderer_at(nodes[0])
    move(nodes[0], wanderer, nodes[0])
    assert nodes[0].call(lambda: wanderer.where()) == creator(nodes[0])


def test_an_object_moves_on_and_back(world: World, nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    for near, to in ((a, b), (b, c), (c, a), (b, b), (a, a)):
        move(near, wanderer, to)
        for node in nodes:
            assert node.call(lambda node=node: seen(node, wanderer).where()) == creator(to)
    at_rest(world, nodes)


def test_who_was_told_goes_straight_there(world: World, nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, b)
    ref = seen(c, wanderer)
    c.call(lambda: ref.where())
    world.pass_time(5.0)
    passed = peering(a).calls.last_number
    assert c.call(lambda: ref.where()) == creator(b)
    assert peering(a).calls.last_number == passed


@pytest.mark.parametrize("seed", range(12))
def test_messages_of_three_nodes_arrive_once_and_in_order_while_it_moves(seed: int) -> None:
    with World(seed) as world:
        nodes = chain(world, "abc")
        if seed % 2:
            join(nodes[2], nodes[0])
        wanderer = wanderer_at(nodes[0])
        calls = []
        for node in nodes:
            writer = node.call(vista.create, Correspondent)
            ref = seen(node, wanderer)
            calls.append(
                node.spawn(lambda w=writer, r=ref, n=node: w.write(r, n.name, 60))  # type: ignore[misc]
            )
        dice = world.hub.random
        for _ in range(5):
            world.pass_time(dice.random() * 0.1)
            move(dice.choice(nodes), wanderer, dice.choice(nodes))
        assert ended(world, calls) == [None] * 3
        world.pass_time(5.0)
        near = nodes[1]
        for node in nodes:
            found = near.call(lambda n=node: seen(near, wanderer).numbers_of(n.name))
            assert found == list(range(60))
        at_rest(world, nodes)


@pytest.mark.parametrize("seed", range(12))
def test_posts_on_their_way_are_not_overtaken_on_shorter_ways(seed: int) -> None:
    with World(seed, conditions=SLOW) as world:
        nodes = chain(world, "abc")
        join(nodes[2], nodes[0])
        for node in nodes:
            meet(node, [other for other in nodes if other is not node])
        # Of two links and one, the one may be the longer way.
        for one, other in ("ab", "bc", "ca"):
            world.network.slow(one, other, world.hub.random.choice((1.0, 8.0)))
        wanderer = wanderer_at(nodes[seed % 3])
        calls = []
        for node in nodes:
            writer = node.call(vista.create, Correspondent)
            ref = seen(node, wanderer)
            calls.append(
                node.spawn(lambda w=writer, r=ref, n=node: w.post_steadily(r, n.name, 600))  # type: ignore[misc]
            )
        for number in range(5):
            world.pass_time(0.1)
            move(nodes[number % 3], wanderer, nodes[(seed + number) % 3])
        assert ended(world, calls) == [None] * 3
        world.pass_time(5.0)
        for node in nodes:
            found = nodes[1].call(lambda n=node: seen(nodes[1], wanderer).numbers_of(n.name))
            assert found == list(range(600))
        at_rest(world, nodes)


def test_waiting_messages_go_along_in_their_order(world: World, nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)

    def send_all() -> list[int]:
        moving = wanderer.move_to.future(vista.ref_of(creator(b)))
        numbers = [wanderer.write.future("a", number) for number in range(20)]
        moving.result()
        return [future.result() for future in numbers]

    assert a.call(send_all) == list(range(1, 21))
    assert a.call(lambda: wanderer.numbers_of("a")) == list(range(20))
    at_rest(world, nodes)


def test_threads_in_the_object_end_before_it_moves(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)

    def rest_and_move() -> str:
        resting = wanderer.rest.future(1.0)
        vista.sleep(0.1)
        vista.move(wanderer, creator(b))
        assert resting.done()
        answer: str = resting.result()
        return answer

    assert a.call(rest_and_move) == "rested"


def test_a_thread_that_does_not_end_keeps_the_object(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)

    def try_to_move() -> None:
        wanderer.rest.future(1000.0)
        vista.sleep(0.1)
        vista.move(wanderer, creator(b), timeout=1.0)

    with pytest.raises(ObjectBusy, match=r"rest"):
        a.call(try_to_move)
    assert a.call(lambda: wanderer.where()) == creator(a)


def test_a_method_cannot_wait_for_the_move_of_its_own_object(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    with pytest.raises(ObjectBusy, match=r'vista.post\(self, "move_to"\)'):
        a.call(lambda: wanderer.move_itself(vista.ref_of(creator(b))))


def test_a_method_may_post_the_move_of_its_own_object(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    a.call(lambda: wanderer.move_itself_later(vista.ref_of(creator(b))))
    world.pass_time(5.0)
    assert a.call(lambda: wanderer.where()) == creator(b)


def test_an_object_that_cannot_be_encoded_stays(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    a.call(lambda: wanderer.keep_a_lock())
    with pytest.raises(NotAValueError, match=r"lock"):
        move(a, wanderer, b)
    assert a.call(lambda: wanderer.where()) == creator(a)


def test_an_object_does_not_move_to_a_node_nobody_knows(
    world: World, nodes: list[SimulatedNode]
) -> None:
    wanderer = wanderer_at(nodes[0])
    alone = add_node(world, "alone")
    with pytest.raises(vista.NoSuchObject, match=r"no node"):
        move(nodes[0], wanderer, alone)
    assert nodes[0].call(lambda: wanderer.where()) == creator(nodes[0])


def test_an_object_creator_does_not_move(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    with pytest.raises(vista.BadValueError, match=r"stands for its node"):
        a.call(lambda: vista.move(vista.here(), creator(b)))


def test_moving_administers_the_object(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    with pytest.raises(AccessDenied):
        a.call(lambda: vista.move(wanderer, creator(b)), user="eve")
    assert a.call(lambda: wanderer.where()) == creator(a)


def test_access_list_goes_along(nodes: list[SimulatedNode]) -> None:
    a, b, _ = nodes
    wanderer = wanderer_at(a)
    a.call(lambda: wanderer.set_acl(AccessControlList.of("allow operator *", "deny * write")))
    move(a, wanderer, b)
    with pytest.raises(AccessDenied):
        a.call(lambda: wanderer.write("eve", 1), user="eve")
    assert a.call(lambda: wanderer.write("operator", 1)) == 1


def test_watchers_go_along_and_hear_of_no_deletion(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, _ = nodes
    wanderer, watcher = wanderer_at(a), a.call(vista.create, Correspondent)
    a.call(lambda: wanderer.add_notify_when_modified(watcher))
    move(a, wanderer, b)
    world.pass_time(5.0)
    assert a.call(lambda: watcher.list_heard()) == []
    a.call(lambda: wanderer.write("a", 1))
    world.pass_time(5.0)
    assert a.call(lambda: watcher.list_heard()) == ["modified"]


def test_service_names_go_along(world: World, nodes: list[SimulatedNode]) -> None:
    a, b, c = nodes
    for node in nodes:
        node.call(vista.create, "AnnounceServices")
    wanderer = wanderer_at(a)
    a.call(lambda: vista.register_service("Wanderers/one", wanderer))
    move(a, wanderer, b)
    world.pass_time(5.0)
    assert b.kernel.services.get_local("Wanderers/one") == wanderer
    assert a.kernel.services.get_local("Wanderers/one") is None
    assert c.call(lambda: vista.send("Wanderers/one", "where")) == creator(b)


def test_an_object_that_moved_and_was_deleted_is_deleted_everywhere(
    nodes: list[SimulatedNode],
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, b)
    c.call(lambda: vista.delete(seen(c, wanderer)))
    for node in nodes:
        with pytest.raises(vista.NoSuchObject):
            node.call(lambda node=node: seen(node, wanderer).where())


def test_a_call_that_was_passed_on_is_cancelled_where_it_runs(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, b)

    def give_up() -> None:
        with vista.timeout(2.0):
            seen(c, wanderer).rest(1000.0)

    with pytest.raises(CallTimeout):
        c.call(give_up)
    world.pass_time(5.0)
    assert [row.method for row in b.call(vista.threads)] == ["outside"]
    at_rest(world, nodes)


def test_who_knows_where_it_went_does_without_the_birth_node(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, c)
    b.call(lambda: seen(b, wanderer).where())
    world.pass_time(5.0)
    world.crash("a")
    world.pass_time(30.0)
    assert b.call(lambda: seen(b, wanderer).where()) == creator(c)


def test_peers_are_asked_where_an_object_is_whose_birth_node_is_gone(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(a)
    move(a, wanderer, c)
    world.crash("a")
    world.pass_time(30.0)
    results = b.call(
        lambda: [seen(b, wanderer).where(), seen(b, wanderer).write.future("b", 1).result()]
    )
    assert results == [creator(c), 1]


def test_an_object_that_went_with_its_node_is_lost_with_the_reason(
    world: World, nodes: list[SimulatedNode]
) -> None:
    _, b, c = nodes
    wanderer = wanderer_at(c)
    meet(b, [c])
    world.crash("c")
    world.pass_time(30.0)
    with pytest.raises(PeerLost):
        b.call(lambda: seen(b, wanderer).where())


def test_calls_in_flight_survive_nothing_but_end_when_the_new_home_is_lost(
    world: World, nodes: list[SimulatedNode]
) -> None:
    a, b, c = nodes
    wanderer = wanderer_at(b)
    move(b, wanderer, c)
    call = a.spawn(lambda: seen(a, wanderer).rest(1000.0))
    world.pass_time(1.0)
    world.crash("c")
    (error,) = ended(world, [call])
    assert isinstance(error, PeerLost | ThreadKilled | ObjectDeleted)


@pytest.mark.parametrize("seconds", [0.02 * step for step in range(1, 24)])
def test_a_move_that_is_given_up_leaves_the_object_in_one_place(seconds: float) -> None:
    with World(5, conditions=SLOW) as world:
        nodes = chain(world, "ab")
        a, b = nodes
        wanderer = wanderer_at(a)

        def give_up() -> None:
            with vista.timeout(seconds):
                vista.move(wanderer, creator(b))

        with contextlib.suppress(CallTimeout):
            a.call(give_up)
        world.pass_time(30.0)
        homes = [node for node in nodes if wanderer._id in node.kernel.table.records]
        assert len(homes) == 1
        for node in nodes:
            assert node.call(lambda n=node: seen(n, wanderer).where()) == creator(homes[0])
        at_rest(world, nodes)
