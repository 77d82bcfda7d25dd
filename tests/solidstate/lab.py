"""Four replicas and clients on a bench: a perfect network that a test can cut, stop and falsify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.durable import Recovered, frames, read_frames
from apps.solidstate.pbft.effects import (
    Answer,
    Append,
    Broadcast,
    Certify,
    Compact,
    Effect,
    Entered,
    Executed,
    Forget,
    Report,
    Send,
    Store,
)
from apps.solidstate.pbft.events import Ask, Certified, Event, Received, Tick
from apps.solidstate.pbft.membership import read_membership, reconfiguration
from apps.solidstate.pbft.messages import Batch, Counted, Message, PrePrepare, Proposal, Request
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.pbft.usig import Usig, UsigVerifier, certify
from apps.solidstate.simulator.keys import Authority

CLIENTS = ("ann", "bob")

ROOT = "root"
"""The administrator."""


class Lab:
    """The bench. ``effects`` has all effects by member, ``answers`` what clients got.

    ``drops(sender, to, message)`` says which messages are lost. ``usigs`` are the trusted counters
    of a group with ``minbft`` and ``verifier`` checks them; simulated ones if nothing is given.
    """

    def __init__(
        self,
        usigs: Mapping[int, Usig] | None = None,
        verifier: UsigVerifier | None = None,
        **settings: Any,
    ) -> None:
        self.config = Config(
            clients=frozenset(CLIENTS),
            administrators=frozenset({ROOT}),
            checkpoint_batches=4,
            window_batches=8,
            **settings,
        )
        self.membership = self.config.epoch.membership
        self.now = 1000.0
        self.authority = Authority(Random(1))
        self.drops: Callable[[Principal, Principal, Message], bool] = lambda *_: False
        self.effects: dict[Principal, list[Effect]] = {}
        self.answers: dict[str, list[bytes]] = {name: [] for name in (*CLIENTS, ROOT)}
        self.queue: list[tuple[Principal, Principal, Message]] = []
        self.logs: dict[int, list[bytes]] = {}
        self.blobs: dict[int, dict[bytes, bytes]] = {}
        self.members: dict[int, tuple[int, ...]] = {}
        self.stores: dict[int, KeyValueStore] = {}
        self.replicas: dict[int, Replica] = {}
        self.usigs: dict[int, Any] = dict(usigs or {})
        self.verifier = verifier or self.authority.usigs()
        for number in range(self.config.replicas):
            self.start(number, None)
        self.clients = {
            name: Client(self.of(None), name, Random(2), self.authority.keyring(name))
            for name in (*CLIENTS, ROOT)
        }

    def of(self, number: int | None) -> Config:
        """Return the configuration of one member."""
        joining = number is not None and number not in self.config.epoch
        return replace(self.config, replica=number, joining=joining)

    def start(self, number: int, recovered: Recovered | None) -> None:
        """Start a replica."""
        self.logs.setdefault(number, [])
        self.blobs.setdefault(number, {})
        self.members[number] = self.config.epoch.numbers
        self.stores[number] = KeyValueStore(4)
        keyring = self.authority.keyring(number)
        self.usigs.setdefault(number, self.authority.usig(number))
        self.replicas[number] = Replica(
            self.of(number),
            Random(number),
            keyring,
            self.stores[number],
            recovered,
            self.verifier,
        )

    def restart(self, *numbers: int, damaged: bool = False) -> None:
        """Kill replicas at once and start them from their disks."""
        self.queue = [(a, to, message) for a, to, message in self.queue if a not in numbers]
        for number in numbers:
            records, torn = read_frames(frames(self.logs[number]))
            assert not torn
            self.start(number, Recovered(tuple(records), self.blobs[number], damaged))
            self.handle(number, Tick())

    def handle(self, member: Principal, event: Event) -> list[Effect]:
        """Let a member handle an event, and carry out what it wants."""
        core = self.replicas[member] if isinstance(member, int) else self.clients[member]
        effects = core.handle(event, self.now)
        self.effects.setdefault(member, []).extend(effects)
        for effect in effects:
            self._carry_out(member, effect)
        for effect in effects:
            if isinstance(effect, Certify) and isinstance(member, int):
                ui = certify(self.usigs[member], effect.counter, effect.body)
                self.handle(member, Certified(effect.counter, ui))
        return effects

    def _carry_out(self, member: Principal, effect: Effect) -> None:
        if isinstance(effect, Send):
            self.queue.append((member, effect.to, effect.message))
        elif isinstance(effect, Broadcast):
            assert isinstance(member, int)
            others = [to for to in self.members[member] if to != member]
            self.queue += [(member, to, effect.message) for to in others]
        elif isinstance(effect, Entered):
            assert isinstance(member, int)
            self.members[member] = tuple(one.number for one in effect.membership.members)
        elif isinstance(effect, Answer):
            assert isinstance(member, str)
            self.answers[member].append(effect.result)
        elif isinstance(member, int):
            self._write(member, effect)

    def _write(self, number: int, effect: Effect) -> None:
        if isinstance(effect, Append):
            self.logs[number].append(effect.record)
        elif isinstance(effect, Store):
            self.blobs[number].update(effect.blobs)
        elif isinstance(effect, Forget):
            self.usigs[number].forget(effect.counter)
        elif isinstance(effect, Compact):
            self.logs[number] = list(effect.records)
            kept = self.blobs[number]
            self.blobs[number] = {name: kept[name] for name in kept if name in effect.blobs}

    def run(self) -> None:
        """Deliver messages until there are none."""
        for _ in range(20_000):
            if not self.queue:
                return
            sender, to, message = self.queue.pop(0)
            if not self.drops(sender, to, message):
                self.handle(to, Received(sender, message))
        raise AssertionError("messages make messages without end")

    def pass_time(self, seconds: float) -> None:
        """Let time pass in steps of 50 ms, every member being woken in each."""
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            for member in (*self.replicas, *self.clients):
                self.handle(member, Tick())
            self.run()

    def ask(self, client: str, *operation: Any, read_only: bool = False) -> None:
        """Have a client ask, and deliver what comes of it."""
        self.handle(client, Ask(pack(list(operation)), read_only))
        self.run()

    def tell(self, to: int, sender: Principal, message: Message) -> list[Effect]:
        """Hand one message to one replica; nothing is delivered that comes of it."""
        effects = self.handle(to, Received(sender, message))
        self.queue.clear()
        return effects

    def join(self, *numbers: int) -> None:
        """Start replicas that are to be added."""
        for number in numbers:
            self.authority.recruit(number, Random(number))
            self.start(number, None)
            self.handle(number, Tick())

    def reconfigure(self, add: Sequence[int] = (), remove: Sequence[int] = ()) -> None:
        """Have the administrator change the group, and deliver what comes of it."""
        key = self.authority.counted_key if self.config.minbft else self.authority.key
        keys = {number: key(number) for number in add}
        operation = reconfiguration(self.membership, keys, remove)
        self.handle(ROOT, Ask(operation))
        self.run()
        if self.answers[ROOT]:
            self.membership = read_membership(unpack(self.answers[ROOT][-1])[-1])

    def epochs(self) -> dict[int, int]:
        """Return the epoch each replica is in."""
        return {number: replica.epoch.number for number, replica in self.replicas.items()}

    def executed(self) -> list[int]:
        """Return how far each replica has executed."""
        return [replica.state.executed for replica in self.replicas.values()]

    def views(self) -> list[int]:
        """Return the view of each replica."""
        return [replica.views.view for replica in self.replicas.values()]

    def reports(self, number: int) -> list[str]:
        """Return the kinds of what a replica reported."""
        return [one.kind for one in self.effects.get(number, []) if isinstance(one, Report)]

    def batches(self, number: int) -> list[int]:
        """Return the numbers of the batches a replica executed, in order."""
        return [one.sequence for one in self.effects[number] if isinstance(one, Executed)]

    def signed(self, principal: Principal, record: Any) -> Any:
        """Return a record with the principal's signature."""
        return replace(record, signature=self.authority.keyring(principal).sign(record.body))

    def request(self, client: str = "ann", timestamp: int = 5, value: bytes = b"1") -> Request:
        """Return a signed request that puts ``a``."""
        operation = pack(["put", "a", value])
        return self.signed(client, Request(client, timestamp, operation, False, 0))  # type: ignore[no-any-return]

    def count(
        self, number: int, kind: str, view: int = 0, sequence: int = 0, subject: bytes = b""
    ) -> Counted:
        """Return what a replica's trusted counter numbers next, which may be anything."""
        counted = Counted(kind, view, sequence, subject, number)
        return replace(counted, signature=self.usigs[number].create_ui(counted.body))

    def proposal(
        self,
        sequence: int = 1,
        view: int = 0,
        batch: Batch | None = None,
        signer: int | None = None,
    ) -> Proposal:
        """Return a proposal, signed by the primary of its view unless ``signer`` is given."""
        batch = batch or Batch(1, b"salt", (self.request(),))
        order = PrePrepare(view, sequence, batch.digest)
        return Proposal(self.signed(view % 4 if signer is None else signer, order), batch)


def sent(effects: list[Effect], kind: type[Message]) -> list[Any]:
    """Return the messages of a kind that effects send."""
    found = [one.message for one in effects if isinstance(one, Send | Broadcast)]
    return [message for message in found if isinstance(message, kind)]
