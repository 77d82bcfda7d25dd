"""Two networks on one loop, and a peer in a process of its own; every wait is bounded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from vista.peering.curve import make_key_pair
from vista.peering.sockets import SocketBounds, ZeroMQNetwork
from vista.peering.transport import Channel, Part
from vista.peering.urls import PeerUrl

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 20.0


class End:
    """The owner of a channel: keeps what it is told."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.messages: list[list[bytes]] = []
        self.losses: list[str] = []
        self.rooms = 0
        channel.receive = self._receive
        channel.lost = self.losses.append
        channel.writable = self._writable

    def _receive(self, parts: list[Part]) -> None:
        self.messages.append([bytes(part) for part in parts])

    def _writable(self) -> None:
        self.rooms += 1


class Side:
    """A network with a key and the ends it has."""

    def __init__(self, bounds: SocketBounds | None = None) -> None:
        self.public, self.secret = make_key_pair()
        self.network = ZeroMQNetwork(asyncio.get_running_loop(), bounds)
        self.accepted: list[End] = []
        self.asked: list[tuple[bytes, str]] = []
        self.known: set[bytes] | None = None
        """The keys that may come in, None for every key."""

    def admits(self, key: bytes, where: str) -> bool:
        """What the network asks about a key."""
        self.asked.append((key, where))
        return self.known is None or key in self.known

    def listen(self, url: PeerUrl) -> Any:
        """Listen and keep what is accepted."""
        secret = self.secret if url.scheme == "tcp" else None
        return self.network.listen(
            url,
            secret_key=secret,
            admits=self.admits,
            accept=lambda channel: self.accepted.append(End(channel)),
        )

    def connect(self, url: PeerUrl) -> End:
        """Open a channel."""
        return End(self.network.connect(url, secret_key=self.secret))


TCP = PeerUrl("tcp", "127.0.0.1", 0)


def ipc(directory: Path) -> PeerUrl:
    """A socket in a directory of the test."""
    return PeerUrl("ipc", path=str(directory / "node"))


@asynccontextmanager
async def sides(
    number: int = 2, bounds: SocketBounds | None = None
) -> AsyncIterator[tuple[Side, ...]]:
    """Networks that are closed at the end, the last one first."""
    made = tuple(Side(bounds) for _ in range(number))
    try:
        yield made
    finally:
        for side in reversed(made):
            side.network.close()


async def until(holds: Callable[[], object], seconds: float = SECONDS_MAX) -> None:
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.001)


async def joined(listening: Side, connecting: Side, url: PeerUrl) -> tuple[End, End]:
    """A channel's two ends, after a message each way."""
    listener = listening.listen(url)
    near = connecting.connect(listener.url)
    before = len(listening.accepted)
    near.channel.send([b"hello"])
    await until(lambda: len(listening.accepted) > before)
    far = listening.accepted[-1]
    await until(lambda: far.messages == [[b"hello"]])
    far.channel.send([b"welcome"])
    await until(lambda: near.messages == [[b"welcome"]])
    near.messages.clear()
    far.messages.clear()
    return near, far


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's body on a loop of its own; an error that nobody saw fails it."""
    unseen: list[dict[str, Any]] = []

    async def watched() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: unseen.append(context))
        await body()

    asyncio.run(watched())
    assert unseen == []


@contextmanager
def peer(role: str, url: PeerUrl, secret: bytes) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A peer that echoes (see ``tests.live.echo``), and the line it prints when it is there."""
    command = [sys.executable, "-m", "tests.live.echo", role, str(url), secret.hex()]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(SECONDS_MAX)
        process.stdout.close()
