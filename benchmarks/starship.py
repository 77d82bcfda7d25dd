"""What a step of StarShip costs, a bridge, a ship; and what more processes are good for.

The rows are of the rules and the displays in one process. ``python -m benchmarks --only galaxy``
measures games of several processes, which takes minutes: see `measure_all`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from operator import sub
from time import perf_counter, process_time, sleep

from apps.starship.display.galaxy import Frames
from apps.starship.display.screen import Look, Showing
from apps.starship.game.texts import write_deltas
from apps.starship.pages.bridge import panels_of
from apps.starship.pages.page import Page
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.state import State
from apps.starship.rules.step import Delta, Enlistment, Structure, Worker, advance, commit, units_of
from apps.starship.themes import shipped_theme
from benchmarks.http_load import processor_seconds
from benchmarks.measure import BYTES, MILLISECONDS, Row, Subject, at_most, expect
from benchmarks.pbft_group import Child
from benchmarks.report import rst_list

SEED = 42
STEPS = 150
"""Steps of the galaxy before anything is measured: by then there are fights and fleets."""
SHIP = "Bounty"


def starship_rows() -> list[Row]:
    """Return the rows with what must be reached."""
    return [
        _row("step of the game", "84 objects", step, 15),
        _row("hash after a step", "84 objects", hash_step),
        _row("bridge update", "screen and panels", bridge, 2),
        _row("frame of the replay", "84 objects", frame),
        Row(
            "results on the wire, a step and ship",
            Subject("JSON", wire),
            unit=BYTES, count=20, quick=2, rounds=1, group="starship",
        ),
        Row(
            "memory of a ship",
            Subject("state, object, text", memory),
            unit=BYTES, count=2_000, quick=400, least=8, rounds=3, group="starship",
        ),
    ]  # fmt: skip


def _row(name: str, what: str, run: object, most: float | None = None) -> Row:
    targets = () if most is None else (at_most(most, MILLISECONDS),)
    subject = Subject(what, run)  # type: ignore[arg-type]
    return Row(
        name, subject, targets=targets, unit=MILLISECONDS, count=100, quick=10, rounds=5,
        group="starship",
    )  # fmt: skip


@cache
def played() -> State:
    """The normal galaxy after `STEPS` steps, with a ship that a human made."""
    state = new_game(SEED, shipped_theme())
    made = Structure((Enlistment(SHIP, "F", 7),))
    for number in range(STEPS):
        state = advance(state, structure=made if number == STEPS // 2 else Structure())
    return state


def step(count: int) -> float:
    """Return the seconds of a step, all units computed here."""
    state = played()
    began = process_time()
    for _ in range(count):
        state = advance(state)
    seconds = process_time() - began
    expect(state.step, STEPS + count)
    return seconds / count


def hash_step(count: int) -> float:
    """Return the seconds to hash a state when the one before it was hashed too."""
    state, encoder = played(), Encoder()
    encoder.digest(state)
    seconds = 0.0
    for _ in range(count):
        state = advance(state)
        began = process_time()
        digest = encoder.digest(state)
        seconds += process_time() - began
    expect(digest, Encoder().digest(state))
    return seconds / count


def bridge(count: int) -> float:
    """Return the seconds from a state to the HTML of a bridge, as one of 200 in a step."""
    showing, looks = Showing(played()), Look(mode="captain")
    page = Page(token="t", next_in=3.0)
    panels_of(showing.screen(SHIP, looks) or {}, page)
    began = process_time()
    for _ in range(count):
        panels = panels_of(showing.screen(SHIP, looks) or {}, page)
    seconds = process_time() - began
    expect("Bounty" in panels["header"], True)
    return seconds / count


def frame(count: int) -> float:
    """Return the seconds to keep a step for the replay."""
    state, frames = played(), Frames()
    frames.add(state)
    seconds = 0.0
    for _ in range(count):
        state = advance(state)
        began = process_time()
        frames.add(state)
        seconds += process_time() - began
    expect(frames.kept[1], STEPS + count)
    return seconds / count


def wire(count: int) -> float:
    """Return the bytes of all results of a step, for one of its starships."""
    state, sent = played(), 0
    for _ in range(count):
        deltas = results_of(state)
        sent += len(write_deltas(deltas, state.step + 1))
        ships = sum(thing.kind == "starship" for thing in state.objects.values())
        state = commit(state, deltas)
    return sent / count / ships


def results_of(state: State) -> list[Delta]:
    """Return what all units of a step change."""
    view = state.view()
    worker = Worker(view, {})
    return [worker.compute(name, group) for name, group in units_of(view)]


def memory(count: int) -> float:
    """Return the bytes a ship takes on a server, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.starship_node", "memory", str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return float(done.stdout)


