"""The simulated network: delay, loss, duplicates, reordering, partitions also of one direction."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import Message

if TYPE_CHECKING:
    from apps.solidstate.simulator.group import Group


class Network:
    """Carries messages between the members of a group, as badly as its plan says."""

    def __init__(self, group: Group, random: Random) -> None:
        self._group = group
        self._random = random
        self._cut: set[tuple[Principal, Principal]] = set()
        self._slow: dict[tuple[Principal, Principal], bool] = {}
        self.calm = False
        self.messages = 0

    def send(self, sender: Principal, to: Principal, message: Message) -> None:
        """Take a message; it arrives never, once or twice, in any order."""
        plan, draw = self._group.plan, self._random.random
        self.messages += 1
        copies = 1
        if not self.calm:
            if (sender, to) in self._cut or draw() < plan.loss:
                copies = 0
            elif draw() < plan.duplicates:
                copies = 2
        if copies and plan.coded:
            message = decode(encode(message))
        for _ in range(copies):
            delay = plan.delay * (0.5 + draw()) + plan.jitter * draw() * draw()
            delay *= self._slowness(sender, to)
            self._deliver(sender, to, message, delay)

    def _slowness(self, sender: Principal, to: Principal) -> float:
        """How many times slower than others the way between two members is, while it storms."""
        if self.calm or self._group.plan.uneven == 1.0:
            return 1.0
        slow = self._slow.get((sender, to))
        if slow is None:
            slow = self._slow[sender, to] = self._random.random() < 0.3
        return self._group.plan.uneven if slow else 1.0

    def _deliver(self, sender: Principal, to: Principal, message: Message, delay: float) -> None:
        group = self._group

        def arrive() -> None:
            group.schedule.detail(lambda: f"{_name(sender)} -> {_name(to)}  {describe(message)}")
            group.receive(to, sender, message)

        group.schedule.at(group.schedule.now + delay, arrive)

    def partition(self) -> None:
        """Cut some members off from the others, perhaps in one direction only."""
        members: list[Principal] = [*self._group.hosts, *self._group.client_names()]
        some = set(self._random.sample(members, self._random.randint(1, len(members) // 2)))
        one_way = self._random.random() < 0.4
        for one in members:
            for other in members:
                if (one in some) != (other in some) and (one in some or not one_way):
                    self._cut.add((one, other))

    def heal(self) -> None:
        """End all partitions."""
        self._cut.clear()


def _name(member: Principal) -> str:
    return f"r{member}" if isinstance(member, int) else member


def describe(message: Message) -> str:
    """Return a message in words for a trace."""
    words = [message.TAG]
    for name in ("view", "sequence", "stable", "executed", "timestamp", "client", "replica"):
        value = getattr(message, name, None)
        if isinstance(value, int | str):
            words.append(f"{name}={value}")
    order = getattr(message, "pre_prepare", None)
    if order is not None:
        words.append(f"view={order.view} sequence={order.sequence} batch={order.batch.hex()[:6]}")
    for name in ("batch", "root", "result_digest"):
        value = getattr(message, name, None)
        if isinstance(value, bytes):
            words.append(f"{name}={value.hex()[:6]}")
    return " ".join(words)
