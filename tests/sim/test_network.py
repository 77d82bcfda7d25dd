"""The simulated network: addresses, keys, channels, and how each fault shows at both ends."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import vista
from vista.errors import LocalProtocolError, PeerAddressError
from vista.peering.curve import public_key_of
from vista.peering.urls import PeerUrl
from vista.testing import Conditions, World

ONE_KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
SURE = Conditions(half_open_chance=0.0, late_chance=0.0)
IPC = PeerUrl("ipc", path="/sockets/hub")
ANY_TCP = PeerUrl("tcp", "*")


class Side:
    """One end of a link: what it got, and what it was told."""

    def __init__(self, channel: Any = None) -> None:
        self.channel = channel
        self.received: list[list[bytes]] = []
        self.lost: list[str] = []
        self.writable = 0
        if channel is not None:
            self.use(channel)

    def use(self, channel: Any) -> None:
        self.channel = channel
        channel.receive = self.received.append
        channel.lost = self.lost.append
        channel.writable = self._count

    def _count(self) -> None:
        self.writable += 1

    @property
    def numbers(self) -> list[int]:
        return [int(parts[0]) for parts in self.received]


def listen(world: World, name: str, url: PeerUrl = IPC, **options: Any) -> tuple[Any, Side]:
    """Listen in the name of a node; return the listener and the side that the last peer gets."""
    side = Side()
    known = {"secret_key": ONE_KEY, "admits": lambda key, where: True, "accept": side.use}
    return world.network.of(name).listen(url, **{**known, **options}), side


def connect(world: World, name: str, url: PeerUrl = IPC, key: bytes = OTHER_KEY) -> Side:
    """Connect in the name of a node."""
    return Side(world.network.of(name).connect(url, secret_key=key))


def linked(world: World, url: PeerUrl = IPC) -> tuple[Side, Side]:
    """Return both sides of a link from ``b`` to ``a`` that has carried one message."""
    listener, far = listen(world, "a", url)
    near = connect(world, "b", listener.url)
    assert near.channel.send([b"0"])
    world.drive(lambda: bool(far.received), 10.0)
    return near, far


# --- addresses -----------------------------------------------------------------------------


def test_a_listener_has_a_port_and_the_key_of_its_node_in_its_url() -> None:
    with World(0) as world:
        first, second = listen(world, "a", ANY_TCP)[0], listen(world, "b", ANY_TCP)[0]
    assert first.url == PeerUrl("tcp", "127.0.0.1", 49152, key=public_key_of(ONE_KEY))
    assert second.url.port == 49153


@pytest.mark.parametrize("url", [IPC, PeerUrl("tcp", "10.0.0.7", 4500), PeerUrl("tcp", "*", 4500)])
def test_an_address_is_taken_once(url: PeerUrl) -> None:
    with World(0) as world:
        listener, _ = listen(world, "a", url)
        with pytest.raises(PeerAddressError, match=r"is taken"):
            listen(world, "b", url)
        listener.close()
        listen(world, "b", url)


def test_tcp_needs_a_key_at_both_sides() -> None:
    with World(0) as world:
        listener, _ = listen(world, "a", ANY_TCP)
        with pytest.raises(PeerAddressError, match=r"needs the secret key"):
            listen(world, "b", ANY_TCP, secret_key=None)
        with pytest.raises(PeerAddressError, match=r"needs the secret key"):
            world.network.of("b").connect(listener.url, secret_key=None)


def test_a_listening_address_is_none_to_connect_to() -> None:
    with World(0) as world, pytest.raises(PeerAddressError):
        connect(world, "b", ANY_TCP)


# --- keys ----------------------------------------------------------------------------------


def test_each_side_of_a_tcp_link_has_the_key_the_other_proved() -> None:
    with World(0) as world:
        near, far = linked(world, ANY_TCP)
    assert near.channel.key == public_key_of(ONE_KEY)
    assert far.channel.key == public_key_of(OTHER_KEY)


def test_an_ipc_link_proves_no_key() -> None:
    with World(0) as world:
        near, far = linked(world)
    assert (near.channel.key, far.channel.key) == (None, None)


def test_a_peer_with_another_key_than_the_url_has_is_no_peer() -> None:
    with World(0) as world:
        listener, far = listen(world, "a", ANY_TCP)
        wrong = dataclasses.replace(listener.url, key=public_key_of(OTHER_KEY))
        near = connect(world, "b", wrong)
        near.channel.send([b"0"])
        world.pass_time(10.0)
    assert near.lost == ["the peer there has another key than the URL says"]
    assert far.channel is None


def test_a_key_that_is_not_admitted_gets_no_channel() -> None:
    asked = []

    def admits(key: bytes, where: str) -> bool:
        asked.append(key)
        return False

    with World(0) as world:
        listener, far = listen(world, "a", ANY_TCP, admits=admits)
        near = connect(world, "b", listener.url)
        near.channel.send([b"0"])
        world.pass_time(10.0)
    assert near.lost == ["the peer does not admit the key of this node"]
    assert asked == [public_key_of(OTHER_KEY)]
    assert far.channel is None


# --- channels ------------------------------------------------------------------------------


def test_a_channel_carries_both_ways_in_order() -> None:
    with World(3) as world:
        near, far = linked(world)
        for number in range(1, 40):
            assert near.channel.send([b"%d" % number, b"more"]) or near.channel.send([])
            far.channel.send([b"%d" % number])
            world.pass_time(0.05)
        world.pass_time(60.0)
    assert far.numbers == list(range(40))
    assert near.numbers == list(range(1, 40))
    assert far.received[1] == [b"1", b"more"]


def test_a_message_has_a_part() -> None:
    with World(0) as world, pytest.raises(LocalProtocolError, match=r"one part at least"):
        connect(world, "b").channel.send([])


def test_a_peer_gets_no_channel_before_the_first_message() -> None:
    with World(0, conditions=SURE) as world:
        _, far = listen(world, "a")
        near = connect(world, "b")
        world.pass_time(10.0)
        assert far.channel is None
        near.channel.send([b"0"])
        world.pass_time(1.0)
        assert far.numbers == [0]


def test_a_channel_waits_for_a_peer_that_comes_later() -> None:
    with World(0) as world:
        near = connect(world, "b")
        near.channel.send([b"0"])
        world.pass_time(100.0)
        _, far = listen(world, "a")
        world.pass_time(20.0)
    assert (far.numbers, near.lost) == ([0], [])


def test_a_full_channel_refuses_until_there_is_room() -> None:
    with World(0, conditions=Conditions(queue_messages_max=3)) as world:
        near, far = linked(world)
        sent = [near.channel.send([b"%d" % number]) for number in range(1, 6)]
        assert sent == [True, True, True, False, False]
        world.pass_time(1.0)
        assert (far.numbers, near.writable) == ([0, 1, 2, 3], 1)
        assert near.channel.send([b"4"])


def test_a_channel_is_full_by_bytes_but_takes_one_message_of_any_size() -> None:
    with World(0, conditions=Conditions(queue_bytes_max=100)) as world:
        near, far = linked(world)
        assert near.channel.send([b"1" * 1000])
        assert not near.channel.send([b"2"])
        world.pass_time(1.0)
        assert len(far.received) == 2


def test_large_messages_take_their_time() -> None:
    with World(0, conditions=Conditions(bytes_per_second=1000.0)) as world:
        near, far = linked(world)
        near.channel.send([b"1" * 5000])
        world.pass_time(4.5)
        assert len(far.received) == 1
        world.pass_time(1.0)
        assert len(far.received) == 2


def test_messages_of_two_channels_change_places() -> None:
    def order(seed: int) -> list[bytes]:
        came: list[bytes] = []
        with World(seed, conditions=Conditions(jitter_seconds=0.1)) as world:
            world.network.of("a").listen(
                IPC,
                secret_key=None,
                admits=lambda key, where: True,
                accept=lambda channel: setattr(
                    channel, "receive", lambda parts: came.append(parts[0])
                ),
            )
            for name in ("b", "c"):
                connect(world, name).channel.send([name.encode()])
            world.pass_time(5.0)
        return came

    assert {tuple(order(seed)) for seed in range(20)} == {(b"b", b"c"), (b"c", b"b")}


def test_what_a_closed_channel_sent_arrives_before_its_end() -> None:
    with World(0, conditions=SURE) as world:
        near, far = linked(world)
        near.channel.send([b"1"])
        near.channel.close()
        assert not near.channel.send([b"2"])
        world.pass_time(1.0)
    assert (far.numbers, far.lost) == ([0, 1], ["the peer closed the connection"])
    assert near.lost == []


def test_a_channel_closed_before_it_stood_still_brings_its_message() -> None:
    with World(0, conditions=SURE) as world:
        _, far = listen(world, "a")
        near = connect(world, "b")
        near.channel.send([b"0"])
        near.channel.close()
        world.pass_time(5.0)
    assert (far.numbers, far.lost) == ([0], ["the peer closed the connection"])


def test_a_closed_channel_does_not_wait_for_ever_for_a_peer() -> None:
    with World(0) as world:
        near = connect(world, "b")
        near.channel.send([b"0"])
        near.channel.close()
        world.pass_time(60.0)
        assert world.hub.idle
        assert not near.channel.send([b"1"])


def test_a_closed_listener_accepts_nobody_and_keeps_who_is_there() -> None:
    with World(0, conditions=SURE) as world:
        listener, far = listen(world, "a")
        near, late = connect(world, "b"), connect(world, "c")
        near.channel.send([b"0"])
        world.pass_time(1.0)
        listener.close()
        near.channel.send([b"1"])
        late.channel.send([b"7"])
        world.pass_time(1.0)
    assert far.numbers == [0, 1]
    assert late.lost == ["the peer closed the connection"]


# --- faults --------------------------------------------------------------------------------


def test_both_ends_learn_of_a_loss_within_the_bounds() -> None:
    for seed in range(50):
        with World(seed, conditions=SURE) as world:
            near, far = linked(world)
            world.network.lose("a", "b")
            world.pass_time(SURE.notice_seconds + 0.1)
            assert near.lost == far.lost == ["the connection broke"]
            assert not near.channel.send([b"1"])


def test_some_ends_learn_of_a_loss_late_and_some_never() -> None:
    conditions = dataclasses.replace(SURE, late_chance=0.4, half_open_chance=0.3)
    soon = late = never = 0
    for seed in range(60):
        with World(seed, conditions=conditions) as world:
            near, _ = linked(world)
            world.network.lose("a", "b")
            world.pass_time(0.2)
            soon += bool(near.lost)
            world.pass_time(15.0)
            late += bool(near.lost)
            never += not near.lost
    assert 0 < soon < late < 60
    assert never > 0


def test_a_loss_takes_an_end_of_what_is_under_way_and_never_the_midst() -> None:
    arrived = set()
    for seed in range(40):
        with World(seed, conditions=dataclasses.replace(SURE, delay_seconds=1.0)) as world:
            near, far = linked(world)
            for number in range(1, 6):
                near.channel.send([b"%d" % number])
            world.network.lose("a", "b")
            world.pass_time(20.0)
            assert far.numbers == list(range(len(far.numbers)))
            assert far.lost
            arrived.add(len(far.numbers))
    assert arrived == {1, 2, 3, 4, 5, 6}


def test_a_half_open_channel_takes_what_it_has_room_for_and_is_silent() -> None:
    conditions = Conditions(half_open_chance=1.0, queue_messages_max=3)
    with World(0, conditions=conditions) as world:
        near, far = linked(world)
        world.network.lose("a", "b")
        assert [near.channel.send([b"1"]) for _ in range(5)] == [True, True, True, False, False]
        world.pass_time(1000.0)
        assert (far.numbers, near.lost, far.lost, near.writable) == ([0], [], [], 0)


def test_what_a_partition_stops_arrives_when_it_heals() -> None:
    conditions = dataclasses.replace(SURE, patience_seconds=1000.0)
    with World(0, conditions=conditions) as world:
        near, far = linked(world)
        partition = world.network.partition(["a"], ["b"])
        for number in range(1, 5):
            near.channel.send([b"%d" % number])
            far.channel.send([b"%d" % number])
        world.pass_time(100.0)
        assert (far.numbers, near.numbers) == ([0], [])
        partition.heal()
        world.pass_time(1.0)
        assert (far.numbers, near.numbers) == ([0, 1, 2, 3, 4], [1, 2, 3, 4])


def test_a_one_way_partition_stops_one_way() -> None:
    conditions = dataclasses.replace(SURE, patience_seconds=1000.0)
    with World(0, conditions=conditions) as world:
        near, far = linked(world)
        world.network.partition(["b"], ["a"], one_way=True)
        near.channel.send([b"1"])
        far.channel.send([b"2"])
        world.pass_time(10.0)
        assert (far.numbers, near.numbers) == ([0], [2])
        world.network.heal()
        world.pass_time(10.0)
        assert far.numbers == [0, 1]


def test_who_sends_into_a_lasting_partition_loses_the_connection() -> None:
    with World(0, conditions=SURE) as world:
        near, far = linked(world)
        world.network.partition(["a"], ["b"])
        near.channel.send([b"1"])
        world.pass_time(2 * SURE.patience_seconds)
        assert (near.lost, far.lost) == (["no answer from the peer"], [])
        world.network.heal()
        world.pass_time(10.0)
        assert far.lost == ["no answer from the peer"]
        assert far.numbers in ([0], [0, 1])


def test_partitions_overlap() -> None:
    with World(0, conditions=SURE) as world:
        near, far = linked(world)
        first = world.network.partition(["a"], ["b"])
        second = world.network.partition(["a", "c"], ["b"])
        near.channel.send([b"1"])
        first.heal()
        first.heal()
        world.pass_time(1.0)
        assert far.numbers == [0]
        second.heal()
        world.pass_time(1.0)
        assert far.numbers == [0, 1]


def test_nobody_connects_across_a_partition_or_to_who_refuses() -> None:
    with World(0, conditions=SURE) as world:
        _, far = listen(world, "a")
        world.network.partition(["a"], ["b"], one_way=True)
        near = connect(world, "b")
        near.channel.send([b"0"])
        world.pass_time(20.0)
        world.network.refuse("a")
        world.network.partition(["a"], ["c"]).heal()
        world.pass_time(20.0)
        assert far.channel is None
        world.network.heal()
        world.pass_time(20.0)
        assert (far.numbers, near.lost) == ([0], [])


def test_a_slow_link_is_slow() -> None:
    with World(0, conditions=Conditions(delay_seconds=0.01, jitter_seconds=0.0)) as world:
        near, far = linked(world)
        world.network.slow("a", "b", 1000.0)
        near.channel.send([b"1"])
        world.pass_time(9.0)
        assert far.numbers == [0]
        world.pass_time(2.0)
        assert far.numbers == [0, 1]


def test_what_was_sent_in_a_slow_phase_hurries_after_it() -> None:
    with World(0, conditions=Conditions(delay_seconds=0.01, jitter_seconds=0.0)) as world:
        near, far = linked(world)
        world.network.slow("a", "b", 10000.0)
        near.channel.send([b"1"])
        near.channel.send([b"2"])
        world.pass_time(50.0)
        world.network.slow("a", "b", 1.0)
        world.pass_time(0.1)
        assert far.numbers == [0, 1, 2]


def test_faults_stand_in_the_trace() -> None:
    with World(0) as world:
        world.network.partition(["a"], ["b", "c"], one_way=True)
        world.network.lose("a", "b")
        faults = [event.detail for event in world.trace.events if event.kind == "fault"]
    assert faults == ["a reach no b c", "connections of a and b break"]


def test_a_node_finds_the_network_in_its_settings() -> None:
    with World(0) as world:
        node = world.node("first", settings={"own": 1})
        assert node.kernel.settings["network"] is world.network.of("first")
        assert node.kernel.settings["own"] == 1


def test_a_node_that_stops_closes_its_channels() -> None:
    with World(0, conditions=SURE) as world:
        node = world.node("b")
        _, far = linked(world)
        node.stop()
        world.pass_time(1.0)
        assert far.lost == ["the peer closed the connection"]
        with pytest.raises(vista.BadValueError):
            world.crash("b")
