"""Calls over links whose links are lost, slow or full: each ends once, and with what."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.peers.system import (
    DEAF,
    PROMPT,
    add_node,
    assert_rest,
    bell,
    chain,
    ended,
    join,
    links,
    peering,
    seen,
    start,
)
from vista.testing import Conditions, World
from vista.wire.frames import REPLY


def test_each_call_in_flight_ends_once_with_peer_lost_when_the_link_is_lost() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        far = seen(a, bell(b))
        counts = [0] * 20
        calls = [far.ring.future(30.0) for _ in counts]
        for number, call in enumerate(calls):
            call.on_done(lambda _, number=number: counts.__setitem__(number, counts[number] + 1))
        threads = [a.spawn(far.ring, 30.0) for _ in range(5)]
        world.pass_time(1.0)
        world.network.lose("a", "b")
        found = ended(world, calls + threads, 2.0)
        assert [type(error) for error in found] == [vista.PeerLost] * 25
        world.pass_time(60.0)
        assert counts == [1] * 20
        assert_rest(a, b)


def test_the_age_of_a_call_counts_from_when_it_came_also_at_a_node_that_rested() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        far = seen(a, bell(b))
        world.pass_time(100.0)
        alone = [start(a, lambda: far.ring(55.0))]
        world.pass_time(50.0)
        series = [start(a, lambda: far.ring(40.0)) for _ in range(2)]
        world.pass_time(2.0)
        rows = [row for row in b.call(vista.threads) if row.method == "ring"]
        assert [row.age_seconds for row in rows] == pytest.approx([52.0, 2.0, 2.0], abs=0.5)
        assert ended(world, alone + series) == ["rung"] * 3


def test_calls_that_were_answered_before_the_loss_have_their_answers() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        far = seen(a, bell(b))
        calls = [far.ring.future(seconds) for seconds in (0.1, 20.0)]
        world.pass_time(1.0)
        world.network.lose("a", "b")
        rung, lost = ended(world, calls)
        assert rung == "rung"
        assert isinstance(lost, vista.PeerLost)


def test_what_runs_for_a_lost_peer_is_cancelled() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        own = bell(b)
        seen(a, own).ring.future(1000.0)
        world.pass_time(1.0)
        world.crash("a")
        world.pass_time(12.0)
        assert own.list_ended() == ["KillThread"]
        assert_rest(b)


def test_what_runs_for_a_lost_peer_is_cancelled_across_two_hops() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b, c = chain(world, "abc")
        own = bell(c)
        seen(a, own).ring.future(1000.0)
        world.pass_time(1.0)
        world.crash("a")
        world.pass_time(12.0)
        assert own.list_ended() == ["KillThread"]
        assert_rest(b, c)


def test_a_call_ends_with_peer_lost_when_the_node_between_crashes() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _, c = chain(world, "abc")
        own = bell(c)
        ring = seen(a, own).ring.future(1000.0)
        world.pass_time(1.0)
        world.crash("b")
        assert isinstance(ended(world, [ring], 12.0)[0], vista.PeerLost)
        world.pass_time(12.0)
        assert own.list_ended() == ["KillThread"]
        assert_rest(a, c)


def test_posts_that_reach_nobody_are_counted() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        far = seen(a, bell(b))
        b.stop()
        world.pass_time(1.0)
        before = a.kernel.counters.posts_lost
        far.hear.post(1)
        world.pass_time(1.0)
        assert a.kernel.counters.posts_lost == before + 1


def test_order_is_kept_over_a_slow_link_with_a_small_window() -> None:
    bounds = vista.Limits(link_window_bytes=5_000, link_messages_max=100_000)
    slow = Conditions(queue_messages_max=2, jitter_seconds=0.05, late_chance=0.0)
    with World(1, conditions=slow) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))

        def send() -> list[Any]:
            calls = []
            for number in range(300):
                if number % 3:
                    far.hear.post(number)
                else:
                    calls.append(far.hear.future(number))
                if number % 50 == 0:
                    vista.sleep(0.01)
            return vista.gather(*calls)

        a.call(send)
        assert far.list_heard() == list(range(300))
        assert_rest(a, b)


def test_an_answer_that_finds_no_room_becomes_a_small_overloaded() -> None:
    bounds = vista.Limits(
        link_bytes_max=200_000, frame_bytes_max=100_000, large_buffer_bytes=50_000
    )
    with World(1, conditions=Conditions(queue_messages_max=1)) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))
        world.network.slow("a", "b", 1000.0)
        calls = [far.blob.future(40_000) for _ in range(20)]
        found = ended(world, calls)
        refused = [error for error in found if isinstance(error, vista.Overloaded)]
        assert refused
        assert "the answer found no room" in str(refused[0])
        assert found.count(bytes(40_000)) + len(refused) == 20
        # Each was asked after while its answer was under way.
        world.pass_time(20.0)
        assert_rest(a, b)


def test_an_answer_that_finds_no_room_on_the_way_becomes_a_small_overloaded() -> None:
    small = vista.Limits(link_bytes_max=200_000, frame_bytes_max=100_000, large_buffer_bytes=50_000)
    with World(1, conditions=Conditions(queue_messages_max=1)) as world:
        a, b, c = (add_node(world, name, limits=small if name == "b" else None) for name in "abc")
        join(a, b)
        join(b, c)
        world.pass_time(1.0)
        far = seen(a, bell(c))
        world.network.slow("a", "b", 1000.0)
        calls = [far.blob.future(40_000) for _ in range(20)]
        found = ended(world, calls)
        refused = [error for error in found if isinstance(error, vista.Overloaded)]
        assert refused
        assert found.count(bytes(40_000)) + len(refused) == 20
        world.pass_time(20.0)
        assert_rest(a, b, c)


def test_an_answer_from_another_node_than_the_called_one_is_ignored() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b, c = chain(world, "abc")
        ring = seen(a, bell(b)).ring.future(2.0)
        world.pass_time(0.5)
        (number,) = peering(a).calls.pending
        row = (REPLY, number, 0, c.kernel.codec.encode("forged"))
        peering(c).send(a.kernel.table.node, row, (), "operator")
        world.pass_time(0.5)
        assert not ring.done()
        assert ended(world, [ring]) == ["rung"]


def test_an_answer_to_an_earlier_run_of_a_node_answers_no_call_of_the_next() -> None:
    with World(1) as world:
        numbers = set()
        for name in "ab":
            node = add_node(world, name)
            node.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0"))
            numbers.add(peering(node).calls.last_number >> 32)
        assert len(numbers) == 2


@pytest.mark.parametrize("conditions", [DEAF, PROMPT], ids=["deaf", "prompt"])
def test_calls_in_flight_when_a_node_stops_end_with_peer_lost_at_its_caller(
    conditions: Conditions,
) -> None:
    with World(1, conditions=conditions) as world:
        a, b = chain(world, "ab")
        ring = seen(a, bell(b)).ring.future(1000.0)
        world.pass_time(0.5)
        b.stop()
        (error,) = ended(world, [ring], 8.0)
        assert isinstance(error, vista.PeerLost)


def test_a_call_that_gives_up_is_cancelled_there() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _, c = chain(world, "abc")
        own = bell(c)
        far = seen(a, own)

        def give_up() -> None:
            with vista.timeout(1.0):
                far.ring(1000.0)

        with pytest.raises(vista.CallTimeout):
            a.call(give_up)
        world.pass_time(1.0)
        assert own.list_ended() == ["KillThread"]
        assert_rest(a, c)


def test_a_thread_that_waits_for_room_goes_on_when_the_link_is_lost() -> None:
    bounds = vista.Limits(link_messages_max=8)
    with World(1, conditions=Conditions(queue_messages_max=1)) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))
        world.network.partition(["a"], ["b"])
        calls = []
        for _ in range(20):
            calls.append(a.spawn(far.echo, 1))
            world.pass_time(0.05)
        assert links(a)[0].is_congested
        found = ended(world, calls, 30.0)
        assert {type(error) for error in found} == {vista.PeerLost}
        assert_rest(a)
