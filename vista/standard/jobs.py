"""JobController: has jobs done by the servers of a pool, on whatever nodes they are.

Controllers and servers find each other by service names, ``JobServer/POOL/ID``, of which peers
hear without an AnnounceServices. What is to be done is decided by `vista.standard.job_pool`; here
are the threads that wait for servers. A job runs in the name of the user who queued it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vista.api import (
    creator_at,
    current_user,
    future,
    here,
    post,
    register_service,
    self_ref,
    sleep,
    timeout,
)
from vista.errors import (
    AccessDenied,
    BadValueError,
    CallError,
    CallTimeout,
    NoSuchClass,
    NoSuchObject,
    ObjectDeleted,
    Overloaded,
    PeerLost,
    ThreadKilled,
    UsageError,
)
from vista.ids import Id, node_text
from vista.kernel.access import AccessControlList
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel
from vista.kernel.methods import preemptable
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.kernel.services import SHARED
from vista.kernel.table import GONE
from vista.standard import job_pool
from vista.standard.installed import ClassWord
from vista.standard.job_server import DONE, UNKNOWN, JobLoad, Outcome, outcome_of
from vista.standard.notices import Target
from vista.standard.turns import Ending

_log = logging.getLogger(__name__)

_ASKED_MAX: Final = 30
"""How often a server is asked for its load before it is taken for none: over four minutes."""

_ASK_AGAIN_SECONDS: Final = 0.6
"""How much longer than the last one each pause before the next question is."""

_NAMES_MIN: Final = 64
"""Names of servers that are kept at any rate; else most are of servers that are there."""


@dataclass(slots=True)
class _Job:
    """What a controller keeps of a job until it has ended."""

    client: Target | None
    client_info: Any
    class_name: ClassWord
    acl: AccessControlList | None
    arguments: Sequence[Any]
    user: str
    ending: Ending


class JobController(Object, namespace="Standard"):
    """Has jobs done by the servers of a pool, wherever they are.

    rc line: ``JobController words``, or ``JobController words 8``

    ``create(pool, concurrent_max=None)`` registers service ``POOL``, and gives jobs to every
    `JobServer` of the pool on this node and on those it reaches, also to those that come later.
    ``concurrent_max`` bounds the jobs that run at the same time on all of them. Without any server
    jobs wait.

    Jobs are started in the order they were queued. Of the servers with room the one gets a job that
    is expected to finish it first, by what jobs of its class took there and by what it does; a slow
    one so gets fewer. A class that a server lacks is brought there if that node lets this one.

    When a server is lost its jobs go to others, before all that wait. So a job may be begun more
    than once; but its client hears of it once. One that was lost with its server
    ``limits.job_attempts_max`` times fails with `PeerLost`. Jobs are in memory: they end with their
    controller.

    Notifications: ``job_complete(client_info, result)`` or ``job_failed(client_info, error)``, one
    for each job of `queue_job`. What a client that is gone would have got is dropped.

    Peers with another key need the right ``create`` to queue jobs, and have it for their servers to
    get any. The original's JobController.
    """

    def create(self, pool: str, concurrent_max: int | None = None) -> None:
        """Register the service and look for servers."""
        if concurrent_max is not None and concurrent_max < 1:
            raise BadValueError(f"concurrent_max is 1 or more jobs, not {concurrent_max}")
        home = kernel()
        self.pool = pool
        self.concurrent_max = concurrent_max
        self.number = 0
        self._core = job_pool.JobPool(
            queued_max=home.limits.jobs_queued_max,
            attempts_max=home.limits.job_attempts_max,
            running_max=concurrent_max,
        )
        self._jobs: dict[int, _Job] = {}
        self._runs: dict[int, Future] = {}
        self._names: dict[Id, str] = {}
        self._names_looked_at = 2 * _NAMES_MIN
        self._idle: Ending | None = None
        self._timer: Any = None
        register_service(pool, self_ref(self))
        self._prefix = f"{SHARED}{pool}/"
        home.services.watchers.append(self._meet)
        for name in self._announced(home):
            self._meet(name)

    # --- jobs ------------------------------------------------------------------------------

    def queue_job(
        self,
        client: Target | None,
        client_info: Any,
        class_name: ClassWord,
        acl: AccessControlList | None = None,
        arguments: Sequence[Any] = (),
        seconds: float | None = None,
    ) -> int:
        """Queue a job and return its number.

        ``client`` is told of its end, with ``client_info``, any value; None for nobody.
        ``class_name`` names the job's class, ``acl`` guards its object, ``arguments`` (a list) are
        those of its ``create``. ``seconds`` is how long all of it may take, the wait included; then
        it fails with `CallTimeout`. Raises `Overloaded` when ``limits.jobs_queued_max`` wait.
        """
        return self._queue(
            _Job(client, client_info, class_name, acl, arguments, current_user(), self._new_end()),
            seconds,
        )

    def run_job(self, class_name: ClassWord, *arguments: Any) -> Any:
        """Have a job done, wait for its end, and return its result or raise its error.

        It is cancelled when the caller gives up: ``vista.timeout`` says when, by default after
        ``limits.call_seconds``.
        """
        return self.map_jobs(class_name, [arguments])[0]

    def map_jobs(self, class_name: ClassWord, arguments_list: Iterable[Sequence[Any]]) -> list[Any]:
        """Have a job done for each list of arguments; wait, and return their results in order.

        Raises the error of the first of them that failed; the others are cancelled then, as they
        are when the caller gives up.
        """
        numbers: list[int] = []
        jobs: list[_Job] = []
        user = current_user()
        try:
            for arguments in arguments_list:
                jobs.append(_Job(None, None, class_name, None, arguments, user, self._new_end()))
                numbers.append(self._queue(jobs[-1], None))
            return [job.ending.wait() for job in jobs]
        finally:
            for number in numbers:
                self._handle(job_pool.Cancelled(number))

    def cancel_job(self, number: int) -> bool:
        """End a job, and return whether it had not ended yet. It fails with `ThreadKilled`.

        Raises `AccessDenied` for a job of another user, unless this is the node's own.
        """
        job = self._jobs.get(number)
        if job is None:
            return False
        self._check_user(job, f"cancel job {number}")
        self._handle(job_pool.Cancelled(number))
        return True

    def return_job_result(self, transaction: int, result: Any) -> bool:
        """Take the result of a job that was begun with ``start_job``; whether it was awaited.

        What comes late, when the job was given to another server, is dropped. Raises `AccessDenied`
        for another user than the job's and the node's own.
        """
        number = self._core.job_of(transaction)
        if number is None:
            return False
        self._check_user(self._jobs[number], f"return the result of job {number}")
        run = self._runs.pop(transaction)
        self._handle(job_pool.Answered(transaction, result))
        # Later: this call may come from inside of what is to be ended.
        kernel().call_soon(run.cancel)
        return True

    def wait_idle(self) -> None:
        """Wait until no job waits or runs."""
        while self._jobs:
            if self._idle is None:
                self._idle = self._new_end()
            self._idle.wait()

    @preemptable
    def get_state(self) -> dict[str, Any]:
        """Return how many jobs are where, and how each server stands.

        ``queued`` and ``running`` jobs; ``finished``, ``failed`` and ``retried`` ones since the
        controller was made; ``servers``, for each a dict of ``server`` (Ref), ``node``, its
        ``concurrent``, the ``running`` and ``finished`` jobs of this controller, the ``others``
        there, the mean ``seconds`` of a job by class, and ``loop_lag_seconds``.
        """
        home: Kernel = self._record.kernel
        for known in self._core.servers():
            gone = home.services.get(self._names[Id(known.server)]) is None
            if gone and not known.running:
                self._handle(job_pool.ServerDown(known.server, "it is gone"))
        core = self._core
        return {
            "pool": self.pool,
            "queued": core.queued,
            "running": core.running,
            "finished": core.finished,
            "failed": core.failed,
            "retried": core.retried,
            "servers": [_row(home, known) for known in core.servers()],
        }

    def delete(self) -> None:
        """Give up all jobs; they fail with `ObjectDeleted`."""
        self._record.kernel.services.watchers.remove(self._meet)
        if self._timer is not None:
            self._timer.cancel()
        gone = ObjectDeleted(f"the JobController of pool {self.pool!r} was deleted")
        # The last first: otherwise each would make room for the next one.
        for number in sorted(self._jobs, reverse=True):
            self._handle(job_pool.Cancelled(number, gone))

    def _new_end(self) -> Ending:
        return Ending(self._record.kernel.hub.loop)

    def _check_user(self, job: _Job, what: str) -> None:
        user = current_user()
        if user not in (job.user, self._record.kernel.user):
            raise AccessDenied(f"user {user!r} may not {what}")

    def _queue(self, job: _Job, seconds: float | None) -> int:
        if not isinstance(job.arguments, list | tuple):
            raise BadValueError(f"a job's arguments are a list, not {job.arguments!r:.100}")
        if seconds is not None and not seconds > 0:
            raise BadValueError(f"a job has more than 0 seconds, not {seconds!r}")
        due = None if seconds is None else self._record.kernel.hub.time() + seconds
        number = self.number + 1
        self._jobs[number] = job
        try:
            self._handle(job_pool.Queued(number, _said(job.class_name), due))
        except Overloaded:
            del self._jobs[number]
            raise
        self.number = number
        return number

    # --- what is decided, done -------------------------------------------------------------

    def _handle(self, *events: job_pool.Event) -> None:
        """Take events and do what is decided; in a thread or from the loop."""
        home: Kernel = self._record.kernel
        for event in events:
            for effect in self._core.handle(event, home.hub.time()):
                match effect:
                    case job_pool.Start():
                        self._start(effect)
                    case job_pool.Stop(transaction):
                        self._runs.pop(transaction).cancel()
                    case job_pool.Complete(number, value):
                        self._end(number, value, None)
                    case job_pool.Fail(number, error):
                        self._end(number, None, error)
        self._arm(home)

    def _arm(self, home: Kernel) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._core.next_deadline()
        if due is not None:
            self._timer = home.timers.call_at(due, lambda: self._handle(job_pool.Tick()))

    def _end(self, number: int, value: Any, error: BaseException | None) -> None:
        job = self._jobs.pop(number)
        job.ending.end(value, error)
        if job.client is not None:
            home, client, outcome = self._record.kernel, job.client, value
            message = "job_complete"
            if error is not None:
                message, outcome = "job_failed", error
            home.spawn(lambda: _tell(client, message, job.client_info, outcome), job.user)
        if not self._jobs and self._idle is not None:
            self._idle.end()
            self._idle = None

    def _start(self, start: job_pool.Start) -> None:
        home: Kernel = self._record.kernel
        job = self._jobs[start.job]
        server = home.ref(Id(start.server))
        run = home.spawn(lambda: self._handle(*self._run(start, job, server)), job.user)
        self._runs[start.transaction] = run
        run.on_done(lambda ended: self._note_run(start, ended))

    def _note_run(self, start: job_pool.Start, ended: Future) -> None:
        """Take note that the thread of a run has ended: if killed by somebody, it has no answer."""
        self._runs.pop(start.transaction, None)
        if self._core.job_of(start.transaction) is not None:
            self._handle(job_pool.Lost(start.transaction, f"its thread ended: {ended._error}"))

    def _run(self, start: job_pool.Start, job: _Job, server: Ref) -> list[job_pool.Event]:
        """Have a server do a job, as a thread of the job's user; return what came of it."""
        seconds = kernel().limits.job_seconds
        request = (start.transaction, job.class_name, job.acl, job.arguments, seconds)

        def ask() -> Future:
            return future(server, "perform_job", self_ref(self), *request)

        with timeout(seconds):
            outcome = outcome_of(ask)
            if outcome.error is None and outcome.value.state == UNKNOWN:
                refusal = _bring(server, job.class_name)
                if refusal is not None:
                    return [job_pool.Failed(start.transaction, refusal)]
                outcome = outcome_of(ask)
        if outcome.error is not None:
            return self._without_answer(start, outcome)
        answer = outcome.value
        kind = job_pool.Answered if answer.state == DONE else job_pool.Failed
        took = None if answer.state == UNKNOWN else answer.seconds
        load = job_pool.Loaded(start.server, answer.load.running, answer.load.loop_lag_seconds)
        return [load, kind(start.transaction, answer.value, took)]

    def _without_answer(self, start: job_pool.Start, outcome: Outcome) -> list[job_pool.Event]:
        """Return what it means that a call of a server ended with an error."""
        error = outcome.error
        words = f"{type(error).__name__}: {error}"
        if isinstance(error, PeerLost | NoSuchObject):
            # It may be there again by now: its name says so, once this thread has let others run.
            self._meet(self._names.get(Id(start.server), ""))
            return [job_pool.Unreachable(start.transaction, words, outcome.sent)]
        if isinstance(error, ThreadKilled | Overloaded):
            return [job_pool.Lost(start.transaction, words)]
        assert error is not None
        return [job_pool.Failed(start.transaction, error)]

    # --- servers ---------------------------------------------------------------------------

    def _announced(self, home: Kernel) -> list[str]:
        """The names of the servers of the pool that this node knows."""
        names = [name for name, _ in home.services.items()]
        if home.elsewhere is not None:
            names += [row.name for row in home.elsewhere.service_rows()]
        return [name for name in names if name.startswith(self._prefix)]

    def _meet(self, name: str) -> None:
        """Take a service that has appeared for a server, if it is one of the pool."""
        if name.startswith(self._prefix):
            home: Kernel = self._record.kernel
            home.spawn(lambda: self._welcome(home, name)).on_done(_log_error)

    def _welcome(self, home: Kernel, name: str) -> None:
        """Take a server, when it has said how it stands.

        A call may be lost with its link, while another link carries the name on: nobody tells of it
        a second time, so the server is asked again.
        """
        for asked in range(1, _ASKED_MAX + 1):
            server = home.services.get(name)
            if server is None or not _may_serve(home, server._id.node):
                return
            outcome = outcome_of(lambda target=server: future(target, "get_load"))  # type: ignore[misc]
            if self._record.state is GONE:
                return
            if outcome.error is None:
                if home.services.get(name) == server:
                    self._take_up(name, server, outcome.value)
                return
            _log.info("%s is no job server that answers: %r", name, outcome.error)
            if not isinstance(outcome.error, CallTimeout | PeerLost):
                return
            sleep(asked * _ASK_AGAIN_SECONDS)

    def _take_up(self, name: str, server: Ref, load: JobLoad) -> None:
        if len(self._names) >= self._names_looked_at:
            # Servers come and go, each start of a node has others.
            there = {Id(known.server) for known in self._core.servers()}
            self._names = {id: known for id, known in self._names.items() if id in there}
            self._names_looked_at = 2 * max(len(there), _NAMES_MIN)
        self._names[server._id] = name
        self._handle(
            job_pool.ServerUp(server._id, load.concurrent),
            job_pool.Loaded(server._id, load.running, load.loop_lag_seconds),
        )


