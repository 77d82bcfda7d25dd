"""Channels over ZeroMQ and strangers: wrong keys, garbage, floods, and peers that do not read."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from tests.live.ends import TCP, End, Side, ipc, joined, peer, run, sides, until
from vista.peering.curve import make_key_pair, public_key_of
from vista.peering.sockets import SocketBounds
from vista.peering.urls import PeerUrl, key_text

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
SHORT = SocketBounds(handshake_seconds=1.0)


@contextmanager
def dealer(url: PeerUrl, **options: Any) -> Iterator[zmq.Socket[bytes]]:
    """A socket of somebody who does not use vista."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = context.socket(zmq.DEALER)
    made.linger = 0
    for name, value in options.items():
        setattr(made, name, value)
    made.connect(f"tcp://{url.host}:{url.port}" if url.scheme == "tcp" else f"ipc://{url.path}")
    try:
        yield made
    finally:
        context.destroy(linger=0)


def curve(server: bytes | None, secret: bytes) -> dict[str, bytes]:
    assert server is not None
    return {
        "curve_serverkey": z85.encode(server),
        "curve_secretkey": z85.encode(secret),
        "curve_publickey": z85.encode(public_key_of(secret)),
    }


async def assert_works(listening: Side, url: PeerUrl) -> None:
    """A peer that behaves is served, whatever the others do."""
    known = len(listening.accepted)
    friend = Side()
    try:
        near = friend.connect(url)
        near.channel.send([b"hello"])
        await until(lambda: len(listening.accepted) > known)
        end = listening.accepted[-1]
        await until(lambda: end.messages == [[b"hello"]])
    finally:
        friend.network.close()


def test_a_socket_without_curve_never_gets_a_channel() -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            url = a.listen(TCP).url
            with dealer(url) as stranger:
                stranger.send(b"let me in")
                await assert_works(a, url)
                assert (len(a.accepted), len(a.asked)) == (1, 1)

    run(body)


def test_a_peer_whose_key_is_not_known_is_refused_and_told_what_to_type() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            a.known = set()
            near = b.connect(a.listen(TCP).url)
            near.channel.send([b"hello"])
            await until(lambda: near.losses)
            assert a.asked == [(b.public, "127.0.0.1")]
            assert near.losses == [
                f"the peer at {near.channel.words} does not know this node's key; "
                f"there: vista authorize {key_text(b.public)} USER call"
            ]
            assert a.accepted == []

    run(body)


def test_a_url_with_a_wrong_key_brings_a_loss_that_says_so() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near = b.connect(replace(a.listen(TCP).url, key=make_key_pair()[0]))
            near.channel.send([b"hello"])
            await until(lambda: near.losses)
            assert "another key than the URL says" in near.losses[0]
            assert (a.accepted, a.asked) == ([], [])

    run(body)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), GREETING * 20])
