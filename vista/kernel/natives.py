"""``@native`` methods: invocations that run in a kernel thread while their vista thread waits."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.kernel.current import METHOD, NativeContext, current, enter

if TYPE_CHECKING:
    from vista.kernel.threads import Worker


def run_native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs ``function`` in a kernel thread and parks until it is done."""

    def run(instance: Any, *args: Any, **kwargs: Any) -> Any:
        worker: Worker = current()  # type: ignore[assignment]
        kernel = worker.kernel
        context = contextvars.copy_context()
        context.run(enter, NativeContext(kernel, worker.frame, worker.user))
        started = functools.partial(function, instance, *args, **kwargs)
        running: asyncio.Future[Any] = kernel.hub.run_native(context, started)
        keep = not worker.frame[METHOD].preemptable
        return worker.park_native(running, keep)

    return run
