"""The decisions of a JobController: which job is started where, and how each job ends, once.

A message core: `JobPool.handle` takes an event and the time and says what is to be done. Rules:

- jobs are started in the order they were queued; one that was lost with its server goes first;
- each start has a number of its own, the transaction, and only the answer to the latest start of a
  job counts: of what a server that was given up sends later nothing is kept;
- a job goes to the server, among those with room, that is expected to finish it first;
- a job that was lost runs on a server that runs nothing else of this pool, so that one which takes
  servers down is found out and takes no others along.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from vista.counted import counted
from vista.errors import CallTimeout, Overloaded, PeerLost, ThreadKilled

CLASSES_MAX: Final = 256
"""Classes whose seconds per job are kept of one server; of more the oldest are forgotten."""

_SHARE: Final = 0.25
"""What the latest job counts for in the moving average of the seconds that jobs take."""

_DUES_MIN: Final = 256
"""Times of jobs that have ended which are kept at any rate; more than half of all are dropped."""

Server = Any
"""What names a server to the core, hashable; to its driver an Id."""


# --- what happens --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """A job is to be done. ``due`` (a time, or None) is when it must have ended."""

    job: int
    class_name: str
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A job is wanted no more; it fails with ``error``, by default `ThreadKilled`."""

    job: int
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A server has done a job; ``seconds`` is what it took there, None when nobody measured."""

    transaction: int
    value: Any
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A job has raised an error."""

    transaction: int
    error: BaseException
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A job was lost without an answer, on a server that is there still. ``words`` say how."""

    transaction: int
    words: str


@dataclass(frozen=True, slots=True)
class ServerUp:
    """A server takes jobs, ``room`` at the same time."""

    server: Server
    room: int


@dataclass(frozen=True, slots=True)
class ServerDown:
    """A server is gone, and with it what it was doing; ``words`` say how."""

    server: Server
    words: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A job found its server gone, which is so for all that it was doing.

    ``begun`` is false when the job never reached it: then it does not count as an attempt.
    """

    transaction: int
    words: str
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """A server tells how it stands: jobs it runs for anybody, and how late its loop is."""

    server: Server
    running: int
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of `JobPool.next_deadline` has come."""


Event = (
    Queued
    | Cancelled
    | Answered
    | Failed
    | Lost
    | ServerUp
    | ServerDown
    | Unreachable
    | Loaded
    | Tick
)


# --- what is to be done --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Have a server do a job."""

    job: int
    transaction: int
    server: Server


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell the server that the answer is awaited no longer."""

    transaction: int


@dataclass(frozen=True, slots=True)
class Complete:
    """The job has ended with a result; nothing more is heard of it."""

    job: int
    value: Any


@dataclass(frozen=True, slots=True)
class Fail:
    """The job has ended with an error; nothing more is heard of it."""

    job: int
    error: BaseException


Effect = Start | Stop | Complete | Fail


# --- what is known -------------------------------------------------------------------------


@dataclass(slots=True)
class _Job:
    number: int
    class_name: str
    due: float | None
    losses: int = 0
    again: bool = False
    transaction: int | None = None


@dataclass(slots=True)
class _Server:
    key: Server
    room: int
    order: int
    runs: dict[int, _Job] = field(default_factory=dict)
    seconds: OrderedDict[str, float] = field(default_factory=OrderedDict)
    others: int = 0
    lag_seconds: float = 0.0
    finished: int = 0

    def has_room(self, job: _Job) -> bool:
        if job.losses:
            return not self.runs
        return len(self.runs) < self.room and not any(run.losses for run in self.runs.values())

    def expected(self, class_name: str) -> tuple[float, int, int]:
        """How soon a job is expected to end; equal as long as nothing was measured."""
        busy = len(self.runs) + self.others
        seconds = self.seconds.get(class_name, 0.0)
        lag = self.lag_seconds if seconds else 0.0
        return ((busy + 1) * seconds + lag, busy, self.order)

    def note(self, class_name: str, seconds: float) -> None:
        known = self.seconds.pop(class_name, seconds)
        self.seconds[class_name] = known + (seconds - known) * _SHARE
        if len(self.seconds) > CLASSES_MAX:
            self.seconds.popitem(last=False)


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a server stands: its running jobs, those of others there, and what was measured."""

    server: Server
    room: int
    running: int
    others: int
    finished: int
    lag_seconds: float
    seconds: dict[str, float]


