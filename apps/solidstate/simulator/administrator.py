"""The administrator of a simulated group, who asks for the reconfigurations of the plan."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Answer, Send
from apps.solidstate.pbft.events import Ask, Event, Received, Tick
from apps.solidstate.pbft.membership import founders, read_membership, reconfiguration
from apps.solidstate.pbft.messages import Member, Membership, Message, Request
from apps.solidstate.simulator.checks import Violation
from apps.solidstate.simulator.plan import ADMINISTRATOR

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group


class AdministratorHost:
    """Asks for one reconfiguration after the other, and has those who come started.

    ``left`` says how many there are to do.
    """

    def __init__(self, group: Group, keyring: Keyring, random: Random) -> None:
        self._group = group
        self._random = random
        self._client = Client(group.config_of(None), ADMINISTRATOR, random, keyring)
        self._membership = founders(group.plan.replicas)
        self.left = len(group.plan.epochs)

    def start(self) -> None:
        """Ask for the first one some time in the storm."""
        if self.left:
            self._later(self._random.uniform(0.0, self._group.plan.storm))

    def _later(self, seconds: float) -> None:
        self._group.schedule.at(self._group.schedule.now + seconds, self._ask)

    def _ask(self) -> None:
        group, before = self._group, self._membership
        numbers = group.plan.epochs[before.epoch]
        present = {member.number for member in before.members}
        key = group.authority.counted_key if group.plan.config.minbft else group.authority.key
        added = {n: key(n) for n in numbers if n not in present}
        operation = reconfiguration(before, added, present - set(numbers))
        members = [member for member in before.members if member.number in numbers]
        members += [Member(number, key) for number, key in added.items()]
        fresh = max(before.fresh, numbers[-1] + 1)
        self._membership = Membership(before.epoch + 1, 0, fresh, tuple(members))
        for number in added:
            # Some are there before they are added, some come when it is done.
            if self._random.random() < 0.5:
                group.restart(number)
        group.schedule.note(f"the members of epoch {before.epoch + 1} shall be {numbers}")
        self._handle(Ask(operation))

    def receive(self, sender: Principal, message: Message) -> None:
        """Hand the client a message from the network."""
        self._handle(Received(sender, message))

    def _handle(self, event: Event) -> None:
        schedule = self._group.schedule
        for effect in self._client.handle(event, schedule.now + 100.0):
            if isinstance(effect, Send):
                if isinstance(effect.message, Request):
                    self._group.authority.signed.add((ADMINISTRATOR, effect.message.body))
                self._group.network.send(ADMINISTRATOR, effect.to, effect.message)
            elif isinstance(effect, Answer):
                self._note(effect)
        if self._client.busy:
            schedule.at(self._client.next_deadline() - 100.0 + 1e-6, self._tick)

    def _tick(self) -> None:
        self._handle(Tick())

    def _note(self, answer: Answer) -> None:
        said, *rest = unpack(answer.result)
        if said != "ok" or read_membership(rest[0]).members != self._membership.members:
            raise Violation(f"a reconfiguration is answered {said} {rest}")
        for member in self._membership.members:
            self._group.restart(member.number)
        self.left -= 1
        if self.left:
            self._later(self._random.choice((0.0, 0.5, 2.0)))
