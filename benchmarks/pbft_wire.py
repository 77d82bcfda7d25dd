"""How the processes of a measured group talk: frames with a MAC over plain sockets of the loopback.

A frame holds all messages that one member has for another one in one turn of its loop, under one
MAC. Every member's keys come from one seed: this is for measuring, not for keeping secrets.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast

from apps.solidstate.pbft.authentication import Principal, Sealer
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.encoding import decode
from apps.solidstate.pbft.messages import Message

FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of a frame that is taken."""

_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Setting:
    """What all processes of a group are told: who there is, and what is measured.

    Each of ``clients`` has a key and connections to itself, and asks for ``users`` of its own.
    ``batch`` is how many operations go together at most; ``payload`` the bytes of an operation and
    of its result; ``pages`` and ``page_bytes`` are the size of the state, which replica ``empty``
    lacks; ``changes`` are of `Config`. With ``minbft`` each replica has a trusted counter. With
    ``reads`` the operations change nothing, and are asked for as such.
    """

    replicas: int = 4
    clients: int = 1
    users: int = 1
    batch: int = 100
    payload: int = 0
    pages: int = 0
    page_bytes: int = 0
    empty: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    minbft: bool = False
    reads: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the clients."""
        return [f"client{number}" for number in range(self.clients)]

    def config(self, replica: int | None) -> Config:
        """Return the configuration of a replica, or of the clients."""
        return Config(
            replicas=self.replicas,
            replica=replica,
            minbft=self.minbft,
            clients=frozenset(self.names),
            batch_requests_max=max(1, self.batch // self.users),
            **self.changes,
        )

    def keyring(self, member: Principal) -> Ed25519Keyring:
        """Return the keyring of a member."""
        members: list[Principal] = [*range(self.replicas), *self.names]
        public = {one: Ed25519Keyring(b"", _secret(one), {}).public_key for one in members}
        return Ed25519Keyring(b"benchmark", _secret(member), public)

    def sealer(self, member: Principal) -> Sealer:
        """Return what puts MACs on a member's frames."""
        others: list[Principal] = [*range(self.replicas), *self.names]
        keys = {one: _shared(member, one) for one in others if one != member}
        return Sealer(member, keys)

    def __str__(self) -> str:
        return json.dumps(self.__dict__)


def _secret(member: Principal) -> bytes:
    return blake2b(repr(member).encode(), digest_size=32).digest()


def _shared(one: Principal, other: Principal) -> bytes:
    return _secret(" ".join(sorted((repr(one), repr(other)))))


class Channel(asyncio.Protocol):
    """One connection of ``me``; the first frame each way says who is there.

    ``receive(sender, messages)`` gets what comes; ``joined`` is called with the channel once the
    other end said who it is, ``lost`` when the connection ends.
    """

    def __init__(
        self,
        me: Principal,
        sealer: Sealer,
        receive: Callable[[Principal, list[Message]], None],
        joined: Callable[[Channel], None],
        lost: Callable[[Channel], None] = lambda channel: None,
    ) -> None:
        self._me = me
        self._sealer = sealer
        self._receive = receive
        self._joined = joined
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.peer: Principal | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports are none of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._write(json.dumps(self._me).encode())

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _LENGTH_BYTES:
            length = int.from_bytes(buffer[at : at + _LENGTH_BYTES], "big")
            end = at + _LENGTH_BYTES + length
            if length > FRAME_BYTES_MAX or len(buffer) < end:
                break
            self._take(bytes(buffer[at + _LENGTH_BYTES : end]))
            at = end
        del buffer[:at]

    def _take(self, frame: bytes) -> None:
        if self.peer is None:
            self.peer = json.loads(frame)
            self._joined(self)
            return
        data = self._sealer.open(frame, self.peer)
        if data is not None:
            self._receive(self.peer, [decode(part) for part in _split(data)])

    def send(self, encoded: list[bytes]) -> None:
        """Send messages as one frame."""
        assert self.peer is not None
        data = b"".join([len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in encoded])
        self._write(self._sealer.seal(data, self.peer))

    def _write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)


def _split(data: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        parts.append(data[at : at + length])
        at += length
    return parts


async def read_line() -> Any:
    """Return the value in the next line of the standard input; ends the process at its end."""
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        raise SystemExit(0)
    return json.loads(line)


def say(value: object) -> None:
    """Print a value as a line for the process that started this one."""
    print(json.dumps(value), flush=True)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed, else on asyncio's own loop; end at the first error."""
    try:
        factory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(_fail)
        runner.run(work)


def _fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    loop.default_exception_handler(context)
    os._exit(1)
