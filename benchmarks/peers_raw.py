"""What links cost below vista: raw ZeroMQ, and the channels that vista lays over it.

Each function starts the other process, does its work ``count`` times with it, and returns seconds
for one operation. ``python -m benchmarks.peers_raw`` prints all of them; the other process is the
same module with a role.
"""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import zmq

from benchmarks.measure import expect
from vista.peering.curve import make_key_pair
from vista.peering.sockets import ZeroMQNetwork
from vista.peering.transport import Channel, Part
from vista.peering.urls import PeerUrl

ROOT = Path(__file__).parents[1]
SMALL = b"x" * 64
LARGE = 2**20
IN_FLIGHT = 200
WARM_UP = 200
SECONDS_MAX = 60.0


def req_rep(count: int, scheme: str, *, curve: bool = False) -> float:
    """One blocking REQ/REP call of raw pyzmq; ``scheme`` is "tcp" or "ipc"."""
    with _address(scheme) as (address, _), _child("rep", address, str(curve)) as said:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            with _requester(context, said().split(), curve) as requester:
                return _timed(count, lambda: _ask(requester))
        finally:
            context.destroy(linger=0)


def dealer_router(count: int, scheme: str) -> float:
    """One message there and back between a raw DEALER and a raw ROUTER, both blocking."""
    with _dealer(scheme, "router") as dealer:
        return _timed(count, lambda: _ask(dealer))


def in_flight(count: int, scheme: str) -> float:
    """As `dealer_router`, with a frame for each of 200 messages that are always under way."""
    with _dealer(scheme, "router") as dealer:
        started = perf_counter()
        for _ in range(IN_FLIGHT):
            dealer.send(SMALL)
        for _ in range(count - IN_FLIGHT):
            dealer.recv()
            dealer.send(SMALL)
        for _ in range(IN_FLIGHT):
            dealer.recv()
        return (perf_counter() - started) / max(count, IN_FLIGHT)


def raw_posts(count: int, scheme: str) -> float:
    """One message of 64 bytes from a raw DEALER to a raw ROUTER, until it has read all of them."""
    with _dealer(scheme, "sink") as dealer:
        started = perf_counter()
        for _ in range(count):
            dealer.send(SMALL)
        dealer.send(b"?")
        expect(dealer.recv(), b"%d" % count)
        return (perf_counter() - started) / count


def large(count: int, scheme: str) -> float:
    """One message of 1 MiB from a raw DEALER, and a short one back; pyzmq copies neither."""
    data = bytes(LARGE)
    with _dealer(scheme, "sink") as dealer:
        started = perf_counter()
        for number in range(1, count + 1):
            dealer.send(data, zmq.SNDMORE, copy=False)
            dealer.send(b"?")
            expect(dealer.recv(), b"%d" % number)
        return (perf_counter() - started) / count


def first_reply(count: int, scheme: str, *, curve: bool = False) -> float:
    """A new raw REQ socket, connected, until its first answer."""
    with _address(scheme) as (address, _), _child("rep", address, str(curve)) as said:
        words = said().split()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            started = perf_counter()
            for _ in range(count):
                with _requester(context, words, curve) as requester:
                    _ask(requester)
            return (perf_counter() - started) / count
        finally:
            context.destroy(linger=0)


def channel(count: int, scheme: str) -> float:
    """One message there and back between two channels, each on a loop of its own; tcp has CURVE."""
    return _with_channel(scheme, lambda peer: _ping(peer, count))


def one_way(count: int, scheme: str, *, size: int = 64) -> float:
    """One message of ``size`` bytes on a channel, while as many follow as there is room for."""
    return _with_channel(scheme, lambda peer: _stream(peer, count, bytes(size)))


@contextmanager
def _requester(
    context: zmq.Context[zmq.Socket[bytes]], words: list[str], curve: bool
) -> Iterator[zmq.Socket[bytes]]:
    """A REQ socket connected to the other process, which said its address and its key."""
    requester = context.socket(zmq.REQ)
    if curve:
        requester.curve_serverkey = words[1].encode()
        requester.curve_publickey, requester.curve_secretkey = zmq.curve_keypair()
    requester.connect(words[0])
    try:
        yield requester
    finally:
        requester.close(linger=0)


@contextmanager
def _dealer(scheme: str, role: str) -> Iterator[zmq.Socket[bytes]]:
    """A DEALER socket connected to the other process in a role."""
    with _address(scheme) as (address, _), _child(role, address, "False") as said:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.connect(said().split()[0])
        try:
            yield dealer
        finally:
            context.destroy(linger=0)


def _ask(asking: zmq.Socket[bytes]) -> None:
    asking.send(SMALL)
    asking.recv()


def _timed(count: int, call: Callable[[], None]) -> float:
    for _ in range(WARM_UP):
        call()
    started = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - started) / count


