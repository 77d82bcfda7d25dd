"""The orderly end of a node: its names go, what has come is answered, and then it says goodbye.

Three steps, each bounded. Nobody finds it by a name any longer, and what was sent by those who had
found it has come. Its threads end. What is left is killed, and who waits for it hears that the node
is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

_LOOK_SECONDS: Final = 0.01

_KILLED_SECONDS: Final = 1.0
"""How long threads that were killed may take for their ``finally`` blocks."""


async def wind_down(kernel: Kernel) -> int:
    """Let everything in a node come to its end; return how many threads had to be killed."""
    elsewhere = kernel.elsewhere
    heard = [] if elsewhere is None else elsewhere.retire()
    if heard:
        seconds = kernel.limits.farewell_seconds
        await _await(kernel, lambda: all(future.done() for future in heard), seconds)
    if await _is_drained(kernel, kernel.limits.drain_seconds):
        return 0
    left = len(kernel.threads.live())
    kernel.threads.kill_all()
    await _is_drained(kernel, _KILLED_SECONDS)
    return left


async def _is_drained(kernel: Kernel, seconds: float) -> bool:
    """Wait until no thread lives and none is about to begin; whether that came to be."""
    threads = kernel.threads
    return await _await(kernel, lambda: not (threads.live() or threads.ready), seconds)


async def _await(kernel: Kernel, condition: Callable[[], bool], seconds: float) -> bool:
    due = kernel.hub.time() + seconds
    while not (is_so := condition()) and kernel.hub.time() < due:
        await asyncio.sleep(_LOOK_SECONDS)
    return is_so
