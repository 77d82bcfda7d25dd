"""What is watched in a kernel of a simulated world: its threads and its timers.

A kernel that is not watched pays nothing: here are other makes of three of its parts (workers,
class entries, timers), which note events and then do what the kernel's own do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.kernel.classes import ClassEntry
from vista.kernel.current import METHOD, RECORD, Frame, current
from vista.kernel.killing import KillThread
from vista.kernel.methods import MethodEntry
from vista.kernel.objects import Object
from vista.kernel.threads import PARKED, RUNNING, WOKEN, Worker
from vista.kernel.timers import Timer, Timers
from vista.testing.trace import Event

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.testing.hub import SimulatedHub


class Tracer:
    """Notes the events of one node, called ``name``, in the trace of its hub, until ``muted``."""

    def __init__(self, hub: SimulatedHub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._count = 0
        self.muted = False
        # The frame is kept as long as its number: its address may be another frame's after it.
        self._numbers: dict[int, tuple[int, Frame]] = {}

    def attach(self, kernel: Kernel) -> None:
        """Have a kernel that has run nothing yet make parts that are watched."""
        kernel.threads.make_worker = lambda home: _TracedWorker(home, self)
        kernel.classes.make_entry = self._make_entry
        kernel.timers = _TracedTimers(self._hub, self)
        self._watch(kernel.outside)

    def note(self, kind: str, frame: Frame | None = None, detail: str = "") -> None:
        """Note an event, of the thread ``frame`` if one is given."""
        if self.muted:
            return
        now, name = self._hub.now, self._name
        if frame is None:
            event = Event(now, kind, name, 0, "", "", detail)
        else:
            record, number = frame[RECORD], self._number(frame)
            object_name = f"{record.entry.name}#{record.id.serial}"
            event = Event(now, kind, name, number, object_name, frame[METHOD].name, detail)
        self._hub.trace.add(event)

    def _number(self, frame: Frame) -> int:
        known = self._numbers.get(id(frame))
        if known is None:
            self._count += 1
            known = self._numbers[id(frame)] = (self._count, frame)
        return known[0]

    def _make_entry(self, cls: type[Object]) -> ClassEntry:
        entry = ClassEntry(cls)
        hooks = (entry.create, entry.delete, entry.unknown, entry.upgraded_from)
        for method in (*entry.methods.values(), *hooks):
            if method is not None:
                self._watch(method)
        return entry

    def _watch(self, method: MethodEntry) -> None:
        run = method.run

        def watched(instance: Object, *args: Any, **kwargs: Any) -> Any:
            frame = current().frame
            # A hook runs within the thread of the message that brought it about.
            own = id(frame) not in self._numbers
            self.note("started", frame, "" if own else method.name)
            how = "returned"
            try:
                return run(instance, *args, **kwargs)
            except BaseException as error:
                how = type(error).__name__
                raise
            finally:
                self.note("ended", frame, how if own else f"{method.name} {how}")
                if own:
                    self._numbers.pop(id(frame), None)

        method.run = watched


class _TracedWorker(Worker):
    """A worker that notes when its threads park, are woken and go on: each changes its condition.

    `vista.peering.hot` parks and wakes threads by itself.
    """

    __slots__ = ("_condition", "_is_away", "_tracer")

    def __init__(self, kernel: Kernel, tracer: Tracer) -> None:
        self._tracer = tracer
        self._condition = RUNNING
        self._is_away = False
        super().__init__(kernel)

    @property
    def condition(self) -> str:
        """Whether it runs, is parked or was woken."""
        return self._condition

    @condition.setter
    def condition(self, condition: str) -> None:
        before, self._condition = self._condition, condition
        if condition is PARKED:
            self._is_away = True
            why = self.why
            self._tracer.note("parked", self.frame, str(why() if callable(why) else why))
        elif condition is WOKEN and before is PARKED:
            # That of a kill is noted as such.
            if type(self._error) is not KillThread:
                self._tracer.note("woken", self.frame, self._trouble)
        elif condition is RUNNING and self._is_away:
            self._is_away = False
            self._tracer.note("resumed", self.frame, self._trouble)

    @property
    def _trouble(self) -> str:
        return "" if self._error is None else type(self._error).__name__

    def throw(self, error: KillThread) -> None:
        self._tracer.note("thrown", self.frame, type(error.outcome).__name__)
        super().throw(error)


class _TracedTimers(Timers):
    """Timers that note which were due."""

    def __init__(self, hub: SimulatedHub, tracer: Tracer) -> None:
        super().__init__(hub)
        self._tracer = tracer

    def call_at(self, due: float, callback: Callable[[], Any]) -> Timer:
        def noted() -> Any:
            self._tracer.note("timer", None, f"{due:.6f}")
            return callback()

        return super().call_at(due, noted)
