"""Nodes in a ring that send one another numbered messages through faults, and what must hold."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from vista.peering.urls import PeerUrl
from vista.testing import Failure, Faults, SimulatedNode, World, run_seed
from vista.testing.connections import OPEN

NODES = 4
STORM_SECONDS = 40.0
SEND_SECONDS = 0.1


@dataclass(eq=False)
class Sent:
    """One channel of a node to the next one, as both ends see it."""

    words: str
    channel: Any
    numbers: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    lost: str = ""


class Post:
    """All channels of a world; raises `Failure` for what a channel must not do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.channels: list[Sent] = []
        self.sending = True

    def boot(self, node: SimulatedNode) -> None:
        """Listen, and send to the next node of the ring for as long as the node lives."""
        network = node.network
        network.listen(
            PeerUrl("ipc", path=f"/ring/{node.name}"),
            secret_key=None,
            admits=lambda key, where: True,
            accept=self._accept,
        )
        self._open(node)

    def _open(self, node: SimulatedNode) -> None:
        target = f"n{(int(node.name[1:]) + 1) % NODES}"
        url = PeerUrl("ipc", path=f"/ring/{target}")
        channel = node.network.connect(url, secret_key=None)
        sent = Sent(f"{len(self.channels)} of {node.name}", channel)
        self.channels.append(sent)

        def lost(words: str) -> None:
            sent.lost = words
            self.world.note(f"{sent.words} is lost after {len(sent.numbers)}")
            self._open(node)

        def send() -> None:
            if sent.lost or not self.sending:
                return
            number = len(sent.numbers)
            if channel.send([str(self.channels.index(sent)).encode(), str(number).encode()]):
                sent.numbers.append(number)
            node.hub.loop.call_later(SEND_SECONDS, send)

        channel.lost = lost
        send()

    def _accept(self, channel: Any) -> None:
        def receive(parts: list[bytes]) -> None:
            sent = self.channels[int(parts[0])]
            number = int(parts[1])
            self.world.note(f"{sent.words} brings {number}")
            if number != len(sent.received):
                self.world.complain(f"{sent.words}: {number} came after {sent.received[-3:]}")
            if ended:
                self.world.complain(f"{sent.words}: {number} came after the loss")
            sent.received.append(number)

        ended: list[str] = []
        channel.receive = receive
        channel.lost = ended.append


def exchange(world: World) -> Post:
    """Let the ring live through a storm and a calm."""
    post = Post(world)
    for number in range(NODES):
        world.node(f"n{number}", boot=post.boot)
    world.storm(STORM_SECONDS, Faults(losses=0.5, crashes=0.1))
    world.pass_time(STORM_SECONDS + 1.0)
    world.calm()
    world.pass_time(30.0)
    post.sending = False
    world.pass_time(30.0)
    whole = [sent for sent in post.channels if lasts(sent)]
    for sent in whole:
        if sent.received != sent.numbers:
            raise Failure(f"{sent.words} brought {len(sent.received)} of {len(sent.numbers)}")
    if not whole:
        raise Failure("nothing goes on after the calm")
    return post


def lasts(sent: Sent) -> bool:
    """Whether a channel stands and neither end of it has broken off."""
    end = sent.channel
    return end.condition == OPEN and end.other is not None and not end.broken


def main(first: int, count: int) -> None:
    """Print ``count`` lines of seed and digest, from seed ``first`` on."""
    for seed in range(first, first + count):
        print(seed, run_seed(exchange, seed).digest())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
