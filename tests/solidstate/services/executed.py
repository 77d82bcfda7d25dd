"""A service as a replica executes it: at an agreed time, with agreed random values."""

from __future__ import annotations

from random import Random
from typing import Any

import vista
from apps.solidstate.objects.bounded import call_bounded
from apps.solidstate.objects.classes import ReplicatedClass
from apps.solidstate.objects.replicated import Execution, ReplicatedObject, executing
from apps.solidstate.objects.service import RESULT_BYTES_MAX


class Executed:
    """A service whose clock stands until ``time`` (seconds) is set.

    ``posted`` collects what it wants sent. Each result, and the state after each call, has to be a
    value, and the result one that an answer holds; ``looks`` False does without looking at the
    state, which takes long where it is large. A call has the bound of lines of a replica.
    """

    looks = True

    def __init__(self, cls: type[ReplicatedObject]) -> None:
        # As a replica makes one: a state variable is no object of the runtime.
        self.service: ReplicatedObject = object.__new__(cls)
        self.time = 1_000.0
        self.posted: list[tuple[Any, str, tuple[Any, ...]]] = []
        self._own = ReplicatedClass(cls).own
        self._dice = Random(1)
        self.call("create")

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Execute a method and return what it returns."""
        execution = Execution(round(self.time * 1_000_000), self._dice.randbytes(32))
        token = executing.set(execution)
        try:
            result = call_bounded(method, getattr(self.service, method), args, kwargs, self._own)
        finally:
            executing.reset(token)
        self.posted += execution.posted
        if self.looks:
            copy = vista.decode_value(vista.encode_value(vars(self.service)))
            assert copy == vars(self.service)
        encoded = vista.encode_value(result)
        assert len(encoded) < RESULT_BYTES_MAX - 1_000
        return vista.decode_value(encoded)
