"""Channels over ZeroMQ between two networks: what they carry, and how they end."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.live.ends import ROOT, TCP, End, ipc, joined, peer, run, sides, until
from vista.errors import LocalProtocolError, PeerAddressError
from vista.peering.curve import make_key_pair
from vista.peering.sockets import SocketBounds
from vista.peering.transport import Channel
from vista.peering.urls import PeerUrl

SCHEMES = pytest.mark.parametrize("scheme", ["tcp", "ipc"])


def url_of(scheme: str, directory: Path) -> PeerUrl:
    return TCP if scheme == "tcp" else ipc(directory)


def hold_the_loop() -> None:
    """Let the other threads of ZeroMQ work while no callback runs."""
    threading.Event().wait(0.3)


@SCHEMES
def test_messages_arrive_whole_and_in_order_both_ways(scheme: str, tmp_path: Path) -> None:
    messages = [[b"%d" % number, b"", b"x" * number * 1000] for number in range(150)]

    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, url_of(scheme, tmp_path))
            for message in messages:
                assert near.channel.send(message)
                assert far.channel.send(message)
            await until(lambda: len(near.messages) == len(far.messages) == 150)
            assert near.messages == far.messages == messages

    run(body)


def test_large_parts_arrive_read_only(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            kinds: list[Any] = []
            far.channel.receive = kinds.extend
            near.channel.send([b"small", memoryview(bytearray(100_000))])
            await until(lambda: kinds)
            assert kinds[0] == b"small"
            assert (type(kinds[1]), kinds[1].readonly, len(kinds[1])) == (memoryview, True, 100_000)

    run(body)


def test_each_side_of_tcp_has_the_other_ones_key() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, TCP)
            assert (near.channel.key, far.channel.key) == (a.public, b.public)
            assert a.asked == [(b.public, "127.0.0.1")]

    run(body)


def test_nobody_has_a_key_on_ipc(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            assert (near.channel.key, far.channel.key, a.asked) == (None, None, [])

    run(body)


@SCHEMES
def test_a_peer_that_comes_later_gets_what_was_sent_before(scheme: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            url = ipc(tmp_path)
            if scheme == "tcp":
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    url = PeerUrl("tcp", "127.0.0.1", probe.getsockname()[1], key=a.public)
            near = b.connect(url)
            near.channel.send([b"early"])
            near.channel.send([b"bird"])
            await asyncio.sleep(0.1)  # Some attempts fail.
            a.listen(replace(url, key=None))
            await until(lambda: a.accepted)
            far = a.accepted[0]
            await until(lambda: far.messages == [[b"early"], [b"bird"]])
            assert near.losses == []

    run(body)


def test_a_host_may_be_a_name() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, _ = await joined(a, b, PeerUrl("tcp", "localhost", 0))
            assert near.channel.words.startswith("tcp://localhost:")

    run(body)


async def send_and_close(one: End, other: End) -> None:
    """Send from one end and close it at once: the other end gets all of it, and then is told."""
    for number in range(200):
        one.channel.send([b"%d" % number])
    one.channel.close()
    await until(lambda: other.losses)
    assert len(other.messages) == 200


@SCHEMES
def test_what_was_sent_before_close_arrives_and_the_listening_side_is_told(
    scheme: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, url_of(scheme, tmp_path))
            await send_and_close(near, far)
            assert far.losses == [f"the connection of {far.channel.words} broke"]
            assert near.losses == []

    run(body)


@SCHEMES
def test_what_was_sent_before_close_arrives_and_the_connecting_side_is_told(
    scheme: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, url_of(scheme, tmp_path))
            await send_and_close(far, near)
            assert near.losses == [f"the peer at {near.channel.words} closed the connection"]
            assert far.losses == []

    run(body)


def test_a_first_message_of_a_peer_that_has_left_arrives_with_its_loss(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near = b.connect(a.listen(ipc(tmp_path)).url)
            await until(lambda: near.channel._stands)  # type: ignore[attr-defined]
            near.channel.send([b"and away"])
            near.channel.close()
            await until(lambda: a.accepted and a.accepted[0].losses)
            assert a.accepted[0].messages == [[b"and away"]]

    run(body)


@SCHEMES
def test_a_killed_listening_peer_is_lost_within_a_second(scheme: str, tmp_path: Path) -> None:
    public, secret = make_key_pair()

    async def body() -> None:
        async with sides(1) as (a,):
            url = url_of(scheme, tmp_path)
            with peer("listen", url, secret) as (process, port):
                if scheme == "tcp":
                    url = replace(url, port=int(port), key=public)
                near = a.connect(url)
                near.channel.send([b"there?"])
                await until(lambda: near.messages == [[b"there?"]])
                process.kill()
                await until(lambda: near.losses, 1.0)
                assert near.losses == [f"the connection to {near.channel.words} broke"]

    run(body)


@SCHEMES
def test_a_killed_connecting_peer_is_lost_within_a_second(scheme: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            listener = a.listen(url_of(scheme, tmp_path))
            with peer("connect", listener.url, make_key_pair()[1]) as (process, _):
                await until(lambda: a.accepted and a.accepted[0].messages)
                process.kill()
                await until(lambda: a.accepted[0].losses, 1.0)
                words = a.accepted[0].channel.words
                assert a.accepted[0].losses == [f"the connection of {words} broke"]

    run(body)


def test_only_the_channel_of_the_lost_peer_is_lost(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(3) as (a, b, c):
            near_b, far_b = await joined(a, b, ipc(tmp_path))
            near_c = c.connect(near_b.channel._url)  # type: ignore[attr-defined]
            near_c.channel.send([b"hello"])
            await until(lambda: len(a.accepted) == 2)
            near_b.channel.close()
            await until(lambda: far_b.losses)
            a.accepted[1].channel.send([b"still here"])
            await until(lambda: near_c.messages == [[b"still here"]])
            assert a.accepted[1].losses == []

    run(body)


def test_nothing_stale_reaches_a_peer_that_comes_back(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(3) as (a, b, c):
            near, _ = await joined(a, b, ipc(tmp_path))
            a.network.close()
            # The loop has not learned of the break: this goes the way of the old connection. The
            # peer is back, and time to connect again goes by, before the loop has its turn.
            near.channel.send([b"stale"])
            c.listen(ipc(tmp_path))
            hold_the_loop()
            await until(lambda: near.losses)
            late = b.connect(ipc(tmp_path))
            late.channel.send([b"fresh"])
            await until(lambda: c.accepted)
            await until(lambda: c.accepted[0].messages)
            assert [end.messages for end in c.accepted] == [[[b"fresh"]]]

    run(body)


def test_what_came_before_the_break_is_read_before_the_loss_is_told(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            for _ in range(200):
                far.channel.send([b"x"])
            a.network.close()
            hold_the_loop()
            await until(lambda: near.losses)
            assert len(near.messages) == 200

    run(body)


def test_a_message_whose_notice_a_send_ate_is_read(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            for number in range(20):
                far.channel.send([b"%d" % number])
                notice = near.channel._reader._descriptor  # type: ignore[attr-defined]
                assert select.select([notice], [], [], 10)[0]
                near.channel.send([b"and the notice is gone"])
                await until(lambda number=number: len(near.messages) == number + 1)

    run(body)


def test_a_message_that_is_read_before_the_news_of_its_connection_is_of_a_live_peer(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            listener = a.listen(ipc(tmp_path))
            near = b.connect(ipc(tmp_path))
            # Of the two sockets that have something the one with the message comes first.
            listener._monitor._reader._site.loop.remove_reader(
                listener._monitor._reader._descriptor
            )
            near.channel.send([b"hello"])
            await until(lambda: a.accepted)
            a.accepted[0].channel.send([b"welcome"])
            await until(lambda: near.messages)
            assert a.accepted[0].losses == []

    run(body)


def test_a_closed_listener_keeps_its_channels_and_lets_nobody_in(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(3) as (a, b, c):
            near, far = await joined(a, b, ipc(tmp_path))
            a.network._listeners[0].close()
            late = c.connect(ipc(tmp_path))
            late.channel.send([b"hello"])
            near.channel.send([b"one"])
            await until(lambda: far.messages == [[b"one"]])
            far.channel.send([b"two"])
            await until(lambda: near.messages == [[b"two"]])
            assert (len(a.accepted), late.losses) == (1, [])
            assert os.listdir(tmp_path) == []

    run(body)


def test_the_url_of_a_listener_has_the_real_port_and_the_key() -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            url = a.listen(TCP).url
            assert url.port > 0
            assert url.key == a.public

    run(body)


def test_an_address_that_is_taken_is_named() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            url = replace(a.listen(TCP).url, key=None)
            with pytest.raises(PeerAddressError, match=rf"127\.0\.0\.1:{url.port}: Address alr"):
                b.listen(url)

    run(body)


def test_a_socket_file_of_a_live_node_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(3) as (a, b, c):
            near, _ = await joined(a, b, ipc(tmp_path))
            with pytest.raises(PeerAddressError, match=r"another process listens there"):
                c.listen(ipc(tmp_path))
            near.channel.send([b"undisturbed"])
            await until(lambda: a.accepted[0].messages == [[b"undisturbed"]])

    run(body)


def test_a_socket_file_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    async def body() -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(ipc(tmp_path).path)
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            assert (a.accepted, near.losses, far.losses) == ([far], [], [])

    run(body)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = Path(ipc(tmp_path).path)
    path.write_text("precious")

    async def body() -> None:
        async with sides(1) as (a,):
            with pytest.raises(PeerAddressError, match=r"a file that is no socket is there"):
                a.listen(ipc(tmp_path))

    run(body)
    assert path.read_text() == "precious"


def test_closing_removes_the_socket_file(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            await joined(a, b, ipc(tmp_path))

    run(body)
    assert os.listdir(tmp_path) == []


def test_closing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    async def body() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for url in (TCP, ipc(tmp_path)):
            async with sides() as (a, b):
                await joined(a, b, url)
                b.connect(PeerUrl("ipc", path=str(tmp_path / "nobody")))
        assert len(os.listdir("/proc/self/fd")) == before

    run(body)


def test_an_error_of_the_receiver_goes_to_the_loop_and_the_reading_goes_on(tmp_path: Path) -> None:
    async def body() -> None:
        unseen: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: unseen.append(context["exception"]))
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            keep = far.channel.receive

            def fail_once(parts: Any) -> None:
                far.channel.receive = keep
                raise ZeroDivisionError

            far.channel.receive = fail_once
            near.channel.send([b"one"])
            near.channel.send([b"two"])
            await until(lambda: far.messages == [[b"two"]])
            assert [type(error) for error in unseen] == [ZeroDivisionError]

    run(body)


def test_an_error_of_who_is_to_admit_refuses_the_peer() -> None:
    async def body() -> None:
        unseen: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: unseen.append(context["exception"]))
        async with sides() as (a, b):
            listener = a.network.listen(
                TCP,
                secret_key=a.secret,
                admits=lambda key, where: {}[key],  # type: ignore[no-any-return]
                accept=lambda channel: a.accepted.append(End(channel)),
            )
            near = b.connect(listener.url)
            near.channel.send([b"hello"])
            await until(lambda: near.losses)
            assert (a.accepted, [type(error) for error in unseen]) == ([], [KeyError])

    run(body)


def test_a_channel_whose_taking_failed_is_closed(tmp_path: Path) -> None:
    async def body() -> None:
        unseen: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: unseen.append(context["exception"]))

        def refuse(channel: Channel) -> None:
            raise ZeroDivisionError

        async with sides() as (a, b):
            a.network.listen(
                ipc(tmp_path), secret_key=None, admits=lambda key, where: True, accept=refuse
            )
            near = b.connect(ipc(tmp_path))
            near.channel.send([b"hello"])
            await until(lambda: near.losses)
            assert [type(error) for error in unseen] == [ZeroDivisionError]

    run(body)


def test_other_callbacks_get_their_turn_while_messages_pour_in(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(bounds=SocketBounds(portion_messages=4)) as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            most, since = 0, 0

            def count(parts: Any) -> None:
                nonlocal most, since
                since += 1
                most = max(most, since)
                far.messages.append([b""])

            far.channel.receive = count
            for _ in range(200):
                near.channel.send([b"x"])
            while len(far.messages) < 200:
                since = 0
                await asyncio.sleep(0)
            # A turn may hold a notice of the descriptor and a portion that was still to come.
            assert most <= 8

    run(body)


def test_a_message_without_a_byte_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            waiting = b.connect(PeerUrl("ipc", path=str(tmp_path / "nobody")))
            for end in (near, far, waiting):
                with pytest.raises(LocalProtocolError, match=r"part that is not empty"):
                    end.channel.send([b""])

    run(body)


def test_a_send_on_a_closed_channel_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            for end in (near, far):
                end.channel.close()
                with pytest.raises(LocalProtocolError, match=r"a channel that is over"):
                    end.channel.send([b"x"])

    run(body)


def test_nothing_else_imports_zeromq() -> None:
    homes = {"vista/peering/curve.py"}
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "vista").rglob("*.py")
        if "import zmq" in path.read_text() or "from zmq" in path.read_text()
    }
    assert {path for path in found if not path.startswith("vista/peering/sockets/")} <= homes
