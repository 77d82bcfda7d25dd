"""The clients of a measured group: ``python -m benchmarks.pbft_clients SETTING PORTS``.

Each has connections of its own to all replicas, and users who ask again when they are answered.
Lines ``[requests, pids]`` on the standard input have them make so many requests together.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from random import Random

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.bundles import Proxy, UserAnswer, UserAsk
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Send
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Event, Received, Tick
from apps.solidstate.pbft.messages import Message
from benchmarks.measure import expect
from benchmarks.pbft_wire import Channel, Setting, read_line, run, say

TICK_SECONDS = 0.05


class Desk:
    """One client with its users and connections; ``took`` has the seconds of each request."""

    def __init__(self, setting: Setting, name: str) -> None:
        client = Client(setting.config(None), name, Random(name), setting.keyring(name))
        self._proxy = Proxy(client, min(setting.batch, setting.users))
        self._users = setting.users
        self._name = name
        self._sealer = setting.sealer(name)
        self._channels: dict[Principal, Channel] = {}
        self._operation = bytes(setting.payload)
        self._reads = setting.reads
        self._asked = [0.0] * setting.users
        self._unasked = self._unanswered = 0
        self._done: asyncio.Future[None] | None = None
        self._scheduled = False
        self.took: list[float] = []
        self.answered_at: list[float] = []

    async def connect(self, ports: list[int]) -> None:
        """Connect to all replicas."""
        loop = asyncio.get_running_loop()
        for port in ports:
            await loop.create_connection(self._channel, "127.0.0.1", port)
        while len(self._channels) < len(ports):
            await asyncio.sleep(0.001)

    def _channel(self) -> Channel:
        return Channel(self._name, self._sealer, self._receive, self._joined)

    def _joined(self, channel: Channel) -> None:
        assert channel.peer is not None
        self._channels[channel.peer] = channel

    async def work(self, requests: int) -> None:
        """Have the users make so many requests together."""
        if requests:
            self._unasked = self._unanswered = requests
            self.took = []
            self.answered_at = []
            self._done = asyncio.get_running_loop().create_future()
            for user in range(min(self._users, requests)):
                self._ask(user, time.monotonic())
            await self._done

    def _ask(self, user: int, now: float) -> None:
        self._unasked -= 1
        self._asked[user] = now
        self._proxy.handle(UserAsk(user, self._operation, self._reads), now)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.tick)

    def _receive(self, sender: Principal, messages: list[Message]) -> None:
        for message in messages:
            self._handle(Received(sender, message))

    def tick(self) -> None:
        """Let the proxy look at the time."""
        self._scheduled = False
        if time.monotonic() >= self._proxy.next_deadline():
            self._handle(Tick())

    def _handle(self, event: Event) -> None:
        now = time.monotonic()
        for effect in self._proxy.handle(event, now):
            if isinstance(effect, UserAnswer):
                self._answered(effect, now)
            elif isinstance(effect, Send) and effect.to in self._channels:
                self._channels[effect.to].send([encode(effect.message)])

    def _answered(self, answer: UserAnswer, now: float) -> None:
        assert isinstance(answer.user, int)
        expect(answer.result, self._operation)
        self.took.append(now - self._asked[answer.user])
        self.answered_at.append(now)
        self._unanswered -= 1
        if self._unasked:
            self._ask(answer.user, now)
        elif not self._unanswered and self._done is not None:
            self._done.set_result(None)


def processor_seconds(pids: list[int]) -> float:
    """Return the processor time that processes have taken together."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def tick(desks: list[Desk]) -> None:
    """Wake all clients from time to time."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        for desk in desks:
            desk.tick()


async def main(setting: Setting, ports: list[int]) -> None:
    """Be the clients until the standard input ends."""
    desks = [Desk(setting, name) for name in setting.names]
    for desk in desks:
        await desk.connect(ports)
    ticking = asyncio.ensure_future(tick(desks))
    say("connected")
    while not ticking.done():
        requests, pids = await read_line()
        shares = [requests // len(desks)] * len(desks)
        for number in range(requests % len(desks)):
            shares[number] += 1
        everybody = [*pids, os.getpid()]
        used_before, started = processor_seconds(everybody), time.monotonic()
        await asyncio.gather(*[desk.work(share) for desk, share in zip(desks, shares, strict=True)])
        seconds = time.monotonic() - started
        used = processor_seconds(everybody) - used_before
        took = sorted(one for desk in desks for one in desk.took)
        times = sorted([started, *[at for desk in desks for at in desk.answered_at]])
        longest = max(after - before for before, after in pairwise(times))
        say({"seconds": seconds, "processor": used, "took": took, "longest": longest})


if __name__ == "__main__":
    run(main(Setting(**json.loads(sys.argv[1])), json.loads(sys.argv[2])))
