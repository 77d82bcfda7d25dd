"""Reads that are not ordered: each replica answers from the state it has, and says which that is.

Three rules. An answer names the version of its variable, and only answers of one version are equal:
else two replicas that are two changes apart could hold the same value, be believed together, and
have the next reader go back to the change between. What asks for anything agreed, or takes long, or
cannot be answered here and now, is ordered. A method that is declared read-only and changes
something is found out, undone, and ordered from then on.

How it is found out: an attribute that is assigned, with every read. What lies deeper, such as a
list that is appended to, by comparing what the variable is encoded as before and after: with the
first reads of each method, and then as often as costs each read some bytes of encoding; of a small
variable that is with every one. Between two looks at a large one a change may slip through. The
next checkpoint undoes it, unless an ordered call came after it: then this replica differs from
others, as with methods that give other results elsewhere, and if 2f + 1 are not equal no checkpoint
is proven and the group stands still. The roads not taken: reading from a copy costs the whole
state after each change, and views that let nothing be changed are no lists and dicts to libraries.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, Protocol

import vista
from apps.solidstate.errors import EndlessMethodError, OutsideCallError, RefusedOperationError
from apps.solidstate.objects.bounded import Meter, call_bounded
from apps.solidstate.objects.classes import method_of
from apps.solidstate.objects.operations import (
    RESULT_BYTES_MAX,
    read_operation,
    read_raised,
    read_told,
)
from apps.solidstate.objects.replicated import Execution, executing
from apps.solidstate.objects.variables import BYTES_PER_LOOK, Variable
from apps.solidstate.pbft.bundles import RESULTS_BYTES_MAX, BundledService
from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.service import Context, Service

READ_LINES_MAX = 10_000
"""Lines of a read that is not ordered, some milliseconds of computing: a longer one is ordered,
where nobody has more than its turn."""

READS_LINES_MAX = 100_000
"""Lines of the reads that one client asks for at once, beyond which the rest is asked for again."""

READS_BYTES_MAX = 1024 * 1024
"""Bytes of their results, as of `bundles.RESULTS_BYTES_MAX`."""

FIRST_READS = 3
"""Reads of each method of a class after which the variable is compared with what it was."""

_log = logging.getLogger("vista.solidstate")


class PlacedService(Service, Protocol):
    """What `ReadService` bundles: the one there is stands in `apps.solidstate.objects.service`."""

    def execute(self, operation: bytes, context: Context, place: int | None = None) -> bytes:
        """Carry out an operation; with a ``place``, the one of a bundle of this context."""


Call = tuple[str, Callable[..., Any], Sequence[Any], Mapping[str, Any]]
"""What errors call a method, the method, and what it is given."""


class Reader:
    """Answers reads from the variables of a replica; ``meter`` counts their lines.

    Which methods were found to change something is this replica's own knowledge, and gone when it
    starts anew.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._reads: Counter[tuple[str, str]] = Counter()
        self.false_readers: set[tuple[str, str]] = set()

    def read(self, operation: bytes, variables: Mapping[str, Variable]) -> bytes | None:
        """Return the result of a call that only reads, None for what has to be ordered."""
        try:
            kind, name, *rest = read_operation(operation)
        except RefusedOperationError:
            return None
        variable = variables.get(name)
        # The answer to a call with a key is kept.
        if kind != "call" or variable is None or rest[3] is not None:
            return None
        method = method_of(variable.kind, rest[0])
        if method is None or not method.reads:
            return None
        known = (variable.kind.full_name, method.function.__name__)
        if known in self.false_readers:
            return None
        self._reads[known] += 1
        call = method.words, method.function, rest[1], rest[2]
        try:
            return self._watched(variable, call, known)
        except (vista.NotAValueError, MemoryError):
            # Variables that are no values have all methods ordered, until that is noticed.
            return None

    def _watched(self, variable: Variable, call: Call, known: tuple[str, str]) -> bytes | None:
        """Answer, and undo what was changed."""
        own = vars(variable.instance)
        before = own.copy()
        variable.reads += 1
        variable.looked = True
        looks = self._reads[known] <= FIRST_READS
        looks = looks or variable.reads * BYTES_PER_LOOK >= variable.size
        encoded = variable.encoded() if looks else b""
        result = self._answer(variable, call)
        after = b""
        if looks:
            variable.reads = 0
            # One that is no value any longer was changed.
            with contextlib.suppress(vista.NotAValueError, MemoryError):
                after = variable.encoded()
        if is_as_before(own, before) and after == encoded:
            return result
        if not variable.undo_reads():
            variable.set_variables(vista.decode_value(encoded) if looks else before)
        self.false_readers.add(known)
        _log.error(
            "%s: %s is declared read-only and changed a variable; that is undone, and it is "
            "ordered from here on, so take the declaration away",
            variable.name, call[0],
        )  # fmt: skip
        return None

    def _answer(self, variable: Variable, call: Call) -> bytes | None:
        name, method, args, kwargs = call
        execution = Execution(0, bytes(32), ordered=False)
        given = (variable.instance, *args)
        token = executing.set(execution)
        result: bytes | None
        try:
            value = call_bounded(
                name, method, given, kwargs, variable.kind.own, READ_LINES_MAX, self._meter
            )
            result = read_told(value, variable.version)
        except (EndlessMethodError, OutsideCallError, MemoryError):
            # What those end with is agreed by ordering.
            return None
        except Exception as error:
            result = read_raised(error, variable.version)
        finally:
            executing.reset(token)
        # Also where the method caught that it was told so.
        fits = not execution.asked and len(result) <= RESULT_BYTES_MAX
        return result if fits else None


def is_as_before(own: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Tell whether the attributes of an object are the very ones it had."""
    same = all(map(is_, own.values(), before.values()))
    return same and len(own) == len(before) and all(map(str.__eq__, own, before))


class ReadService(BundledService):
    """A `BundledService` of replicated objects, whose bundles of reads have bounds of their own.

    Reads behind the bounds have no result, and are asked for again. ``work`` counts the lines of
    all calls.
    """

    def __init__(
        self,
        service: PlacedService,
        operations_max: int,
        results_bytes_max: int = RESULTS_BYTES_MAX,
        work: Callable[[], int] | None = None,
        work_max: int = 0,
    ) -> None:
        super().__init__(service, operations_max, results_bytes_max, work, work_max)
        self._objects = service

    def execute(self, operation: bytes, context: Context) -> bytes:
        """Do as `BundledService.execute`, with random bytes that are made when they are used."""
        execute, lines = self._objects.execute, self._work or int
        results, size, begin = list[bytes | None](), 0, lines()
        for place, one in enumerate(self._operations(operation)):
            if size >= self._results_bytes_max or lines() - begin > self._work_max:
                results.append(None)
                continue
            result = execute(one, context, place)
            size += len(result)
            results.append(result)
        return pack(results)

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Return the results of operations that all only read, None if one has to be ordered."""
        lines = self._work or int
        results, size, begin = list[bytes | None](), 0, lines()
        for one in self._operations(operation):
            if size >= READS_BYTES_MAX or lines() - begin > READS_LINES_MAX:
                results.append(None)
                continue
            result = self._service.execute_read_only(one)
            if result is None:
                return None
            size += len(result)
            results.append(result)
        return pack(results)