class _Talk:
    """A channel whose messages are waited for one at a time."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.room = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Part] = self._loop.create_future()
        channel.receive = self._receive
        channel.writable = self.room.set

    def _receive(self, parts: list[Part]) -> None:
        self._answer.set_result(parts[0])

    async def ask(self, message: bytes) -> Part:
        """Send and wait for what comes back."""
        self._answer = self._loop.create_future()
        self.channel.send([message])
        return await self._answer


async def _ping(channel: Channel, count: int) -> float:
    # The next message leaves from inside the callback: a turn of the loop more costs 8 us.
    done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    seen, started = 0, 0.0

    def receive(parts: list[Part]) -> None:
        nonlocal seen, started
        seen += 1
        if seen == WARM_UP:
            started = perf_counter()
        if seen == WARM_UP + count:
            done.set_result((perf_counter() - started) / count)
        else:
            channel.send([SMALL])

    channel.receive = receive
    channel.send([SMALL])
    return await done


async def _stream(channel: Channel, count: int, message: bytes) -> float:
    talk = _Talk(channel)
    await talk.ask(b"?")
    started = perf_counter()
    parts, last = [message], count - 1
    for number in range(count):
        while not channel.send(parts):
            talk.room.clear()
            await talk.room.wait()
        if number == last or number % 64 == 0:
            await asyncio.sleep(0)
    # The answer comes when everything before it has been read.
    expect(bytes(await _when_room(talk)), b"%d" % (count + 1))
    return (perf_counter() - started) / count


async def _when_room(talk: _Talk) -> Part:
    talk._answer = asyncio.get_running_loop().create_future()
    while not talk.channel.send([b"?"]):
        talk.room.clear()
        await talk.room.wait()
    return await talk._answer


def _with_channel(scheme: str, body: Callable[[Channel], Awaitable[float]]) -> float:
    public, secret = make_key_pair()

    async def connected(url: PeerUrl) -> float:
        network = ZeroMQNetwork(asyncio.get_running_loop())
        try:
            return await body(network.connect(url, secret_key=secret))
        finally:
            network.close()

    with _address(scheme) as (_, url), _child("listen", str(url), secret.hex()) as said:
        port = int(said())
        if scheme == "tcp":
            url = PeerUrl("tcp", url.host, port, key=public)
        return _run(connected(url))


def _run(body: Awaitable[float]) -> float:
    async def main() -> float:
        return await body

    if importlib.util.find_spec("uvloop") is None:
        return asyncio.run(main())
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


@contextmanager
def _address(scheme: str) -> Iterator[tuple[str, PeerUrl]]:
    """An address to listen at, as ZeroMQ and as vista write it."""
    if scheme == "tcp":
        yield "tcp://127.0.0.1:*", PeerUrl("tcp", "127.0.0.1", 0)
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield f"ipc://{directory}/peer", PeerUrl("ipc", path=f"{directory}/peer")


@contextmanager
def _child(role: str, address: str, more: str) -> Iterator[Callable[[], str]]:
    """The other process; what it says is read line by line."""
    command = [sys.executable, "-m", "benchmarks.peers_raw", role, address, more]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline
    finally:
        process.kill()
        process.wait(SECONDS_MAX)
        process.stdout.close()


def _answer_raw(kind: int, address: str, curve: bool) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    replier = context.socket(kind)
    public, secret = zmq.curve_keypair()
    if curve:
        replier.curve_server = True
        replier.curve_secretkey = secret
    replier.bind(address)
    print(replier.last_endpoint.decode().rstrip("\0"), public.decode(), flush=True)
    while True:
        replier.send_multipart(replier.recv_multipart())


def _count_raw(address: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    counter = context.socket(zmq.ROUTER)
    counter.bind(address)
    print(counter.last_endpoint.decode().rstrip("\0"), flush=True)
    seen = 0
    while True:
        frames = counter.recv_multipart(copy=False)
        seen += len(frames) > 2 or len(frames[-1]) > 1
        if len(frames[-1]) == 1:
            counter.send_multipart([frames[0].bytes, b"%d" % seen])


async def _answer_channels(url: PeerUrl, secret: bytes) -> None:
    def accept(channel: Channel) -> None:
        seen = 0

        def receive(parts: list[Part]) -> None:
            nonlocal seen
            seen += 1
            if parts[0] == SMALL[:64] and is_pinging[0]:
                channel.send(parts)
            elif parts[0] == b"?":
                channel.send([b"%d" % (seen - 1)])
                is_pinging[0] = False

        is_pinging = [True]
        channel.receive = receive

    network = ZeroMQNetwork(asyncio.get_running_loop())
    listener = network.listen(url, secret_key=secret, admits=lambda key, where: True, accept=accept)
    print(listener.url.port, flush=True)
    await asyncio.Event().wait()


def _answer(role: str, address: str, more: str) -> None:
    async def channels() -> float:
        await _answer_channels(PeerUrl.parse(address), bytes.fromhex(more))
        return 0.0

    if role == "listen":
        _run(channels())
    elif role == "sink":
        _count_raw(address)
    else:
        _answer_raw(zmq.REP if role == "rep" else zmq.ROUTER, address, more == "True")


def _print_all() -> None:
    for scheme in ("ipc", "tcp"):
        for round_number in range(3):
            figures = {
                "REQ/REP": req_rep(3000, scheme),
                "DEALER/ROUTER": dealer_router(3000, scheme),
                "200 in flight": in_flight(30_000, scheme),
                "posts": raw_posts(30_000, scheme),
                "1 MiB there": large(300, scheme),
                "first reply": first_reply(20, scheme),
                "channel": channel(3000, scheme),
                "one way": one_way(30_000, scheme),
                "one way, 1 MiB": one_way(300, scheme, size=2**20),
            }
            if scheme == "tcp":
                figures["REQ/REP CURVE"] = req_rep(3000, scheme, curve=True)
            words = ", ".join(f"{name} {value * 1e6:.1f}" for name, value in figures.items())
            print(f"{scheme} {round_number}: {words} us")


if __name__ == "__main__":
    _answer(*sys.argv[1:]) if len(sys.argv) > 1 else _print_all()