def _bring(server: Ref, class_name: ClassWord) -> BaseException | None:
    """Have the node of a server take a class that it lacks; return why it does not."""
    error = outcome_of(lambda: future(here(), "bring_class", creator_at(server), class_name)).error
    if isinstance(error, AccessDenied):
        return NoSuchClass(f"{_said(class_name)} is unknown to a server, and not taken: {error}")
    return error


def _may_serve(home: Kernel, node: bytes) -> bool:
    """Whether a node may have jobs: it could create objects here, or is this one."""
    peering: Any = home.elsewhere
    if node == home.table.node or peering is None:
        return node == home.table.node
    link = peering.link_to(node)
    if link is None or link.grant is None:
        return False
    if not link.grant.kin and "create" not in link.grant.rights:
        _log.warning("a job server of %s gets no jobs: it lacks the right create", link.words)
        return False
    return True


def _tell(client: Target, message: str, client_info: Any, outcome: Any) -> None:
    """Tell a client how its job ended; one that is gone misses it."""
    try:
        post(client, message, client_info, outcome)
    except (CallError, UsageError) as error:
        _log.debug("the end of a job is told to nobody: %s", error)


def _log_error(ended: Future) -> None:
    if ended._error is not None and not isinstance(ended._error, ThreadKilled):
        _log.error("a server was not taken up: %r", ended._error, exc_info=ended._error)


def _row(home: Kernel, known: job_pool.ServerState) -> dict[str, Any]:
    """Return how a server stands, as `JobController.get_state` tells it."""
    id = Id(known.server)
    return {
        "server": home.ref(id),
        "node": node_text(id.node),
        "concurrent": known.room,
        "running": known.running,
        "others": known.others,
        "finished": known.finished,
        "seconds": known.seconds,
        "loop_lag_seconds": known.lag_seconds,
    }


def _said(name: ClassWord) -> str:
    return name if isinstance(name, str) else ".".join(map(str, name))
