"""A simulated group: its hosts, clients and network, the storm and the calm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.effects import Effect, Executed, Report
from apps.solidstate.pbft.messages import Message
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.tree import Tree
from apps.solidstate.simulator.checks import Checker, Violation
from apps.solidstate.simulator.clients import ClientHost, EvilClient
from apps.solidstate.simulator.forgers import make_host
from apps.solidstate.simulator.host import Host
from apps.solidstate.simulator.keys import Authority
from apps.solidstate.simulator.linearizability import Operation, linearization
from apps.solidstate.simulator.network import Network
from apps.solidstate.simulator.plan import Plan
from apps.solidstate.simulator.schedule import Schedule

CALM_SECONDS = 90.0
"""Virtual time in which a calm group must have answered everything and come together."""

CORRUPTION = pack(["put", "corrupt", b"by nobody"])
"""What is done to the state of a replica behind its back."""

EVENTS_MAX = 150_000
"""Events of one run; more are a sign of messages that make messages."""


class Group:
    """Everything of one run.

    ``hosts`` are by number; ``correct_numbers`` those of no faulty replica, ``diverging`` those of
    correct ones whose state is damaged in the run; ``faulty_keys`` are the keyrings that faulty
    replicas share.
    """

    def __init__(
        self, plan: Plan, random: Random, tell: Callable[[str], object] | None = None
    ) -> None:
        self.plan = plan
        self.random = random
        self.schedule = Schedule(tell)
        self.authority = Authority(random)
        self.checker = Checker(self)
        self.network = Network(self, random)
        self.diverging: set[int] = set()
        self.faulty_keys = {n: self.authority.keyring(n) for n in sorted(plan.strategies)}
        self.correct_numbers = {n for n in range(plan.replicas) if n not in plan.strategies}
        self.hosts = {
            number: make_host(self, number, self.authority.keyring(number))
            for number in range(plan.replicas)
        }
        self.clients = {
            name: ClientHost(self, name, self.authority.keyring(name), random)
            for name in self.client_names()
        }
        self.evil = {
            name: EvilClient(self, name, self.authority.keyring(name), random)
            for name in (f"evil{number}" for number in range(plan.evil_clients))
        }
        self.reports: list[tuple[int, Report]] = []
        self._events_of_hosts = 0

    def config_of(self, number: int | None) -> Config:
        """Return the configuration of a replica, or of a client for None."""
        return replace(self.plan.config, replica=number)

    def client_names(self) -> list[str]:
        """Return the names of the correct clients."""
        return [f"client{number}" for number in range(self.plan.clients + 1)]

    def is_correct(self, number: int) -> bool:
        """Tell whether a replica is none of the faulty ones."""
        return number in self.correct_numbers

    def correct(self) -> list[Host]:
        """Return the hosts of the correct replicas."""
        return [host for number, host in self.hosts.items() if self.is_correct(number)]

    def receive(self, to: Principal, sender: Principal, message: Message) -> None:
        """Hand a message to whom it is for."""
        if isinstance(to, int):
            self.hosts[to].receive(sender, message)
        elif to in self.clients:
            self.clients[to].receive(sender, message)

    def observe(self, host: Host, effect: Effect) -> None:
        """Take what a replica tells whoever watches."""
        if isinstance(effect, Report):
            self.reports.append((host.number, effect))
            self.schedule.note(f"replica {host.number}: {effect.kind}, {effect.words}")
        if isinstance(effect, Executed):
            words = f"replica {host.number} executes {effect.sequence}"
            self.schedule.note(f"{words} {effect.batch.digest.hex()[:6]}")
        if isinstance(effect, Executed | Report) and self.is_correct(host.number):
            self.checker.observe(host.number, effect)

    def after_event(self, host: Host) -> None:
        """Check the bounds of a replica from time to time."""
        self._events_of_hosts += 1
        if self._events_of_hosts % 16 == 0 and self.is_correct(host.number):
            self.checker.bounds(host.number)

    def run(self) -> None:
        """Let the storm pass and the calm come, and judge."""
        for host in self.hosts.values():
            host.start()
        for client in list(self.clients.values())[:-1]:
            client.work(self.plan.requests)
        for evil in self.evil.values():
            evil.start()
        self._storm()
        self._calm()
        self._judge()

    # -- the storm --------------------------------------------------------------------------

    def _storm(self) -> None:
        self._draw_faults()
        self.schedule.at(self.plan.storm, lambda: None)
        while self.schedule.now < self.plan.storm:
            self._step()

    def _draw_faults(self) -> None:
        plan, random, at = self.plan, self.random, self.schedule.at
        time = 0.0
        while time < plan.storm:
            time += random.uniform(0.05, 0.3)
            if random.random() < plan.partition_rate:
                at(time, self.network.partition)
                at(time + random.uniform(0.1, 2.0), self.network.heal)
            if random.random() < plan.crash_rate:
                at(time, self._crash_one)
        if plan.all_crash:
            at(random.uniform(0.1, plan.storm), self._crash_all)
        if plan.diverging:
            at(random.uniform(0.1, plan.storm), self._corrupt_one)

    def _crash_one(self) -> None:
        up = [host for host in self.hosts.values() if host.replica is not None]
        if up and not self.network.calm:
            host = self.random.choice(up)
            host.crash()
            self._restart_later(host)

    def _crash_all(self) -> None:
        for host in self.hosts.values():
            if host.replica is not None and not self.network.calm:
                host.crash()
                self._restart_later(host)

    def _restart_later(self, host: Host) -> None:
        time = self.schedule.now + self.random.choice((0.05, 0.5, 3.0))
        self.schedule.at(time, lambda: self._restart(host))

    def _restart(self, host: Host) -> None:
        if host.replica is None:
            self.checker.started(host.number)
            host.start()

    def _corrupt_one(self) -> None:
        """Change the state of a correct replica behind its back, as a bad memory would."""
        up = [host for host in self.correct() if host.replica is not None]
        if up:
            host = self.random.choice(up)
            self.diverging.add(host.number)
            host.store.execute(CORRUPTION, Context("nobody", 0, 0, b""))
            self.schedule.note(f"the state of replica {host.number} is changed")

    # -- the calm ---------------------------------------------------------------------------

    def _calm(self) -> None:
        self.network.calm = True
        self.network.heal()
        self.schedule.note("calm")
        for host in self.hosts.values():
            self._restart(host)
        last = list(self.clients.values())[-1]
        # Enough batches that every state that went wrong meets a checkpoint.
        last.work(2 * self.plan.config.checkpoint_batches + 1, ("put",))
        end = self.schedule.now + CALM_SECONDS
        while not self._is_done():
            if self.schedule.now > end:
                raise Violation(f"not done after {CALM_SECONDS:g} s of calm: {self._state()}")
            self._step()

    def _is_done(self) -> bool:
        if any(client.left for client in self.clients.values()):
            return False
        replicas = [host.replica for host in self.correct()]
        executed = {replica.state.executed for replica in replicas if replica is not None}
        if len(executed) != 1 or executed != {max(self.checker.decided, default=0)}:
            return False
        return len(self._roots()) == 1

    def _roots(self) -> set[bytes]:
        return {
            Tree(host.replica.state.snapshot()).root
            for host in self.correct()
            if host.replica is not None
        }

    def _state(self) -> str:
        waiting = [name for name, client in self.clients.items() if client.left]
        rows = [host.describe() for host in self.hosts.values()]
        return "; ".join([f"waiting {waiting}", f"roots {len(self._roots())}", *rows])

    def _step(self) -> None:
        if not self.schedule.step():
            raise Violation("nothing is left to happen")
        if self.schedule.events > EVENTS_MAX:
            raise Violation(f"more than {EVENTS_MAX} events: {self._state()}")

    def _judge(self) -> None:
        # Who joins others in a turn that is over suspects nobody.
        in_turn = self.plan.config.view_turn_seconds < CALM_SECONDS
        kinds = ("suspect",) if in_turn else ("suspect", "joined")
        suspicions = [report for _, report in self.reports if report.kind in kinds]
        if suspicions and self.plan.is_harmless:
            raise Violation(f"a primary is suspected where all is well: {suspicions[0].words}")
        history: list[Operation] = []
        for client in self.clients.values():
            history += client.history
        if linearization(history) is None:
            lines = [str(operation) for operation in sorted(history, key=lambda o: o.begin)]
            raise Violation("the history is not linearizable:\n" + "\n".join(lines))
