"""The time a server has spent, by which work is shared out; it decides nothing else."""

from __future__ import annotations

import asyncio
from time import monotonic


def microseconds() -> int:
    """Return the time of the node in microseconds, from any origin."""
    loop = asyncio.get_running_loop()
    # That of uvloop stands still while a turn works; a simulated one must be asked itself.
    stands_still = type(loop).__module__.startswith("uvloop")
    return round((monotonic() if stands_still else loop.time()) * 1_000_000)
