"""Links: how they begin, which of several counts, how they end, and what stands for them."""

from __future__ import annotations

import pytest

import vista
from tests.peers.system import (
    DEAF,
    PROMPT,
    add_node,
    assert_rest,
    bell,
    chain,
    dial,
    ended,
    join,
    links,
    listen,
    meet,
    peering,
    post_until_full,
    seen,
)
from vista.testing import Conditions, SimulatedNode, World


def test_both_sides_that_connect_at_once_keep_one_link_and_let_it_be() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = add_node(world, "a"), add_node(world, "b")
        urls = listen(a), listen(b)
        kept = dial(a, urls[1]), dial(b, urls[0])
        a.call(lambda: kept[0].wait())
        b.call(lambda: kept[1].wait())
        world.pass_time(1.0)
        numbers = [link.number for node in (a, b) for link in links(node)]
        assert len(numbers) == 2
        world.pass_time(60.0)
        assert [link.number for node in (a, b) for link in links(node)] == numbers
        assert [one.get_state()["linked"] for one in kept] == [True, True]


def test_when_the_shared_link_ends_who_shared_it_opens_one() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = add_node(world, "a"), add_node(world, "b")
        first, second = (dial(a, url) for url in [listen(b)] * 2)
        a.call(lambda: second.wait())
        a.call(lambda: first.wait())
        assert len(links(a)) == 1
        a.call(lambda: vista.delete(first))
        world.pass_time(3.0)
        assert (len(links(a)), second.get_state()["linked"]) == (1, True)


def test_deleting_who_shares_a_link_leaves_it() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = add_node(world, "a"), add_node(world, "b")
        url = listen(b)
        first = dial(a, url)
        a.call(lambda: first.wait())
        second = dial(a, url)
        a.call(lambda: second.wait())
        (link,) = links(a)
        a.call(lambda: vista.delete(second))
        world.pass_time(3.0)
        assert links(a) == [link]


def test_a_lost_link_is_opened_again_by_itself() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        before = links(a)
        world.network.lose("a", "b")
        world.pass_time(1.0)
        assert len(links(a)) == len(links(b)) == 1
        assert links(a) != before
        assert seen(a, bell(b)).echo(1) == 1


def test_a_link_of_which_nobody_hears_is_found_dead_within_loss_seconds() -> None:
    with World(1, conditions=DEAF) as world:
        a, b = chain(world, "ab")
        ring = seen(a, bell(b)).ring.future(100.0)
        world.network.lose("a", "b")
        began = world.time
        world.drive(ring.done, 60.0)
        limits = a.kernel.limits
        assert isinstance(ring.exception(), vista.PeerLost)
        assert world.time - began <= limits.loss_seconds + limits.ping_seconds


def test_a_node_that_stops_says_goodbye() -> None:
    with World(1, conditions=DEAF) as world:
        a, b = chain(world, "ab")
        ring = seen(a, bell(b)).ring.future(100.0)
        began = world.time
        b.stop()
        world.drive(lambda: ring.done() and not peering(a).nodes(), 1.0)
        assert world.time - began < b.kernel.limits.drain_seconds + 2.0
        assert peering(a).nodes() == []


def test_another_node_at_the_url_takes_the_place_of_one_that_crashed() -> None:
    with World(1, conditions=PROMPT) as world:
        a = add_node(world, "a")
        b = add_node(world, "b", boot=lambda node: vista.create("AcceptPeerConnections", "ipc:/b"))
        kept = dial(a, "ipc:/b")
        a.call(lambda: kept.wait())
        lost = seen(a, bell(b))
        world.crash("b")
        found = world.restart("b")
        meet(a, [found])
        assert peering(a).nodes() == [found.kernel.table.node]
        assert seen(a, bell(found)).echo(1) == 1
        with pytest.raises(vista.PeerLost, match=r"cannot be reached any longer"):
            lost.echo(1)


def twins(world: World) -> list[SimulatedNode]:
    """A node to which two connect that have one identity."""
    found = [add_node(world, name) for name in "axy"]
    for twin in found[1:]:
        twin.kernel.table.node = b"same" + bytes(6)
    return found


def test_a_node_with_this_nodes_own_identity_is_refused() -> None:
    with World(1, conditions=PROMPT) as world:
        _, x, y = twins(world)
        kept = dial(x, listen(y))
        world.pass_time(3.0)
        assert "two nodes cannot share one" in kept.get_state()["trouble"]
        assert peering(x).nodes() == []


def test_of_two_nodes_with_one_identity_the_earlier_is_refused_while_the_later_lasts() -> None:
    with World(1, conditions=PROMPT) as world:
        a, x, y = twins(world)
        url = listen(a)
        kept = dial(x, url)
        x.call(lambda: kept.wait())
        later = dial(y, url)
        y.call(lambda: later.wait())
        world.pass_time(60.0)
        assert [later.get_state()["linked"], kept.get_state()["linked"]] == [True, False]
        assert "another node runs with this identity" in kept.get_state()["trouble"]
        (link,) = links(a)
        assert link.hello is not None
        assert link.hello.epoch == peering(y).session_config.epoch
        y.stop()
        world.pass_time(30.0)
        assert kept.get_state()["linked"]


def test_an_object_stands_for_a_link_as_long_as_it_lasts() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")

        def standing() -> int:
            names = [row.class_name for row in vista.objects()]
            return names.count("Standard.PeerConnection")

        world.pass_time(1.0)
        assert [a.call(standing), b.call(standing)] == [1, 1]
        b.stop()
        world.pass_time(1.0)
        assert a.call(standing) == 0