class JobPool:
    """The jobs of one controller and the servers of its pool.

    ``queued_max`` jobs wait at most, ``running_max`` run at the same time on all servers together
    (None: as many as the servers take), and a job that was lost with its server ``attempts_max``
    times fails with `PeerLost`.
    """

    def __init__(
        self, *, queued_max: int, attempts_max: int, running_max: int | None = None
    ) -> None:
        self._queued_max = queued_max
        self._attempts_max = attempts_max
        self._running_max = running_max
        self._jobs: dict[int, _Job] = {}
        self._queue: OrderedDict[int, _Job] = OrderedDict()
        self._runs: dict[int, tuple[_Job, _Server]] = {}
        self._servers: dict[Server, _Server] = {}
        self._dues: list[tuple[float, int]] = []
        self._transactions = 0
        self._servers_met = 0
        self._effects: list[Effect] = []
        self.finished = 0
        self.failed = 0
        self.retried = 0

    @property
    def queued(self) -> int:
        """How many jobs wait to be started."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many jobs are being done."""
        return len(self._runs)

    def job_of(self, transaction: int) -> int | None:
        """Return the job of a start whose answer is awaited, None of any other."""
        return self._runs[transaction][0].number if transaction in self._runs else None

    def servers(self) -> list[ServerState]:
        """Return how each server stands, in the order they came."""
        return [
            ServerState(
                known.key,
                known.room,
                len(known.runs),
                known.others,
                known.finished,
                known.lag_seconds,
                dict(known.seconds),
            )
            for known in self._servers.values()
        ]

    def next_deadline(self) -> float | None:
        """Return when `Tick` is wanted, None when no job has a time of its own."""
        while self._dues and self._dues[0][1] not in self._jobs:
            heapq.heappop(self._dues)
        return self._dues[0][0] if self._dues else None

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take an event at the time ``now`` (monotonic seconds) and say what is to be done.

        Raises `Overloaded` for a job more than may wait.
        """
        self._effects = []
        match event:
            case Queued():
                self._take(event)
            case Cancelled(number, reason):
                self._end_early(number, reason or ThreadKilled(f"job {number} was cancelled"))
            case Answered(transaction, value, seconds):
                job = self._answered(transaction, seconds)
                if job is not None:
                    self.finished += 1
                    self._effects.append(Complete(job.number, value))
            case Failed(transaction, error, seconds):
                job = self._answered(transaction, seconds)
                if job is not None:
                    self._fail(job, error)
            case Lost(transaction, words):
                self._lose([transaction], words)
            case ServerUp(key, room):
                self._meet(key, room)
            case ServerDown(key, words):
                self._forget(key, words)
            case Unreachable(transaction, words, begun):
                # A late one says nothing of a server that has come back since.
                if transaction in self._runs:
                    server = self._runs[transaction][1].key
                    self._forget(server, words, None if begun else transaction)
            case Loaded(key, running, lag_seconds):
                self._note_load(key, running, lag_seconds)
            case Tick():
                self._expire(now)
        self._start_all()
        return self._effects

    # --- jobs ------------------------------------------------------------------------------

    def _take(self, event: Queued) -> None:
        if len(self._queue) >= self._queued_max:
            raise Overloaded(
                f"{self._queued_max} jobs wait already (limit jobs_queued_max); wait for some of "
                "them, or add servers"
            )
        job = _Job(event.job, event.class_name, event.due)
        self._jobs[event.job] = self._queue[event.job] = job
        if event.due is not None:
            heapq.heappush(self._dues, (event.due, event.job))
            if len(self._dues) > 2 * len(self._jobs) + _DUES_MIN:
                # Most jobs have ended long before they must have.
                self._dues = [entry for entry in self._dues if entry[1] in self._jobs]
                heapq.heapify(self._dues)

    def _answered(self, transaction: int, seconds: float | None) -> _Job | None:
        """End a run and its job; None when the answer is not awaited any longer."""
        if transaction not in self._runs:
            return None
        server = self._runs[transaction][1]
        job = self._end_run(transaction)
        server.finished += 1
        if seconds is not None:
            server.note(job.class_name, seconds)
        del self._jobs[job.number]
        return job

    def _end_run(self, transaction: int) -> _Job:
        job, server = self._runs.pop(transaction)
        del server.runs[transaction]
        job.transaction = None
        return job

    def _fail(self, job: _Job, error: BaseException) -> None:
        self.failed += 1
        self._effects.append(Fail(job.number, error))

    def _end_early(self, number: int, error: BaseException) -> None:
        job = self._jobs.pop(number, None)
        if job is None:
            return
        self._queue.pop(number, None)
        if job.transaction is not None:
            self._effects.append(Stop(job.transaction))
            self._end_run(job.transaction)
        self._fail(job, error)

    def _expire(self, now: float) -> None:
        while (due := self.next_deadline()) is not None and due <= now:
            number = heapq.heappop(self._dues)[1]
            self._end_early(number, CallTimeout(f"job {number} was not done in its time"))

    def _lose(self, transactions: list[int], words: str, not_begun: int | None = None) -> None:
        """Put jobs without an answer back at the front, in the order they had."""
        for transaction in transactions:
            if transaction not in self._runs:
                continue
            job = self._end_run(transaction)
            begun = transaction != not_begun
            job.losses += begun
            if job.losses >= self._attempts_max:
                del self._jobs[job.number]
                self._fail(job, self._too_often(job, words))
            else:
                self.retried += begun
                job.again = True
                self._queue[job.number] = job
        # Whatever was started once came before all that was not.
        for number in sorted((key for key, job in self._queue.items() if job.again), reverse=True):
            self._queue.move_to_end(number, last=False)

    def _too_often(self, job: _Job, words: str) -> PeerLost:
        return PeerLost(
            f"job {job.number} of class {job.class_name} was lost with its server at each of "
            f"{counted(job.losses, 'attempt')} (limit job_attempts_max); the last time: {words}"
        )

    # --- servers ---------------------------------------------------------------------------

    def _meet(self, key: Server, room: int) -> None:
        known = self._servers.get(key)
        if known is None:
            self._servers_met += 1
            self._servers[key] = _Server(key, room, self._servers_met)
        else:
            known.room = room

    def _forget(self, key: Server, words: str, not_begun: int | None = None) -> None:
        known = self._servers.pop(key, None)
        if known is not None:
            self._lose(list(known.runs), words, not_begun)

    def _note_load(self, key: Server, running: int, lag_seconds: float) -> None:
        known = self._servers.get(key)
        if known is not None:
            known.others = max(0, running - len(known.runs))
            known.lag_seconds = lag_seconds

    def _start_all(self) -> None:
        while self._queue and self._may_run():
            number, job = next(iter(self._queue.items()))
            server = self._choose(job)
            if server is None:
                return
            del self._queue[number]
            self._transactions += 1
            job.transaction = self._transactions
            self._runs[job.transaction] = (job, server)
            server.runs[job.transaction] = job
            self._effects.append(Start(number, job.transaction, server.key))

    def _may_run(self) -> bool:
        return self._running_max is None or len(self._runs) < self._running_max

    def _choose(self, job: _Job) -> _Server | None:
        free = [server for server in self._servers.values() if server.has_room(job)]
        return min(free, key=lambda server: server.expected(job.class_name), default=None)
