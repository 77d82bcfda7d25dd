"""The hot path: calls through a Ref, posts, calls in flight, and the loop that runs messages.

Here code is written out that stands in functions elsewhere, and checks are joined, because a local
send must cost a quarter of a microsecond on a quiet machine. Whatever is not simple goes to
`vista.kernel.invoke`. One word of the record, ``state``, says that an object is idle and nothing is
to be asked of it (see `vista.kernel.table`).

Measured on the 2-core test machine, Python 3.11 (`benchmarks` guards the whole):

- what ``ref.method`` gives: a descriptor's result costs 280 ns a call, an object kept in the Ref
  100, a closure kept there 56; but the closure, with its ``post`` and ``future``, takes 4.5 us to
  make and 2.5 KB, the object 0.4 us and 130 bytes;
- a bound method called with ``*args`` costs 42 ns, the function with the instance before them 96,
  and ``**kwargs`` another 17 even when empty; so a call with one argument or none, which most are,
  packs no tuple: 50 ns;
- an object as frame costs 110 ns, a tuple 32; so the tuple of a message is its frame as well;
- a look at the clock costs 45 ns, so only every 64th call is timed.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from vista import values
from vista.kernel import monitor
from vista.kernel.current import METHOD, RECORD, current
from vista.kernel.futures import Future
from vista.kernel.keeping import await_kept, reply
from vista.kernel.refs import Ref
from vista.kernel.table import QUEUED, Record
from vista.values import copy_arguments, copy_value

if TYPE_CHECKING:
    from vista.kernel.invoke import Invoker, Message
    from vista.kernel.methods import MethodEntry
    from vista.kernel.threads import Worker

ATOMS: Final = frozenset(values.ATOMS | {Ref})
"""Types whose values are passed as they are."""


class _Absent:
    """The type of `ABSENT`."""

    __slots__ = ()


ABSENT: Final[Any] = _Absent()
"""Stands for the first argument of a call that has none."""

PASSED: Final = ATOMS | {_Absent}
"""`ATOMS`, and what needs no copy since it is nothing."""

NO_NAMES: Final[dict[str, Any]] = {}
"""The keyword arguments of a post without any: one dict less for the collector to count."""


class RefMethod:
    """A method of an object, as ``ref.method`` gives it.

    Calling it sends the message and waits for the result; `post` sends it one way; `future` returns
    a `Future` of the result. The Ref keeps it for its next use.
    """

    __slots__ = ("_method", "_record", "_run")

    def __init__(self, record: Record, method: MethodEntry) -> None:
        self._record = record
        self._method = method
        self._run: Any = None if method.preemptable else MethodType(method.run, record.instance)

    def __call__(self, first: Any = ABSENT, /, *rest: Any, **kwargs: Any) -> Any:
        record = self._record
        worker: Any = current()
        if record.state is not worker.kernel or worker.left <= 0:
            given = () if first is ABSENT else (first, *rest)
            return record.kernel.invoker.call(record, self._method, given, kwargs)
        if rest or kwargs:
            given = () if first is ABSENT else (first, *rest)
            args, kwargs = copy_arguments(given, kwargs)
        else:
            args = None
            if type(first) not in PASSED:
                first = copy_value(first, "args[0]")
        method = self._method
        parent = worker.frame
        worker.frame = frame = (record, method, parent, worker.kernel.now)
        worker.left -= 1
        record.state = worker
        method.calls += 1
        try:
            if args is not None:
                result = self._run(*args, **kwargs)
            else:
                result = self._run() if first is ABSENT else self._run(first)
            if type(result) not in ATOMS:
                result = copy_value(result, "result")
        except BaseException as error:
            try:
                outcome = record.kernel.invoker.failed(worker, frame, error, True)
            except RecursionError as full:
                # Not one Python frame is left: the object is let go when there is room again.
                outcome = full
                worker.owed = (record, frame, worker.owed)
                worker.frame = parent
        else:
            worker.frame = parent
            if record.queue is None:
                record.state = record.idle
            else:
                monitor.finish(record, frame)
                if record.guard is not None:
                    await_kept(worker, record)
            if parent[RECORD].state is not worker and not parent[METHOD].preemptable:
                worker.reenter(parent)
            return result
        # Not in the handler: there Python would replace the context that the error came with.
        raise outcome

    def post(self, /, *args: Any, **kwargs: Any) -> None:
        """Send the message one way; see `vista.post`."""
        record = self._record
        kernel = record.kernel
        worker: Any = current()
        if worker.kernel is not kernel:
            if worker.home is kernel and kernel.on_loop():
                run = self._run
                if args or kwargs or run is None or record.state is not kernel:
                    kernel.invoker.post_beside(worker, record, self._method, args, kwargs)
                    return
                # Something on the loop wakes an idle object: by the long way it takes 1 us more.
                now, user = kernel.hub.loop.time(), worker.user or kernel.user
                message = (record, self._method, None, now, args, NO_NAMES, None, user, run)
                kernel.threads.make_ready(message)
                record.state = QUEUED
            else:
                kernel.from_outside(worker, self.post, args, kwargs)
            return
        if kwargs:
            args, kwargs = copy_arguments(args, kwargs)
        else:
            kwargs = NO_NAMES
            if args and (type(args[0]) not in ATOMS or len(args) > 1):
                args = copy_arguments(args, kwargs)[0]
        run = self._run
        message = (record, self._method, None, kernel.now, args, kwargs, None, worker.user, run)
        if run is None:
            kernel.invoker.deliver(message)
        elif record.state is kernel:
            kernel.threads.ready.append(message)
            record.state = QUEUED
        elif (
            (queue := record.queue) is not None
            and record.idle is kernel
            and len(queue) < kernel.messages_max
        ):
            queue.append(message)
        else:
            kernel.invoker.deliver(message)

    def future(self, /, *args: Any, **kwargs: Any) -> Future:
        """Send the message and return a `Future` of its result at once; see `vista.future`."""
        record, method = self._record, self._method
        kernel = record.kernel
        worker: Any = current()
        if worker.kernel is not kernel and not (worker.home is kernel and kernel.on_loop()):
            made: Future = kernel.from_outside(worker, self.future, args, kwargs)
            return made
        if args and (type(args[0]) not in ATOMS or len(args) > 1):
            args = copy_arguments(args, kwargs)[0]
        if kwargs:
            kwargs = copy_arguments((), kwargs)[1]
        pending = Future(kernel, record, method.name)
        if worker.kernel is not kernel:
            # A coroutine may run long after the last turn of the loop.
            pending.created = kernel.hub.time()
        frame, user, run = worker.frame, worker.user, self._run
        message = (record, method, frame, pending.created, args, kwargs, pending, user, run)
        if run is not None and record.state is worker.kernel:
            kernel.threads.ready.append(message)
            record.state = QUEUED
        else:
            kernel.invoker.deliver(message)
        return pending

    @property
    def __name__(self) -> str:
        return self._method.name

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._method.doc

    def __repr__(self) -> str:
        return f"<{self._method} of {self._record.id}>"


class SpecialMethod(RefMethod):
    """A method that never runs nested without asking: preemptable or native."""

    __slots__ = ()

    def __call__(self, first: Any = ABSENT, /, *rest: Any, **kwargs: Any) -> Any:
        record = self._record
        args = () if first is ABSENT else (first, *rest)
        return record.kernel.invoker.call(record, self._method, args, kwargs)


# Its loop is not "while message is not None": CPython 3.11 counts only unconditional backward jumps
# when it decides which code to specialize, and one that never ends would run 25 % slower for ever.
# A worker that rests keeps nothing alive, be it an object that is deleted or a large result.
def work(invoker: Invoker, worker: Worker) -> None:
    """Run messages one after another, as the greenlet of ``worker``, until it is let go."""
    kernel, count = invoker.kernel, 0
    threads, ready = kernel.threads, kernel.threads.ready
    # Nothing is to be asked of the object, it is held still, and the next in its line is a message.
    simple = (kernel, worker, tuple)
    message: Message | None = invoker.first_message(worker)
    result: Any
    queue: Any
    while True:
        if message is None:
            return
        count += 1
        record, method, _, _, args, kwargs, future, user, run = message
        if record.idle is not kernel or run is None or (future is not None and future._done):
            invoker.run_special(worker, message)
        else:
            worker.user = user
            worker.frame = worker.root = message
            record.state = worker
            method.calls += 1
            if future is not None:
                future.worker = worker
            try:
                result = run(*args, **kwargs) if kwargs else run(*args)
                if future is not None and type(result) not in ATOMS:
                    result = copy_value(result, "result")
            except BaseException as error:
                invoker.message_failed(worker, message, error)
            else:
                if future is not None and record.guard is not None:
                    _answer_guarded(record, future, result, message)
                else:
                    if future is not None:
                        future.resolve(result)  # First: it may put a thread into the queue.
                    if (queue := record.queue) is None:
                        record.state = record.idle
                    elif not queue or (record.idle, record.state, type(queue[0])) != simple:
                        monitor.finish(record, message)
                    elif not ready and count & 15:
                        message = queue.popleft()  # Nothing else waits: the same object goes on.
                        continue
                    else:
                        record.state = QUEUED
                        ready.append(queue.popleft())
        if ready and type(ready[0]) is tuple and (count & 15 or not threads.turn_is_over()):
            message = ready.popleft()
        else:
            record = method = args = kwargs = future = run = result = queue = message = None
            message = invoker.next_message(worker, count)
            count = 0


def _answer_guarded(record: Record, future: Future, result: Any, message: Message) -> None:
    """End a call in an object that got a guard meanwhile."""
    monitor.finish(record, message)
    reply(record, future, result)
