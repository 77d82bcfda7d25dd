"""The clients of a simulated group: correct ones, whose history is judged, and evil ones."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Answer, Send
from apps.solidstate.pbft.events import Ask, Event, Received, Tick
from apps.solidstate.pbft.membership import reconfiguration
from apps.solidstate.pbft.messages import Message, Request
from apps.solidstate.simulator.keys import KEY_BYTES
from apps.solidstate.simulator.linearizability import Operation, Word

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group

KEYS = ("a", "b", "c")
"""The keys that correct clients use. Few, so that operations meet."""

KINDS = ("put", "put", "get", "remove", "list")
"""What correct clients do, the likely things twice."""

EVIL_KEY = "evil"
"""The key that evil clients use; lists are judged without it."""


class ClientHost:
    """A correct client with a number of operations to do, one after the other.

    ``history`` has what it did; ``left`` says how much there is to do.
    """

    def __init__(self, group: Group, name: str, keyring: Keyring, random: Random) -> None:
        self.name = name
        self.history: list[Operation] = []
        self.left = 0
        self._group = group
        self._random = random
        self._client = Client(group.config_of(None), name, random, keyring)
        if random.random() < 0.2:
            self._client.raise_wait_limit(random.randint(0, group.plan.replicas))
        self._offset = 100.0 + random.uniform(0.0, group.plan.offset)
        self._keys = KEYS[: random.choice((1, len(KEYS)))]
        self._kinds: tuple[str, ...] = random.choice((("put", "get"), KINDS))
        self._pause = random.choice((0.0, 0.01, 0.5))
        self._count = 0
        self._call: tuple[Word, ...] = ()
        self._begin = 0.0

    @property
    def waits(self) -> bool:
        """Whether an operation is under way."""
        return self._client.busy

    def work(self, operations: int, kinds: tuple[str, ...] = ()) -> None:
        """Have more operations done, of some kinds if they are given, from about now on."""
        self._kinds = kinds or self._kinds
        self.left += operations
        if not self.waits and self.left == operations:
            self._soon()

    def _soon(self) -> None:
        schedule = self._group.schedule
        pause = self._pause * self._random.random()
        schedule.at(schedule.now + pause, self._ask)

    def _ask(self) -> None:
        self._call = self._draw()
        self._begin = self._group.schedule.now
        read_only = self._call[0] in ("get", "list")
        self._group.schedule.detail(lambda: f"{self.name} asks {self._call}")
        self._handle(Ask(pack(list(self._call)), read_only))

    def _draw(self) -> tuple[Word, ...]:
        self._count += 1
        key = self._random.choice(self._keys)
        kind = self._random.choice(self._kinds)
        if kind == "put":
            padding = b"x" * self._random.choice((0, 100))
            return kind, key, f"{self.name}.{self._count}".encode() + padding
        return (kind,) if kind == "list" else (kind, key)

    def receive(self, sender: Principal, message: Message) -> None:
        """Hand the client a message from the network."""
        self._handle(Received(sender, message))

    def _handle(self, event: Event) -> None:
        schedule = self._group.schedule
        for effect in self._client.handle(event, schedule.now + self._offset):
            if isinstance(effect, Send):
                if isinstance(effect.message, Request):
                    self._group.authority.signed.add((self.name, effect.message.body))
                self._group.network.send(self.name, effect.to, effect.message)
            elif isinstance(effect, Answer):
                self._note(effect)
        deadline = self._client.next_deadline() - self._offset
        if self._client.busy:
            schedule.at(deadline + 1e-6, self._tick)

    def _tick(self) -> None:
        due = self._group.schedule.now + self._offset >= self._client.next_deadline()
        if self._client.busy and due:
            self._handle(Tick())

    def _note(self, effect: Answer) -> None:
        now = self._group.schedule.now
        kind, answer = unpack(effect.result)
        assert kind == "ok", effect.result
        if isinstance(answer, list):
            answer = tuple(key for key in answer if key != EVIL_KEY)
        operation = Operation(self.name, self._call, answer, self._begin, now)
        self.history.append(operation)
        self._group.schedule.note(f"{self.name} {self._call!r} gave {answer!r}")
        self.left -= 1
        if self.left > 0:
            self._soon()


class EvilClient:
    """A client that plays with signatures, timestamps and receivers."""

    def __init__(self, group: Group, name: str, keyring: Keyring, random: Random) -> None:
        self.name = name
        self._group = group
        self._keyring = keyring
        self._random = random
        self._timestamp = 0
        self._sent: list[Request] = []

    def start(self) -> None:
        """Do one evil thing after the other while the storm lasts."""
        self._play()

    def receive(self, sender: Principal, message: Message) -> None:
        """Take no interest in replies."""

    def _play(self) -> None:
        group = self._group
        if group.network.calm:
            return
        tricks = [self._unsigned, self._several, self._leap, self._repeat, self._to_some]
        if group.plan.epochs:
            tricks.append(self._usurp)
        self._random.choice(tricks)()
        group.schedule.at(group.schedule.now + self._random.uniform(0.01, 0.5), self._play)

    def _usurp(self) -> None:
        """Ask for what only an administrator may ask for."""
        membership = max(self._group.checker.epochs.items())[1].membership
        gone = self._random.choice(membership.members).number
        added = {membership.fresh: b"k" * KEY_BYTES}
        self._timestamp += 1
        request = self._sign(self._timestamp, reconfiguration(membership, added, [gone]))
        for to in self._replicas():
            self._send(to, request)

    def _request(self, timestamp: int, value: bytes) -> Request:
        return self._sign(timestamp, pack(["put", EVIL_KEY, value]))

    def _sign(self, timestamp: int, operation: bytes) -> Request:
        replier = self._random.randrange(100)
        request = Request(self.name, timestamp, operation, False, replier)
        signed = replace(request, signature=self._keyring.sign(request.body))
        self._sent.append(signed)
        return signed

    def _send(self, to: int, request: Request) -> None:
        self._group.network.send(self.name, to, request)

    def _replicas(self) -> list[int]:
        return list(self._group.hosts)

    def _unsigned(self) -> None:
        self._timestamp += 1
        request = self._request(self._timestamp, b"signed")
        changed = replace(request, operation=pack(["put", EVIL_KEY, b"never signed"]))
        other = replace(request, client=self._random.choice(self._group.client_names()))
        for to in self._replicas():
            self._send(to, self._random.choice((request, changed, changed, other)))

    def _several(self) -> None:
        self._timestamp += 1
        for to in self._replicas():
            self._send(to, self._request(self._timestamp, b"%d" % to))

    def _leap(self) -> None:
        self._timestamp += self._random.choice((2, 10**6, 2**40))
        for to in self._replicas():
            self._send(to, self._request(self._timestamp + to, b"leap"))

    def _repeat(self) -> None:
        for request in self._sent[-3:]:
            for to in self._replicas():
                self._send(to, request)

    def _to_some(self) -> None:
        self._timestamp += 1
        request = self._request(self._timestamp, b"some")
        for to in self._random.sample(self._replicas(), 1):
            self._send(to, request)
