"""How a simulated node crashes.

From one moment on nothing that its threads do can be seen outside: network and disk are cut off and
its events are no longer noted. Then its threads are killed. That runs their ``finally`` blocks, as
there is no other way to take a greenlet or a coroutine apart; what those send and write goes
nowhere.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NoReturn

from vista.errors import ThreadKilled, WrongContextError
from vista.kernel.current import FUTURE
from vista.testing.hub import home_of

if TYPE_CHECKING:
    from collections import deque

    from vista.kernel.kernel import Kernel
    from vista.testing.world import SimulatedNode

_PASSES_MAX: Final = 100
"""How many passes of the loop the threads of a crashed node get to end. A thread that swallows
every kill is left where it waits; nobody will ever wake it."""

_PASSES_AT_ONCE: Final = 10


def sever(node: SimulatedNode) -> None:
    """Let nothing a node does be seen outside from now on, and kill its threads."""
    kernel = node.kernel
    node.tracer.muted = True
    node.network.sever()
    node.disk.unmount()
    node.hub.crashed.append(kernel)
    kernel.timers.close()
    _drop_messages(kernel)
    kernel.threads.kill_all()


async def die(node: SimulatedNode) -> None:
    """Take apart what is left of a severed node."""
    kernel = node.kernel
    hub = node.hub
    hub.natives.crash(lambda context: home_of(context) is kernel)
    for number in range(_PASSES_MAX):
        _drop_messages(kernel)
        kernel.threads.kill_all()
        hub.end_tasks(kernel)
        if not kernel.threads.live() and not kernel.threads.ready:
            break
        # Later ones wait for kernel threads that were to begin in a while.
        await asyncio.sleep(0.0 if number < _PASSES_AT_ONCE else 0.01)
    kernel.close()
    kernel.call_soon = _refuse  # type: ignore[method-assign, assignment]
    hub.kernels.remove(kernel)
    kernel.loop_thread = 0


def _refuse(*_: Any) -> NoReturn:
    raise WrongContextError("the node has crashed")


def _drop_messages(kernel: Kernel) -> None:
    """Let no message be handled any more; who waits for one in this process is told."""
    _drop_from(kernel.threads.ready)
    for record in (kernel.program, *kernel.table.records.values()):
        if record.queue:
            _drop_from(record.queue)


def _drop_from(queue: deque[Any]) -> None:
    dropped = [item for item in queue if type(item) is tuple]
    left = [item for item in queue if type(item) is not tuple]
    queue.clear()
    queue.extend(left)
    for message in dropped:
        if message[FUTURE] is not None:
            message[FUTURE].fail(ThreadKilled("the node has crashed"))
