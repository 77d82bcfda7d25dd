"""The lecture's measurement done again: ``python -m benchmarks --only files``.

A workload on files in five phases, on the replicated file service of `apps.solidstate.files`, on
the same object kept by one server, and on a plain directory that the HTTP server serves. Everybody
is a process of one machine: four servers or one, and one more with the clients.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.solidstate.objects.charter import mode_of
from benchmarks.http_load import processor_seconds
from benchmarks.measure import expect
from benchmarks.pbft_group import Child
from benchmarks.report import rst_list
from benchmarks.solidstate_files_work import PHASES, Tree

BYZANTINE, CRASH = "byzantine", "crash"
ALONE, PLAIN = "unreplicated", "directory"
SERVICES = (BYZANTINE, CRASH, ALONE, PLAIN)
WHOLE = "all five"
TREE, SMALL = Tree(), Tree(4, 2)


@dataclass(frozen=True)
class Arrangement:
    """Who asks: so many clients, each with a tree of its own, ``in_flight`` requests at a time."""

    clients: int
    in_flight: int

    @property
    def words(self) -> str:
        """What the table calls it."""
        if self.clients > 1:
            return f"{self.clients}"
        return "1" if self.in_flight == 1 else f"1, {self.in_flight} under way"


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    arrangements: tuple[Arrangement, ...] = (
        Arrangement(1, 1), Arrangement(1, 32), Arrangement(8, 1),
    )  # fmt: skip
    services: tuple[str, ...] = SERVICES
    tree: Tree = TREE
    rounds: int = 3


FULL = Plan()
QUICK = Plan((Arrangement(2, 4),), (CRASH, ALONE), SMALL, 1)


@dataclass(frozen=True)
class Phase:
    """What was measured of a phase: seconds of all of it, processor seconds of all processes."""

    service: str
    clients: int
    in_flight: int
    phase: str
    requests: int
    seconds: float
    processor: float


class Keeping:
    """The processes of a service; the last one has the clients."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._front = children[-1]
        self._round = 0

    def work(self, arrangement: Arrangement, tree: Tree) -> dict[str, tuple[int, float, float]]:
        """Do the phases; return requests, seconds and processor seconds of each."""
        self._round += 1
        roots = [f"/{self._round}-{number}" for number in range(arrangement.clients)]
        told = ("begin", roots, arrangement.in_flight, tree.directories, tree.files)
        expect(self._front.tell(*told), len(roots))
        found = {}
        for phase in PHASES:
            before = self._spent()
            requests, seconds = self._front.tell("run", phase)
            found[phase] = requests, seconds, self._spent() - before
        expect(self._front.tell("clear", roots), len(roots))
        return found

    def _spent(self) -> float:
        return sum(processor_seconds(child.process.pid) for child in self._children)


@contextmanager
def keeping(service: str) -> Iterator[Keeping]:
    """Run the processes of a service."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if service == PLAIN:
            yield Keeping(_plain(folder, stack))
        elif service == ALONE:
            server, front = _linked(["a-server", "b-front"], folder, stack)
            server.tell("keep")
            front.tell("find")
            yield Keeping([server, front])
        else:
            names = [f"a-server-{number}" for number in range(mode_of(service).replicas(1))]
            children = _linked([*names, "b-front"], folder, stack)
            expect(children[-1].tell("replicate", service), service)
            yield Keeping(children)


def _plain(folder: str, stack: ExitStack) -> list[Child]:
    module = "benchmarks.solidstate_files_http"
    site = Path(folder, "site")
    site.mkdir()
    children = []
    for words in (("serve", str(site)), ("ask",)):
        more = [str(children[0].said())] if children else []
        children.append(Child(module, *words, *more))
        stack.callback(children[-1].end)
    expect(children[1].said(), "ready")
    return children


def _linked(names: Sequence[str], folder: str, stack: ExitStack) -> list[Child]:
    """Start members that know each other."""
    children: list[Child] = []
    urls: list[str] = []
    for name in names:
        children.append(Child("benchmarks.solidstate_files_node", name, folder, *urls))
        stack.callback(children[-1].end)
        urls.append(children[-1].said())
    for child in children:
        expect(child.tell("meet", len(names)), len(names))
    return children


def measure_all(plan: Plan) -> list[Phase]:
    """Measure every service; of the rounds the median of each phase."""
    return [phase for service in plan.services for phase in _measure(service, plan)]


def _measure(service: str, plan: Plan) -> Iterator[Phase]:
    with keeping(service) as running:
        for arrangement in plan.arrangements:
            if service == PLAIN and arrangement.in_flight > 1:
                continue
            # A little that does not count loads what is needed.
            running.work(arrangement, SMALL)
            rounds = [running.work(arrangement, plan.tree) for _ in range(plan.rounds)]
            for phase in PHASES:
                figures = [found[phase] for found in rounds]
                yield Phase(
                    service, arrangement.clients, arrangement.in_flight, phase, figures[0][0],
                    statistics.median(one[1] for one in figures),
                    statistics.median(one[2] for one in figures),
                )  # fmt: skip


# --- the table -----------------------------------------------------------------------------

KEEPERS = ("replicated", "crash-only", "unreplicated", "directory over HTTP")
"""What the table calls the services."""
HEADINGS = ("clients", "phase", "requests", *KEEPERS, "replicated by unreplicated")
PROCESSOR_HEADINGS = ("clients", "phase", *KEEPERS, "replicated by unreplicated")


def rst_tables(found: Sequence[Phase], words: str) -> str:
    """Return the tables as ``docs/benchmarks.rst`` includes them: seconds, then processor time.

    ``words`` tell circumstances.
    """
    seconds, processor = [], []
    for arrangement in dict.fromkeys(Arrangement(one.clients, one.in_flight) for one in found):
        for phase in (*PHASES, WHOLE):
            figures = _by_service(found, arrangement, phase)
            requests = max(one[0] for one in figures.values())
            took = {name: one[1] for name, one in figures.items()}
            spent = {name: one[2] / requests * 1e6 for name, one in figures.items()}
            begin = arrangement.words, phase
            seconds.append((*begin, f"{requests:,}", *_cells(took, "{:.3f} s")))
            processor.append((*begin, *_cells(spent, "{:,.0f} us")))
    second = "Processor time of a request, of all processes together:"
    return (
        f"{words}\n\n{rst_list(HEADINGS, seconds)}\n{second}\n\n"
        f"{rst_list(PROCESSOR_HEADINGS, processor)}"
    )


def _by_service(
    found: Sequence[Phase], arrangement: Arrangement, phase: str
) -> dict[str, tuple[int, float, float]]:
    """Return requests, seconds and processor seconds of a phase, or all, by the service."""
    figures = {}
    for service in SERVICES:
        rows = [
            one
            for one in found
            if (one.service, one.clients, one.in_flight)
            == (service, arrangement.clients, arrangement.in_flight)
            and phase in (one.phase, WHOLE)
        ]
        if rows:
            figures[service] = (
                sum(one.requests for one in rows),
                sum(one.seconds for one in rows),
                sum(one.processor for one in rows),
            )
    return figures


def _cells(figures: dict[str, float], form: str) -> tuple[str, ...]:
    """Return a cell for each service, and what the replicated one takes by the unreplicated."""
    cells = [form.format(figures[one]) if one in figures else "" for one in SERVICES]
    # Below a tick of the clock there is nothing to divide by.
    known = figures.get(BYZANTINE) and figures.get(ALONE)
    return (*cells, f"{figures[BYZANTINE] / figures[ALONE]:.1f}" if known else "")