# --- games of several processes ------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What is measured: galaxies, numbers of processes, and steps of each after others before.

    A step leaves seven tenths of the speed of which a server was thought before it: after 3 steps a
    third of that, and with it of the shares, is still what every server begins with.
    """

    galaxies: tuple[str, ...] = ("large", "huge")
    processes: tuple[int, ...] = (1, 2, 4)
    steps: int = 5
    steps_before: int = 10


FULL = Plan()
QUICK = Plan(("normal",), (1, 2), 2, 2)


@dataclass(frozen=True)
class Galaxy:
    """What was measured of a game: seconds of a step, and processor seconds of each process."""

    galaxy: str
    ships: int
    processes: int
    seconds: float
    processor: tuple[float, ...]
    sent: float
    """Bytes that the primary exchanged with the other processes for a step and ship."""


def measure_all(plan: Plan) -> list[Galaxy]:
    """Measure every galaxy on every number of processes."""
    return [
        measure_galaxy(galaxy, processes, plan.steps, plan.steps_before)
        for galaxy in plan.galaxies
        for processes in plan.processes
    ]


def measure_galaxy(galaxy: str, processes: int, steps: int, steps_before: int) -> Galaxy:
    """Have a game of so many processes make steps; return the median of the last ``steps``."""
    with ExitStack() as stack:
        primary = Child("benchmarks.starship_node", "primary", galaxy)
        stack.callback(primary.end)
        url, ships = primary.said()
        children = [primary]
        for _ in range(processes - 1):
            children.append(Child("benchmarks.starship_node", "server", url))
            stack.callback(children[-1].end)
        expect(primary.tell("ready", processes), processes)
        # So that speeds are known, and everything has been loaded.
        for _ in range(steps_before):
            primary.tell("step")
            come_to_rest(children)
        before = [processor_seconds(child.process.pid) for child in children]
        wired = primary.tell("bytes")
        found = []
        for _ in range(steps):
            found.append(primary.tell("step"))
            come_to_rest(children)
        found.sort()
        sent = (primary.tell("bytes") - wired) / steps / ships
        spent = [
            (processor_seconds(child.process.pid) - start) / steps
            for child, start in zip(children, before, strict=True)
        ]
        return Galaxy(galaxy, ships, processes, found[len(found) // 2], tuple(spent), sent)


REST_SECONDS, REST_LOOKS = 0.05, 400
REST_SHARE = 0.25
"""A process that takes less of a core than this has done what a step left it to do."""


def come_to_rest(children: Sequence[Child]) -> None:
    """Wait until all processes have nothing more to do, as in a game with its pauses.

    What servers do after a step was committed, such as to compare its hash and to tell the objects
    what they show, delays no step there. Its processor time counts.
    """
    before = [processor_seconds(child.process.pid) for child in children]
    for _ in range(REST_LOOKS):
        sleep(REST_SECONDS)
        spent = [processor_seconds(child.process.pid) for child in children]
        if max(map(sub, spent, before)) < REST_SECONDS * REST_SHARE:
            return
        before = spent


HEADINGS = (
    "galaxy", "starships", "processes", "a step", "times as fast as one", "processor time of each",
    "bytes for a step and ship",
)  # fmt: skip


def cells_of(found: Galaxy, alone: float) -> tuple[str, ...]:
    """Return the cells of one row; ``alone`` is what a step takes one process."""
    return (
        found.galaxy,
        f"{found.ships:,}",
        str(found.processes),
        f"{found.seconds:.3f} s",
        f"{alone / found.seconds:.2f}",
        ", ".join(f"{seconds:.2f} s" for seconds in found.processor),
        f"{found.sent:,.0f} B" if found.processes > 1 else "",
    )


def rst_tables(found: Sequence[Galaxy], words: str) -> str:
    """Return the table as ``docs/benchmarks.rst`` includes it; ``words`` tell circumstances."""
    alone = {one.galaxy: one.seconds for one in found if one.processes == 1}
    rows = [cells_of(one, alone.get(one.galaxy, one.seconds)) for one in found]
    return f"{words}\n\n{rst_list(HEADINGS, rows)}"


def _main() -> None:
    """Print the table of the galaxies named: ``python -m benchmarks.starship large 1 2``."""
    galaxy, *numbers = sys.argv[1:]
    began = perf_counter()
    found = [
        measure_galaxy(galaxy, int(number), FULL.steps, FULL.steps_before) for number in numbers
    ]
    print(rst_tables(found, f"{perf_counter() - began:.0f} s"))


if __name__ == "__main__":
    _main()
