"""JobServer: does jobs on its node for the controllers of a pool.

Whatever a job raises travels as a value, so that an error of the call itself always means that the
server did not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vista.api import future, here, id_of, register_service, self_ref, timeout
from vista.errors import BadValueError, CallError, NoSuchClass, UsageError
from vista.kernel.access import AccessControlList
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.methods import preemptable
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.kernel.services import SHARED
from vista.records import record
from vista.standard.installed import ClassWord
from vista.standard.loading import find_class
from vista.standard.notices import notify
from vista.standard.turns import Ending

CONCURRENT_MAX: Final = 1_000
"""Jobs a JobServer lets one controller run at the same time, whatever is asked for."""

DONE: Final = "done"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown class"

_SHARE: Final = 0.25
"""What the latest job counts for in the moving average of the seconds that jobs take."""


@record
@dataclass(frozen=True, slots=True)
class JobLoad:
    """How a JobServer stands: what it lets a controller run, what it does, and what it measured.

    ``seconds_per_job`` is a moving average, None before the first job has ended;
    ``loop_lag_seconds`` the mean delay of the node's loop.
    """

    concurrent: int
    running: int
    finished: int
    failed: int
    seconds_per_job: float | None
    loop_lag_seconds: float


@record
@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What a JobServer says of a job: its result or its error, the seconds it took, and the load.

    ``state`` is ``done``, ``failed`` or ``unknown class``; then nothing was run.
    """

    state: str
    value: Any
    seconds: float
    load: JobLoad


class JobServer(Object, namespace="Standard"):
    """Does jobs on its node for the JobControllers of a pool.

    rc line: ``JobServer words``, or ``JobServer words 4``

    ``create(pool, concurrent=1)`` joins the pool as a service ``JobServer/POOL/ID``. Peers hear of
    it without an AnnounceServices. ``concurrent`` is how many jobs each controller may have here at
    the same time: more than one is of use to jobs that wait for something, and to ``@native`` ones
    that free the interpreter's lock. For others, have more processes.

    A job is an object of a class of yours. It is created with the job's arguments, its ``run()`` is
    called, what that returns is the job's result, and the object is deleted. A ``run`` that
    computes for long should be ``@vista.native``: a plain one holds the node's loop, and a node
    whose loop is held for ``limits.loss_seconds`` counts as lost to its peers.

    In place of ``run`` a class may have ``start_job(controller, transaction)``. Such a job ends
    when somebody sends ``return_job_result(transaction, result)`` to the controller.

    Peers with another key need the right ``create`` to have jobs done here. The original's server
    class is not known; this one is made to what its JobController says.
    """

    def create(self, pool: str, concurrent: int = 1) -> None:
        """Join the pool."""
        if not 1 <= concurrent <= CONCURRENT_MAX:
            raise BadValueError(f"concurrent is 1 to {CONCURRENT_MAX} jobs, not {concurrent}")
        self.pool = pool
        self.concurrent = concurrent
        self.running = 0
        self.finished = 0
        self.failed = 0
        self.seconds_per_job: float | None = None
        register_service(f"{SHARED}{pool}/{id_of(self)}", self_ref(self))

    @preemptable
    def get_load(self) -> JobLoad:
        """Return how the server stands."""
        return JobLoad(
            self.concurrent,
            self.running,
            self.finished,
            self.failed,
            self.seconds_per_job,
            kernel().counters.loop_lag_seconds,
        )

    @preemptable
    def perform_job(
        self,
        controller: Ref,
        transaction: int,
        class_name: ClassWord,
        acl: AccessControlList | None,
        arguments: Sequence[Any],
        seconds: float,
    ) -> JobAnswer:
        """Do a job within ``seconds`` and return its `JobAnswer`. Used by JobControllers."""
        try:
            find_class(kernel(), class_name)
        except NoSuchClass as unknown:
            return JobAnswer(UNKNOWN, unknown, 0.0, self.get_load())
        clock = kernel().hub.time
        begun = clock()
        self.running += 1
        try:
            with timeout(seconds):
                outcome = self._perform(controller, transaction, class_name, acl, arguments)
        finally:
            self.running -= 1
        took = clock() - begun
        known = took if self.seconds_per_job is None else self.seconds_per_job
        self.seconds_per_job = known + (took - known) * _SHARE
        if outcome.error is not None:
            self.failed += 1
            return JobAnswer(FAILED, outcome.error, took, self.get_load())
        self.finished += 1
        return JobAnswer(DONE, outcome.value, took, self.get_load())

    def _perform(
        self,
        controller: Ref,
        transaction: int,
        class_name: ClassWord,
        acl: AccessControlList | None,
        arguments: Sequence[Any],
    ) -> Outcome:
        """Make the job's object, run it and delete it; return how that ended."""
        home = kernel()
        made = outcome_of(lambda: future(here(), "create_object", class_name, acl, *arguments))
        if made.error is not None:
            return made
        job = made.value
        try:
            if "start_job" not in home.record_of(job).entry.methods:
                return outcome_of(lambda: future(job, "run"))
            begun = outcome_of(lambda: future(job, "start_job", controller, transaction))
            if begun.error is None:
                # The controller ends this thread when the result has reached it.
                Ending(home.hub.loop).wait()
            return begun
        finally:
            notify(home, home.user, job, "delete_yourself")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: its error or its result, and whether the message was sent at all."""

    error: BaseException | None
    value: Any = None
    sent: bool = True


def outcome_of(begin: Callable[[], Future]) -> Outcome:
    """Begin a call, wait for its end and return how it ended, whatever it raised."""
    try:
        call = begin()
    except (CallError, UsageError) as refused:
        return Outcome(refused, sent=False)
    # A message to a node that cannot be reached has failed by here.
    sent = not call.done()
    error = call.exception()
    return Outcome(None, call.result()) if error is None else Outcome(error, sent=sent)
