"""The classes of rc/hub.rc: something that several nodes share."""

from __future__ import annotations

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