def test_temporary_objects_die_with_the_link() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        world.pass_time(1.0)
        made = peering(a).connections[links(a)[0].number].create_temporary_object("LinkedBell")
        lasting = bell(a)
        assert made.echo(1) == 1
        world.network.lose("a", "b")
        world.pass_time(3.0)
        with pytest.raises(vista.ObjectDeleted):
            made.echo(1)
        assert lasting.echo(1) == 1
        assert seen(b, lasting).echo(2) == 2


def test_of_temporary_objects_that_were_deleted_a_link_keeps_few() -> None:
    with World(1, conditions=PROMPT) as world:
        a, _ = chain(world, "ab")
        world.pass_time(1.0)
        standing = peering(a).connections[links(a)[0].number]
        made = [standing.create_temporary_object("LinkedBell") for _ in range(300)]
        a.call(lambda: [one.delete_yourself() for one in made[1:]])
        for _ in range(1_000):
            a.call(lambda: standing.create_temporary_object("LinkedBell").delete_yourself())
        kept = a.kernel.record_of(standing).instance._temporary
        assert made[0] in kept
        assert len(kept) < 700
        world.network.lose("a", "b")
        world.pass_time(3.0)
        with pytest.raises(vista.ObjectDeleted):
            made[0].echo(1)


def test_the_messages_of_a_turn_leave_as_one_batch() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab")
        far = seen(a, bell(b))
        world.pass_time(1.0)
        (link,) = links(a)
        before = link.session.batches_sent

        def send() -> None:
            for number in range(50):
                far.hear.post(number)

        a.call(send)
        world.pass_time(1.0)
        assert link.session.batches_sent == before + 1
        assert far.list_heard() == list(range(50))


def test_messages_that_fill_several_frames_arrive_in_their_order() -> None:
    bounds = vista.Limits(frame_bytes_max=100_000, large_buffer_bytes=50_000)
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))

        def send() -> None:
            for number in range(30):
                far.hear.post([number, bytes(94_500 if number % 2 else 5_900)])

        a.call(send)
        assert far.list_numbers() == list(range(30))


def test_a_message_that_no_frame_holds_is_refused_and_the_link_stays() -> None:
    bounds = vista.Limits(frame_bytes_max=100_000, large_buffer_bytes=50_000)
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))
        before = links(a)
        with pytest.raises(vista.Overloaded, match=r"more than a frame"):
            far.hear(bytes(100_000))
        with pytest.raises(vista.Overloaded, match=r"answer found no room.*more than a frame"):
            far.blob(100_000)
        assert links(a) == before
        assert_rest(a, b)


def test_a_slow_link_keeps_its_senders_waiting_and_its_queue_small() -> None:
    bounds = vista.Limits(link_messages_max=40)
    slow = Conditions(queue_messages_max=1, bytes_per_second=20_000.0)
    with World(1, conditions=slow) as world:
        a, b = chain(world, "ab", limits=bounds)
        far = seen(a, bell(b))
        (link,) = links(a)
        most = [0]
        world.watch(lambda event: most.append(max(most.pop(), link.waiting_messages)) or "")
        calls = [a.spawn(far.echo, bytes(500)) for _ in range(100)]
        assert set(ended(world, calls)) == {bytes(500)}
        assert 0 < most[0] <= 40
        assert_rest(a, b)


def test_posts_past_the_bound_of_a_link_are_refused() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = chain(world, "ab", limits=vista.Limits(link_messages_max=40))
        far = seen(a, bell(b))
        assert post_until_full(a, far) == 40
        assert far.list_heard() == list(range(40))


def test_messages_passed_on_for_others_count_with_their_bytes() -> None:
    with World(1, conditions=Conditions(queue_messages_max=1)) as world:
        a, b, c = chain(world, "abc")
        far = seen(a, bell(c))
        world.network.slow("b", "c", 1e6)
        most = [0]
        onward = next(link for link in links(b) if link.node == c.kernel.table.node)
        world.watch(lambda event: most.append(max(most.pop(), onward.waiting_bytes)) or "")
        for _ in range(10):
            a.spawn(far.hear, bytes(10_000))
            world.pass_time(0.1)
        assert most[0] >= 50_000


def test_a_link_has_one_object_also_when_it_ends_at_once() -> None:
    with World(1, conditions=PROMPT) as world:
        a, b = add_node(world, "a"), add_node(world, "b")
        url = listen(b)
        for _ in range(5):
            kept = dial(a, url)
            a.call(lambda kept=kept: kept.wait())
            a.call(lambda kept=kept: vista.delete(kept))
        world.pass_time(5.0)
        rows = [row.class_name for node in (a, b) for row in node.call(vista.objects)]
        assert "Standard.PeerConnection" not in rows


def test_a_connection_that_is_closed_while_it_waits_says_so() -> None:
    with World(1, conditions=PROMPT) as world:
        a = add_node(world, "a")
        kept = dial(a, "ipc:/nobody")
        waiting = a.spawn(kept.wait, 30.0)
        world.pass_time(1.0)
        a.call(lambda: vista.delete(kept))
        (error,) = ended(world, [waiting])
        assert isinstance(error, vista.CallError)


def test_join_is_what_the_other_tests_take_it_for() -> None:
    with World(1) as world:
        a, b = add_node(world, "a"), add_node(world, "b")
        join(a, b)
        assert [link.node for link in links(a)] == [b.kernel.table.node]
