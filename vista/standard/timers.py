"""Timers as objects: a message to a client after some time, once or again and again.

Time is the node's hub's, so in a simulated world timers go with its virtual clock.
"""

from __future__ import annotations

import logging
import math

from vista.api import current_user, future, self_ref
from vista.errors import BadValueError, CallError, NoSuchObject
from vista.kernel.current import kernel
from vista.kernel.objects import Object
from vista.standard.notices import Target, notify, start_thread

_log = logging.getLogger(__name__)


class TimerEvent(Object, namespace="Standard"):
    """Tells a client, once, that some time has passed.

    rc line: ``TimerEvent Harbour 2.5 "the tide turns"``

    ``create(client, timeout_seconds, extra_data=None)``: ``client`` is a Ref, an Id or a service
    name, which is looked up when the time has come; ``extra_data`` is any value.

    Notification: ``timer_expired(timer, extra_data)``; then the timer deletes itself. Deleting it
    earlier cancels it. Raises `BadValueError` for a time that is negative or no number.

    The original's TimerEvent, with parts of seconds allowed.
    """

    def create(self, client: Target, timeout_seconds: float, extra_data: object = None) -> None:
        """Start the clock."""
        self.client = client
        self.timeout_seconds = _checked("timeout_seconds", timeout_seconds, 0.0)
        self.extra_data = extra_data
        home, user, me = kernel(), current_user(), self_ref(self)

        def expire() -> None:
            notify(home, user, client, "timer_expired", me, extra_data)
            notify(home, home.user, me, "delete_yourself")

        self._timer = home.timers.call_later(timeout_seconds, expire)

    def delete(self) -> None:
        """Cancel what has not expired."""
        self._timer.cancel()


class RepeatingTimerEvent(Object, namespace="Standard"):
    """Tells a client again and again, at a fixed rate.

    rc line: ``RepeatingTimerEvent Harbour 1``

    ``create(client, interval_seconds, extra_data=None, count=None)``: ``client`` is a Ref, an Id or
    a service name; ``count`` is how often it is told, after which the timer deletes itself; for
    ever when left out. Ticks fall on whole multiples of the interval since the creation, so they do
    not drift.

    Notification: ``timer_expired(timer, extra_data)``. The next one is sent when the client has
    finished with the one before: ticks that pass meanwhile do not pile up, they are skipped,
    counted (`get_missed`) and do not count towards ``count``. A client that raises, or a service
    nobody provides at the time, is logged and told again; a client that was deleted ends the timer.
    Deleting the timer ends it.
    """

    def create(
        self,
        client: Target,
        interval_seconds: float,
        extra_data: object = None,
        count: int | None = None,
    ) -> None:
        """Start the clock."""
        self.client = client
        self.interval_seconds = _checked("interval_seconds", interval_seconds, 0.001)
        self.extra_data = extra_data
        if count is not None and count < 1:
            raise BadValueError(f"count must be 1 or more, not {count}")
        self.count = count
        self.told = 0
        self.missed = 0
        self.tick = 0
        self._deleted = False
        self._start = kernel().hub.time()
        self._user = current_user()
        self._await_tick()

    def get_told(self) -> int:
        """Return how many ticks the client was told of."""
        return self.told

    def get_missed(self) -> int:
        """Return how many ticks were skipped because the client was still busy."""
        return self.missed

    def delete(self) -> None:
        """Stop the clock."""
        self._deleted = True
        self._timer.cancel()

    def _await_tick(self) -> None:
        home, user = kernel(), self._user
        passed = int((home.hub.time() - self._start) / self.interval_seconds)
        self.missed += max(0, passed - self.tick)
        self.tick = max(self.tick, passed) + 1
        due = self._start + self.tick * self.interval_seconds
        self._timer = home.timers.call_at(due, lambda: start_thread(home, user, self._tell))

    def _tell(self) -> None:
        """Tell the client; when it has finished the wait for the next tick begins."""
        if self._deleted:
            return
        home = kernel()
        self.told += 1
        try:
            call = future(self.client, "timer_expired", self_ref(self), self.extra_data)
        except CallError as error:
            self._go_on(error)
        else:
            call.on_done(
                lambda ended: start_thread(home, home.user, lambda: self._go_on(ended.exception()))
            )

    def _go_on(self, error: BaseException | None) -> None:
        if self._deleted:
            return
        if error is not None:
            _log.warning("%r: its client %r failed: %s", self_ref(self), self.client, error)
        if isinstance(error, NoSuchObject) or self.told == self.count:
            kernel().post_quietly(self_ref(self), "delete_yourself")
        else:
            self._await_tick()


def _checked(name: str, seconds: float, lowest: float) -> float:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < lowest:
        raise BadValueError(f"{name} is a number of seconds from {lowest:g}, not {seconds!r}")
    return seconds
