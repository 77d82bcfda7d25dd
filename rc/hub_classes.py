"""The classes of rc/hub.rc: something that several nodes share, and something that moves."""

from __future__ import annotations

import os

from vista import Object, register_service, self_ref, sleep


class SharedCounter(Object):
    """A number that everybody adds to. rc line: ``SharedCounter Counters/main``.

    ``create(service, start)`` registers it under the name of a service.
    """

    def create(self, service: str, start: int = 0) -> None:
        """Begin at ``start``."""
        self.value = start
        register_service(service, self_ref(self))

    def increment(self, by: int = 1) -> int:
        """Add to the value and return it."""
        self.value += by
        return self.value

    def reset(self, value: int = 0) -> int:
        """Set the value and return what it was."""
        before, self.value = self.value, value
        return before

    def increment_later(self, by: int, seconds: float) -> int:
        """Wait ``seconds``, then add to the value and return it; others count meanwhile."""
        sleep(seconds)
        return self.increment(by)


class Worker(Object):
    """Works in whatever process it is, and brings its work along when it is moved.

    ``create(name)`` begins without any work done.
    """

    def create(self, name: str = "worker") -> None:
        """Begin."""
        self.name = name
        self.processes: list[int] = []

    def run(self) -> str:
        """Work where it is and say so: the process, and all those in which it has worked."""
        self.processes.append(os.getpid())
        return f"{self.name} works in process {self.processes[-1]}, so far in {self.processes}"
