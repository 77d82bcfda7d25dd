"""``@native`` methods: invocations that run in a kernel thread while their vista thread waits."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.kernel.current import METHOD, NativeContext, current, enter

if TYPE_CHECKING:
    from vista.kernel.threads import Worker


class _Stopped:
    """A StopIteration that a method raised: no future takes one."""

    def __init__(self, error: StopIteration) -> None:
        self.error = error


def run_native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs ``function`` in a kernel thread and parks until it is done."""

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        worker: Worker = current()  # type: ignore[assignment]

        def body() -> Any:
            worker.native_thread = threading.get_ident()
            try:
                return function(instance, *args, **kwargs)
            except StopIteration as error:
                return _Stopped(error)
            finally:
                worker.native_thread = 0

        kernel = worker.kernel
        variables = contextvars.copy_context()
        context = NativeContext(kernel, worker.frame, worker.user)
        variables.run(enter, context)
        running: asyncio.Future[Any] = kernel.hub.run_native(variables, body)
        keep = not worker.frame[METHOD].preemptable
        result = worker.park_native(running, keep, context.wants)
        if type(result) is _Stopped:
            raise result.error
        return result

    return run
