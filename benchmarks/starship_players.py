"""Players of StarShip at their browsers, as one process sees them: orders and live updates.

Every player has a ship of its own, keeps its bridge open as a stream of events and gives an order
in each step. The game and its site are another process, so the two share the processors. When a
step was committed the server tells, by a clock that both have.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks.http_load import processor_seconds
from benchmarks.measure import MILLISECONDS, Row, Subject, Target, at_most, expect

ROOT = Path(__file__).parents[1]
INTERVAL = 5.0
"""Seconds between two steps, as a game has it."""
CROWD = 200
WARM_STEPS = 2
STEPS = 10
QUICK_INTERVAL, QUICK_STEPS = 0.5, 3
"""For few players, who need not wait for the others."""
ORDERS = ("1.0", "2.0")
"""Speeds that are ordered by turns."""
READ_BYTES = 1 << 20


@dataclass
class Played:
    """What was seen of some steps: seconds of each."""

    interval: float
    players: int
    between: list[float] = field(default_factory=list)
    """From one commit to the next."""
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    """From the commit until the first, and the last, player had the update."""
    answers: list[float] = field(default_factory=list)
    """From an order until its answer."""
    processor: float = 0.0
    """Of the server for one step: the step itself, all orders and all updates."""


class Player:
    """Somebody with a ship, a stream and a connection for orders."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.seen: dict[int, float] = {}
        self._cookie = ""
        self._ship = ""
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.answers: list[float] = []

    async def make_ship(self) -> None:
        """Get a ship, which is there with the next step."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head, body = await self._post("/starship/create", {})
        self._ship = json.loads(body)["ship"]
        self._cookie = head.partition("Set-Cookie: ")[2].partition(";")[0]

    async def order(self, speed: str) -> None:
        """Give an order, and see that it is admitted."""
        began = monotonic()
        words = {"ship": self._ship, "cmd": "speed", "args": [speed]}
        head, _ = await self._post("/starship/order", words)
        self.answers.append(monotonic() - began)
        expect(head[:12], "HTTP/1.1 200")

    async def leave(self) -> None:
        """Close the connection for orders."""
        assert self._writer is not None
        self._writer.close()
        await self._writer.wait_closed()

    async def _post(self, path: str, found: dict[str, object]) -> tuple[str, bytes]:
        assert self._reader is not None and self._writer is not None
        body = json.dumps(found).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Cookie: {self._cookie}"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        self._writer.write("\r\n".join(lines).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
        return head, await self._reader.readexactly(length)

    async def watch(self) -> None:
        """Keep the bridge open, and note when each step was there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=READ_BYTES)
        path = f"/starship/events?ship={self._ship}&mode=captain"
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", f"Cookie: {self._cookie}", "", ""]
        writer.write("\r\n".join(lines).encode())
        try:
            while True:
                line = await reader.readuntil(b"\n")
                if line.startswith(b'data: {"step":'):
                    step = int(line[14 : line.index(b",", 14)])
                    # Further updates of a step are of orders.
                    self.seen.setdefault(step, monotonic())
        except asyncio.IncompleteReadError:
            return  # the server has ended
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _play(port: int, process: int, commits: asyncio.Queue[dict[str, float]], plan: Played,
                steps: int) -> Played:  # fmt: skip
    players = [Player(port) for _ in range(plan.players)]
    for player in players:
        await player.make_ship()
    await commits.get()
    while not commits.empty():
        commits.get_nowait()
    await commits.get()
    watching = [asyncio.create_task(player.watch()) for player in players]
    at: dict[int, float] = {}
    before = 0.0
    for number in range(WARM_STEPS + steps + 2):
        row = await commits.get()
        if number >= WARM_STEPS:
            at[int(row["step"])] = row["at"]
        if number == WARM_STEPS:
            before = processor_seconds(process)
        # Players think for a while, and not all for as long.
        await asyncio.sleep(plan.interval / 4)
        speed = ORDERS[number % len(ORDERS)]
        await asyncio.gather(*(player.order(speed) for player in players))
    spent = (processor_seconds(process) - before) / (len(at) - 1)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    for player in players:
        await player.leave()
    return _worked_out(plan, at, spent, players)


def _worked_out(
    plan: Played, at: dict[int, float], processor: float, players: list[Player]
) -> Played:
    plan.processor = processor
    steps = sorted(at)
    for step in steps[:-2]:
        plan.between.append(at[step + 1] - at[step])
        # One who was not told in time is told of the next step at once.
        arrived = [min(when for own, when in p.seen.items() if own >= step) for p in players]
        plan.first.append(min(arrived) - at[step])
        plan.last.append(max(arrived) - at[step])
    plan.answers = [seconds for player in players for seconds in player.answers]
    return plan


async def _with_server(players: int, steps: int, interval: float) -> Played:
    command = [sys.executable, "-m", "benchmarks.starship_served", str(interval), str(players)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdin is not None
    port = int(await process.stdout.readline())
    commits: asyncio.Queue[dict[str, float]] = asyncio.Queue()
    reading = asyncio.create_task(_read(process.stdout, commits))
    try:
        return await _play(port, process.pid, commits, Played(interval, players), steps)
    finally:
        process.stdin.close()
        process.kill()
        await process.wait()
        await reading


async def _read(source: asyncio.StreamReader, commits: asyncio.Queue[dict[str, float]]) -> None:
    while line := await source.readline():
        commits.put_nowait(json.loads(line))


def player_rows() -> list[Row]:
    """Return the rows of players at the web; the count of a row is that of the players."""
    return [
        _row("a step", lambda played: max(played.between), at_most(1050 * INTERVAL, MILLISECONDS)),
        _row("the last update", lambda played: median(played.last)),
        _row("an order answered", lambda played: median(played.answers)),
        # Half of the interval: the other half is for what the machine does besides.
        _row(
            "processor time of a step",
            lambda played: played.processor,
            at_most(500 * INTERVAL, MILLISECONDS),
        ),
        Row(
            "one web player, an update",
            Subject("from the commit", lambda count: median(_played(1).last)),
            targets=(at_most(100, MILLISECONDS),),
            unit=MILLISECONDS,
            count=1,
            quick=1,
            rounds=1,
            group="starship",
        ),
    ]


def _row(words: str, figure: Callable[[Played], float], *targets: Target) -> Row:
    return Row(
        f"{CROWD} web players, {words}",
        Subject("one server", lambda count: figure(_played(count))),
        targets=targets,
        unit=MILLISECONDS,
        count=CROWD,
        quick=20,
        least=2,
        rounds=1,
        group="starship",
    )


@lru_cache(maxsize=4)
def _played(players: int) -> Played:
    """Let so many play for some steps; all rows show the same run."""
    steps = STEPS if players == CROWD else QUICK_STEPS
    return asyncio.run(_with_server(players, steps, INTERVAL if players > 2 else QUICK_INTERVAL))
