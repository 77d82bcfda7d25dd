"""The hot path: calls through a Ref, posts, calls in flight, and the loop that runs messages.

Here code is written out that stands in functions elsewhere, and checks are joined, because a local
send must cost a quarter of a microsecond on a quiet machine. Whatever is not simple goes to
`vista.kernel.invoke`. One word of the record, ``state``, says that an object is idle and nothing is
to be asked of it (see `vista.kernel.table`).

Measured on the 2-core test machine, Python 3.11 (`benchmarks` guards the whole):

- a descriptor for ``ref.method`` costs 280 ns a call, a ``functools.partial`` kept in the Ref 107,
  a closure kept there 56;
- a bound method called with ``*args`` costs 42 ns, the function with the instance before them 96,
  and ``**kwargs`` another 17 even when empty;
- an object as frame costs 110 ns, a tuple 32; so the tuple of a message is its frame as well;
- a look at the clock costs 45 ns, so only every 64th call is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from vista import values
from vista.kernel import monitor
from vista.kernel.current import RECORD, current
from vista.kernel.futures import Future
from vista.kernel.refs import Ref
from vista.kernel.table import QUEUED, Record
from vista.values import copy_arguments, copy_value

if TYPE_CHECKING:
    from vista.kernel.invoke import Invoker, Message, Run
    from vista.kernel.methods import MethodEntry
    from vista.kernel.threads import Worker

ATOMS: Final = frozenset(values.ATOMS | {Ref})
"""Types whose values are passed as they are."""


def bind_call(
    invoker: Invoker, record: Record, method: MethodEntry, run: Run
) -> Callable[..., Any]:
    """Return the function behind ``ref.method(...)`` for a method that takes its turn."""
    kernel, atoms, slow, failed = invoker.kernel, ATOMS, invoker.call, invoker.failed

    def call(*args: Any, **kwargs: Any) -> Any:
        worker: Any = current()
        if record.state is not worker.kernel or worker.left <= 0:
            return slow(record, method, args, kwargs)
        for value in args:
            if type(value) not in atoms:
                args = copy_arguments(args, kwargs)[0]
                break
        if kwargs:
            kwargs = copy_arguments((), kwargs)[1]
        parent = worker.frame
        worker.frame = frame = (record, method, parent, kernel.now)
        worker.left -= 1
        record.state = worker
        method.calls += 1
        try:
            result = run(*args, **kwargs) if kwargs else run(*args)
            if type(result) not in atoms:
                result = copy_value(result, "result")
        except BaseException as error:
            raise failed(worker, frame, error, True) from None
        worker.frame = parent
        if record.queue is None:
            record.state = record.idle
        else:
            monitor.finish(record, frame)
        if parent[RECORD].state is not worker:
            worker.reenter(parent)
        return result

    return call


def bind_post(
    invoker: Invoker, record: Record, method: MethodEntry, run: Run | None
) -> Callable[..., None]:
    """Return the function behind ``ref.method.post(...)``."""
    kernel, atoms, deliver = invoker.kernel, ATOMS, invoker.deliver
    ready, messages_max = kernel.threads.ready.append, invoker.messages_max
    in_line = run is not None

    def post(*args: Any, **kwargs: Any) -> None:
        worker: Any = current()
        if worker.kernel is not kernel:
            kernel.from_outside(worker, post, args, kwargs)
            return
        for value in args:
            if type(value) not in atoms:
                args = copy_arguments(args, kwargs)[0]
                break
        if kwargs:
            kwargs = copy_arguments((), kwargs)[1]
        message = (record, method, None, kernel.now, args, kwargs, None, worker.user, run)
        if in_line and record.idle is kernel:
            if record.state is kernel:
                record.state = QUEUED
                ready(message)
                return
            queue = record.queue
            if queue is not None and len(queue) < messages_max:
                queue.append(message)
                return
        deliver(message)

    return post


def bind_future(
    invoker: Invoker, record: Record, method: MethodEntry, run: Run | None
) -> Callable[..., Future]:
    """Return the function behind ``ref.method.future(...)``."""
    kernel, atoms, deliver, name = invoker.kernel, ATOMS, invoker.deliver, method.name
    ready, in_line = kernel.threads.ready.append, run is not None

    def future(*args: Any, **kwargs: Any) -> Future:
        worker: Any = current()
        if worker.kernel is not kernel and worker.home is not kernel:
            made: Future = kernel.from_outside(worker, future, args, kwargs)
            return made
        for value in args:
            if type(value) not in atoms:
                args = copy_arguments(args, kwargs)[0]
                break
        if kwargs:
            kwargs = copy_arguments((), kwargs)[1]
        pending = Future(kernel, record, name)
        frame, user = worker.frame, worker.user
        message = (record, method, frame, kernel.now, args, kwargs, pending, user, run)
        if in_line and record.state is worker.kernel:
            record.state = QUEUED
            ready(message)
        else:
            deliver(message)
        return pending

    return future


def work(invoker: Invoker, worker: Worker) -> None:
    """Run messages one after another, as the greenlet of ``worker``, until it is let go."""
    kernel, atoms = invoker.kernel, ATOMS
    threads = kernel.threads
    ready = threads.ready
    count = 0
    message: Message | None = worker.message
    # Not "while message is not None": CPython 3.11 counts only unconditional backward jumps when it
    # decides which code to specialize, and a loop that never ends would run 25 % slower for ever.
    while True:
        if message is None:
            return
        count += 1
        record, method, _, _, args, kwargs, future, user, run = message
        if run is None or record.idle is not kernel or (future is not None and future._done):
            invoker.run_special(worker, message)
        else:
            if future is not None:
                future.worker = worker
            worker.user = user
            worker.frame = worker.root = message
            record.state = worker
            method.calls += 1
            try:
                result = run(*args, **kwargs) if kwargs else run(*args)
                if future is not None and type(result) not in atoms:
                    result = copy_value(result, "result")
            except BaseException as error:
                invoker.message_failed(worker, message, error)
            else:
                if future is not None:
                    future.resolve(result)
                if (queue := record.queue) is None:
                    record.state = record.idle
                elif queue and record.idle is kernel:
                    head = queue.popleft()
                    if type(head) is not tuple:
                        record.state = head
                        head.admitted()
                    elif not ready and count & 15:
                        # Nothing else waits: go on with the same object, in its turn.
                        message = head
                        continue
                    else:
                        record.state = QUEUED
                        ready.append(head)
                else:
                    monitor.finish(record, message)
        if ready and type(ready[0]) is tuple and (count & 15 or not threads.turn_is_over()):
            message = ready.popleft()
        else:
            message = invoker.next_message(worker)
