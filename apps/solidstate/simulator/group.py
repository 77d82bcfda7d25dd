"""A simulated group: its hosts, clients and network, the storm and the calm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.effects import Effect, Entered, Executed, Report
from apps.solidstate.pbft.messages import Message
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.tree import Tree
from apps.solidstate.simulator.administrator import AdministratorHost
from apps.solidstate.simulator.checks import Checker, Violation
from apps.solidstate.simulator.clients import ClientHost, EvilClient
from apps.solidstate.simulator.forgers import make_host
from apps.solidstate.simulator.host import Host
from apps.solidstate.simulator.keys import Authority
from apps.solidstate.simulator.linearizability import Operation, linearization
from apps.solidstate.simulator.network import Network
from apps.solidstate.simulator.plan import ADMINISTRATOR, STOPPING, Plan
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
    replicas share; ``rejoined`` says in which life each damaged replica last came to vote again,
    and ``lost`` who stopped for good after that.
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
        spare = sorted({n for numbers in plan.epochs for n in numbers if n >= plan.replicas})
        dice = Random(f"keys {plan.seed}")
        for number in spare:
            self.authority.recruit(number, dice)
        numbers = [*range(plan.replicas), *spare]
        self.faulty_keys = {n: self.authority.keyring(n) for n in sorted(plan.strategies)}
        # Those who stop say nothing false before: they are judged, and not waited for.
        self.correct_numbers = {n for n in numbers if plan.strategies.get(n, STOPPING) == STOPPING}
        self.hosts = {
            number: make_host(self, number, self.authority.keyring(number)) for number in numbers
        }
        self.clients = {
            name: ClientHost(self, name, self.authority.keyring(name), random)
            for name in self.client_names()
        }
        self.evil = {
            name: EvilClient(self, name, self.authority.keyring(name), random)
            for name in (f"evil{number}" for number in range(plan.evil_clients))
        }
        keyring = self.authority.keyring(ADMINISTRATOR, dice)
        self.administrator = AdministratorHost(self, keyring, dice)
        self.reports: list[tuple[int, Report]] = []
        self.rejoined: dict[int, int] = {}
        self.lost: set[int] = set()
        self._events_of_hosts = 0

    def config_of(self, number: int | None) -> Config:
        """Return the configuration of a replica, or of a client for None."""
        joining = number is not None and number >= self.plan.replicas
        return replace(self.plan.config, replica=number, joining=joining)

    def client_names(self) -> list[str]:
        """Return the names of the correct clients."""
        return [f"client{number}" for number in range(self.plan.clients + 1)]

    def is_correct(self, number: int) -> bool:
        """Tell whether a replica is none of the faulty ones."""
        return number in self.correct_numbers

    def correct(self) -> list[Host]:
        """Return the hosts of the correct replicas."""
        return [host for number, host in self.hosts.items() if self.is_correct(number)]

    def final(self) -> list[Host]:
        """Return the hosts of the members of the last epoch that are not faulty."""
        stopping = {n for n, strategy in self.plan.strategies.items() if strategy == STOPPING}
        numbers = (self.correct_numbers - stopping).intersection(self.plan.members)
        return [host for number, host in self.hosts.items() if number in numbers]

    def receive(self, to: Principal, sender: Principal, message: Message) -> None:
        """Hand a message to whom it is for."""
        if isinstance(to, int):
            self.hosts[to].receive(sender, message)
        elif to in self.clients:
            self.clients[to].receive(sender, message)
        elif to == ADMINISTRATOR:
            self.administrator.receive(sender, message)

    def observe(self, host: Host, effect: Effect) -> None:
        """Take what a replica tells whoever watches."""
        if isinstance(effect, Report):
            self.reports.append((host.number, effect))
            if effect.kind == "rejoined":
                self.rejoined[host.number] = host.life
            self.schedule.note(f"replica {host.number}: {effect.kind}, {effect.words}")
        if isinstance(effect, Executed):
            words = f"replica {host.number} executes {effect.sequence}"
            self.schedule.note(f"{words} {effect.batch.digest.hex()[:6]}")
        if isinstance(effect, Executed | Report | Entered) and self.is_correct(host.number):
            self.checker.observe(host.number, effect)

    def after_event(self, host: Host) -> None:
        """Check the bounds of a replica from time to time."""
        self._events_of_hosts += 1
        if self._events_of_hosts % 16 == 0 and self.is_correct(host.number):
            self.checker.bounds(host.number)

    def run(self) -> None:
        """Let the storm pass and the calm come, and judge."""
        for number in range(self.plan.replicas):
            self.hosts[number].start()
        self.administrator.start()
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
        self.schedule.at(time, lambda: self.restart(host.number))

    def restart(self, number: int) -> None:
        """Start a replica that is down."""
        host = self.hosts[number]
        if host.replica is None and number not in self.lost:
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
            self.restart(host.number)
        last = list(self.clients.values())[-1]
        # Enough batches that every state that went wrong meets a checkpoint.
        last.work(2 * self.plan.config.checkpoint_batches + 1, ("put",))
        end = self.schedule.now + CALM_SECONDS
        while not self._is_done():
            if self.schedule.now > end:
                raise Violation(f"not done after {CALM_SECONDS:g} s of calm: {self._state()}")
            if not last.left and self._abstains():
                # Somebody's disk was damaged: it votes again when enough was ordered since then.
                last.work(1)
            self._step()

    def _exchange_faulty(self) -> None:
        """Once those whose disks were damaged vote again, they are correct, and others may fail.

        As many stop for good, so that without the votes of the former nothing goes on. What these
        do from then on is judged.
        """
        back = {n for n, life in self.rejoined.items() if life == self.hosts[n].life}
        if not self.lost and back == self.plan.strategies.keys():
            for number in self.random.sample(sorted(self.correct_numbers), len(back)):
                if self.hosts[number].replica is not None:
                    self.hosts[number].crash()
                self.correct_numbers.discard(number)
                self.lost.add(number)
            self.correct_numbers |= back

    def _is_done(self) -> bool:
        if self.administrator.left or any(client.left for client in self.clients.values()):
            return False
        replicas = [host.replica for host in self.final()]
        if self._abstains() or any(
            one is None or one.epoch.number < len(self.plan.epochs) for one in replicas
        ):
            return False
        executed = {replica.state.executed for replica in replicas if replica is not None}
        if len(executed) != 1 or executed != {max(self.checker.decided, default=0)}:
            return False
        return len(self._roots()) == 1

    def _abstains(self) -> bool:
        """Whether a replica that is faulty for its disk alone does not vote again yet."""
        found = [self.hosts[number].replica for number in self.plan.strategies]
        return self.plan.is_rotten and any(one is None or one.abstains for one in found)

    def _roots(self) -> set[bytes]:
        return {
            Tree(host.replica.state.snapshot()).root
            for host in self.final()
            if host.replica is not None
        }

    def _state(self) -> str:
        waiting = [name for name, client in self.clients.items() if client.left]
        rows = [host.describe() for host in self.hosts.values()]
        waiting += ["administrator"] * bool(self.administrator.left)
        return "; ".join([f"waiting {waiting}", f"roots {len(self._roots())}", *rows])

    def _step(self) -> None:
        if not self.schedule.step():
            raise Violation("nothing is left to happen")
        if self.plan.is_rotten:
            self._exchange_faulty()
        if self.schedule.events > EVENTS_MAX:
            raise Violation(f"more than {EVENTS_MAX} events: {self._state()}")

    def _judge(self) -> None:
        # Who joins others in a turn that is over suspects nobody.
        config = self.plan.config
        in_turn = min(config.view_turn_seconds, config.pace_seconds) < CALM_SECONDS
        kinds = ("impatient", "suspect") if in_turn else ("impatient", "suspect", "joined")
        suspicions = [report for _, report in self.reports if report.kind in kinds]
        if suspicions and self.plan.is_harmless:
            raise Violation(f"a primary is suspected where all is well: {suspicions[0].words}")
        history: list[Operation] = []
        for client in self.clients.values():
            history += client.history
        if linearization(history) is None:
            lines = [str(operation) for operation in sorted(history, key=lambda o: o.begin)]
            raise Violation("the history is not linearizable:\n" + "\n".join(lines))
