"""One replica of a measured group: ``python -m benchmarks.pbft_node SETTING NUMBER FOLDER``.

It carries effects out as the protocol demands: what one turn of the loop wants written is written
together, and made safe by one ``fdatasync`` before anything is sent. Lines of JSON on the standard
input tell it what to do; it answers each with a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from apps.solidstate.disk import Disk
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.bundles import BundledService
from apps.solidstate.pbft.effects import (
    Append,
    Broadcast,
    Certify,
    Compact,
    Effect,
    Forget,
    Report,
    Send,
    Store,
)
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Certified, Event, Received, Tick
from apps.solidstate.pbft.messages import FetchBlobs, Message
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.usig import certify
from apps.solidstate.trusted_counter import DeviceKeys, ProcessUsig
from benchmarks.pbft_wire import Channel, Setting, read_line, run, say

WRITES = (Append, Store, Compact)


class Echo:
    """A service that does nothing: it answers an operation with the operation itself.

    It has ``pages`` pages of ``page_bytes`` bytes, each different, which never change.
    """

    def __init__(self, pages: int, page_bytes: int) -> None:
        self._pages = [number.to_bytes(4, "big") * (page_bytes // 4) for number in range(pages)]

    def execute(self, operation: bytes, context: Context) -> bytes:
        return operation

    def execute_read_only(self, operation: bytes) -> bytes | None:
        return operation

    def snapshot(self) -> Sequence[bytes]:
        return self._pages

    def restore(self, pages: Sequence[bytes]) -> None:
        self._pages = list(pages)


class Node:
    """A replica with its disk, its connections and, where it has one, its trusted counter."""

    def __init__(self, setting: Setting, number: int, folder: Path) -> None:
        self._setting = setting
        self._number = number
        self._disk = Disk(folder)
        self._sealer = setting.sealer(number)
        self._usig = ProcessUsig(folder / "device") if setting.minbft else None
        pages = 0 if number == setting.empty else setting.pages
        self.service = Echo(pages, setting.page_bytes)
        self.replica: Replica
        self.reports: list[Any] = []
        self.began = 0.0
        self._channels: dict[Principal, Channel] = {}
        self._inbox: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0
        # What comes before it joins, as from a client that is quicker, waits until it does.
        self._scheduled = True

    async def listen(self) -> int:
        """Wait for others; return the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._channel, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    @property
    def device(self) -> dict[str, Any] | None:
        """What others have to know of the trusted counter."""
        usig = self._usig
        if usig is None:
            return None
        return {"pid": usig.pid, "epoch": usig.epoch, "key": usig.public_key.hex()}

    async def join(self, ports: list[int], devices: list[Any]) -> None:
        """Connect to the replicas of lower numbers, and wait until those of higher ones have."""
        known = {
            n: (one["epoch"], bytes.fromhex(one["key"])) for n, one in enumerate(devices) if one
        }
        self.replica = Replica(
            self._setting.config(self._number),
            Random(self._number),
            self._setting.keyring(self._number),
            BundledService(self.service),
            self._disk.recover(),
            DeviceKeys(known),
        )
        loop = asyncio.get_running_loop()
        for port in ports[: self._number]:
            await loop.create_connection(self._channel, "127.0.0.1", port)
        self._scheduled = False
        self._take(Tick())

    def _channel(self) -> Channel:
        return Channel(self._number, self._sealer, self._receive, self._joined, self._lost)

    def _joined(self, channel: Channel) -> None:
        assert channel.peer is not None
        self._channels[channel.peer] = channel

    def _lost(self, channel: Channel) -> None:
        if channel.peer is not None and self._channels.get(channel.peer) is channel:
            del self._channels[channel.peer]

    def _receive(self, sender: Principal, messages: list[Message]) -> None:
        for message in messages:
            self._take(Received(sender, message))

    def _take(self, event: Event) -> None:
        self._inbox.append(event)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Handle all that came; write it down; send what came of it."""
        inbox, self._inbox = self._inbox, []
        self._scheduled = False
        outbox: dict[Principal, list[bytes]] = {}
        counted: list[Certify | Forget] = []
        now = time.monotonic()
        written = False
        for event in inbox:
            for effect in self.replica.handle(event, now):
                if isinstance(effect, WRITES):
                    self._disk.write(effect)
                    written = True
                elif isinstance(effect, Certify | Forget):
                    counted.append(effect)
                else:
                    self._put_out(effect, outbox, now)
        if written:
            self._disk.sync()
        for to, encoded_messages in outbox.items():
            channel = self._channels.get(to)
            if channel is not None:
                channel.send(encoded_messages)
        for effect in counted:
            self._count(effect)
        self._wake_later(now)

    def _put_out(self, effect: Effect, outbox: dict[Principal, list[bytes]], now: float) -> None:
        if isinstance(effect, Send):
            if not self.began and isinstance(effect.message, FetchBlobs):
                self.began = now
            outbox.setdefault(effect.to, []).append(encode(effect.message))
        elif isinstance(effect, Broadcast):
            encoded = encode(effect.message)
            for other in self.replica.epoch.others(self._number):
                outbox.setdefault(other, []).append(encoded)
        elif isinstance(effect, Report):
            self.reports.append([effect.kind, effect.words, time.monotonic()])

    def _count(self, effect: Certify | Forget) -> None:
        """Ask the trusted counter, which waits for its disk; others were sent what was ready."""
        assert self._usig is not None
        if isinstance(effect, Forget):
            self._usig.forget(effect.counter)
        else:
            ui = certify(self._usig, effect.counter, effect.body)
            self._take(Certified(effect.counter, ui))

    def _wake_later(self, now: float) -> None:
        """See to it that the deadline is met; a timer that comes too early does no harm."""
        deadline = self.replica.next_deadline()
        if self._timer is not None:
            if self._wakes_at <= deadline:
                return
            self._timer.cancel()
        self._wakes_at = deadline
        delay = max(0.0, deadline - now)
        self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._take(Tick())


async def main(setting: Setting, number: int, folder: Path) -> None:
    """Be a replica until the standard input ends."""
    node = Node(setting, number, folder)
    say([await node.listen(), node.device])
    while True:
        match await read_line():
            case ["join", ports, devices]:
                await node.join(ports, devices)
                say("joined")
            case ["state"]:
                replica = node.replica
                say(
                    {
                        "executed": replica.state.executed,
                        "view": replica.views.view,
                        "began": node.began,
                        "pages": len(node.service.snapshot()),
                        "reports": node.reports,
                    }
                )


if __name__ == "__main__":
    run(main(Setting(**json.loads(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3])))