def test_garbage_bytes_hurt_nobody(garbage: bytes) -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            url = a.listen(TCP).url
            with socket.create_connection((url.host, url.port)) as stranger:
                stranger.sendall(garbage)
                await assert_works(a, url)
            assert len(a.accepted) == 1

    run(body)


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_who_sends_an_oversize_part_is_cut_off_before_it_is_read(
    scheme: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with sides(bounds=SocketBounds(frame_bytes_max=100_000)) as (a, b):
            near, far = await joined(a, b, TCP if scheme == "tcp" else ipc(tmp_path))
            near.channel.send([bytes(200_000)])
            await until(lambda: near.losses and far.losses)
            assert far.messages == []

    run(body)


def test_a_peer_that_chose_its_routing_id_is_cut_off() -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            url = a.listen(TCP).url
            keys = curve(url.key, make_key_pair()[1])
            with dealer(url, routing_id=b"chosen", **keys) as stranger:
                watching = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                stranger.send(b"hello")
                await until(lambda: watching.poll(0))
            assert (len(a.asked) > 0, a.accepted) == (True, [])

    run(body)


def test_a_routing_id_cannot_be_told_beforehand(tmp_path: Path) -> None:
    found = set()
    for number in range(3):

        async def body(number: int = number) -> None:
            # What libzmq counts from, when nobody else does anything about it.
            ctypes.CDLL(None).srand(1)
            async with sides() as (a, b):
                _, far = await joined(a, b, PeerUrl("ipc", path=str(tmp_path / str(number))))
                found.add(far.channel.routing_id)  # type: ignore[attr-defined]

        run(body)
    assert len(found) == 3


def test_a_message_under_a_stolen_routing_id_ends_the_channel_and_gets_its_own_key() -> None:
    async def body() -> None:
        async with sides(3) as (a, b, c):
            near_b, far_b = await joined(a, b, TCP)
            near_c = c.connect(a.network._listeners[0].url)
            near_c.channel.send([b"hello"])
            await until(lambda: len(a.accepted) == 2)
            # As if c had got the id that was b's, and no notice of b's loss had come yet.
            channels = a.network._listeners[0]._channels
            channels[a.accepted[1].channel.routing_id] = far_b.channel  # type: ignore[attr-defined, assignment]
            near_c.channel.send([b"i am b"])
            await until(lambda: len(a.accepted) == 3)
            assert (far_b.messages, len(far_b.losses)) == ([], 1)
            assert (a.accepted[2].messages, a.accepted[2].channel.key) == ([[b"i am b"]], c.public)
            assert near_b.channel.key == a.public

    run(body)


def silent(url: PeerUrl, number: int, stack: ExitStack) -> list[socket.socket]:
    address = (url.host, url.port)
    return [stack.enter_context(socket.create_connection(address)) for _ in range(number)]


def test_two_thousand_connections_that_say_nothing_are_served_around_and_ended() -> None:
    async def body() -> None:
        async with sides(1, SHORT) as (a,):
            url = a.listen(TCP).url
            before = len(os.listdir("/proc/self/fd"))
            with ExitStack() as stack:
                silent(url, 2_000, stack)
                await assert_works(a, url)
                # Theirs stay open until the end of the block, those of the listener do not.
                await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 2_000)
            assert len(a.accepted) == 1

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10_000:
        pytest.skip("fewer than 10,000 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        run(body)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_beyond_the_bound_are_cut_off() -> None:
    async def body() -> None:
        async with sides(bounds=SocketBounds(connections_max=5)) as (a, b):
            near, far = await joined(a, b, TCP)
            with ExitStack() as stack:
                strangers = silent(a.network._listeners[0].url, 6, stack)
                ended = []
                for stranger in strangers:
                    stranger.setblocking(False)

                def look() -> bool:
                    for stranger in strangers:
                        try:
                            if stranger not in ended and stranger.recv(1000) == b"":
                                ended.append(stranger)
                        except BlockingIOError:
                            pass
                    return len(ended) == 2

                await until(look)
                near.channel.send([b"undisturbed"])
                await until(lambda: far.messages)
                assert (len(ended), far.messages) == (2, [[b"undisturbed"]])

    run(body)


def test_a_peer_that_ignores_the_closing_is_cut_off(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(1, SocketBounds(linger_seconds=0.1)) as (a,):
            with dealer(a.listen(ipc(tmp_path)).url) as stranger:
                watching = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                stranger.send(b"hello")
                await until(lambda: a.accepted)
                a.accepted[0].channel.close()
                await until(lambda: watching.poll(0))
                assert recv_monitor_message(watching)["event"] == zmq.EVENT_DISCONNECTED

    run(body)


def fill(end: End, parts: list[bytes], most: int) -> int:
    """Send until there is no room; return how often there was."""
    for number in range(most):
        if not end.channel.send(parts):
            return number
    return most


@pytest.mark.parametrize("role", ["connect", "listen"])
def test_a_peer_that_stops_reading_fills_its_queue_and_no_more(role: str, tmp_path: Path) -> None:
    part = os.urandom(1024 * 1024)

    async def body() -> None:
        bounds = SocketBounds(channel_bytes_max=8 * len(part))
        async with sides(1, bounds) as (a,):
            listener = a.listen(ipc(tmp_path)) if role == "connect" else None
            with peer(role, ipc(tmp_path), make_key_pair()[1]) as (process, _):
                end = a.connect(ipc(tmp_path)) if listener is None else None
                if end is None:
                    await until(lambda: a.accepted)
                    end = a.accepted[0]
                end.channel.send([b"there?"])
                await until(lambda: [b"there?"] in end.messages)
                end.messages.clear()
                process.send_signal(signal.SIGSTOP)
                sent = 0
                for _ in range(20):
                    sent += fill(end, [part], 1_000)
                    await asyncio.sleep(0.01)
                # What the kernel holds on the way is little beside the bound.
                assert 8 <= sent <= 12
                assert end.rooms > 0
                process.send_signal(signal.SIGCONT)
                await until(lambda: len(end.messages) == sent)
                assert fill(end, [part], 1) == 1

    run(body)


def test_small_messages_to_a_peer_that_stops_reading_are_bounded_by_number(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            with peer("listen", ipc(tmp_path), make_key_pair()[1]) as (process, _):
                end = a.connect(ipc(tmp_path))
                end.channel.send([b"there?"])
                await until(lambda: end.messages)
                process.send_signal(signal.SIGSTOP)
                sent = 0
                for _ in range(20):
                    sent += fill(end, [bytes(10_000)], 1_000_000)
                    await asyncio.sleep(0.01)
                # Both queues of 256, and the kernel's buffer.
                assert sent < 1_000

    run(body)


def test_messages_before_the_peer_is_there_are_bounded(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near = b.connect(ipc(tmp_path))
            assert fill(near, [b"x"], 10_000) == SocketBounds().channel_messages_max
            a.listen(ipc(tmp_path))
            await until(lambda: a.accepted)
            await until(lambda: len(a.accepted[0].messages) == SocketBounds().channel_messages_max)
            assert near.rooms > 0

    run(body)


def forged_ready(url: PeerUrl, routing_id: bytes) -> socket.socket:
    """Speak ZMTP 3.1 by hand as far as a peer that names an id (RFC 37)."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(url.path)
    properties = b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in [(b"Socket-Type", b"DEALER"), (b"Identity", routing_id)]
    )
    ready = b"\x05READY" + properties
    made.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
    received = b""
    while b"READY" not in received:
        received += made.recv(4096)
    return made


def test_a_forged_routing_id_of_a_peer_that_left_gets_a_channel_of_its_own(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            near, far = await joined(a, b, ipc(tmp_path))
            near.channel.close()
            await until(lambda: far.losses)
            routing_id = far.channel.routing_id  # type: ignore[attr-defined]
            thief = await asyncio.to_thread(forged_ready, ipc(tmp_path), routing_id)
            with thief:
                thief.sendall(b"\x00\x05again")
                await until(lambda: len(a.accepted) == 2)
                assert (far.messages, a.accepted[1].messages) == ([], [[b"again"]])

    run(body)
