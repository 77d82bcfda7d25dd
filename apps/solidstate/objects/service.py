"""The service that a group of replicas executes: state variables by name, and calls to them.

Operations and results are encoded values. ``["call", variable, method, args, kwargs, key]`` calls a
method; with a key, the same request asked again is not executed again and has the same answer.
``["make", variable, class name, args, kwargs]`` makes a variable of a class that the group has,
``["create", ...]`` does so too, and of another class where its founder asks. ``["drop", variable]``
forgets one; the founder may, and who had it made. ``["retire", variable]`` forgets those of the
next variables after that, in the order of their names, that nobody used for as long as their
classes say. ``["list", variable]`` tells the next variables after that, ``["waiting", variable]``
those of all that want something sent, ``["outbox", variable, number]`` what that is behind a number
and ``["delivered", variable, founded, numbers, numbers]`` what was sent and what nobody takes.
Results: ``["ok", value, messages that wait]``, ``["readable", ...]`` so where it need not have been
ordered, or ``["raised", exception, words, messages that wait]``; of what was not ordered
``["read", value, version]`` or ``["read-raised", exception, words, version]``.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import vista
from apps.solidstate.errors import (
    BackupError,
    RefusedOperationError,
    SolidStateError,
    StateTooLargeError,
)
from apps.solidstate.objects.bounded import LINES_MAX, Meter, call_bounded
from apps.solidstate.objects.classes import ReplicatedClass, ReplicatedMethod, method_of
from apps.solidstate.objects.differing import differences
from apps.solidstate.objects.operations import (
    NAME_CHARACTERS_MAX,
    RESULT_BYTES_MAX,
    raised,
    read_operation,
    told,
    told_some,
)
from apps.solidstate.objects.reading import READ_LINES_MAX, Reader
from apps.solidstate.objects.replicated import Execution, executing, placed
from apps.solidstate.objects.variables import Variable
from apps.solidstate.pbft.service import Context

STATE_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all variables, the answers they keep and what they want sent: a fetch of the state takes
as much of the network, and three times as much of memory. Beyond, a call that would make a variable
larger is refused."""

ANSWERS_BEYOND = 4
"""Beyond those bytes answers may take a quarter more: who makes room is answered as well. Then
requests with a key, whose answers would be kept, are refused before they are executed."""

VARIABLE_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of one variable: half of what one value may take."""

VARIABLES_MAX = 100_000
"""State variables of one group; each has a page of its own."""

HEADS_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of the names of all variables with those of their classes and owners: they are one page of
the state, which is encoded and fetched whole, and half of what one value may have."""

OWNED_SHARE = 2
"""A client other than the founder has the f + 1 times this part of the variables at most, and of
the bytes of their names: what faulty ones make leaves more than half of the room to others."""

PATIENCE_FROM = 0.5
"""The part of the room from which on variables that nobody uses are given less time to stay."""

PATIENCE_LEAST = 1 / 24
"""The least part of the time that their classes give them: an hour of a day, when there is no room
left. So nobody keeps the room filled by making sessions and leaving them."""

NAMES_AT_ONCE = 1_000
"""State variables that one request goes through: a result is bounded, and others wait for about a
millisecond."""

_FORMAT = 2

_log = logging.getLogger("vista.solidstate")


class MissingClassError(Exception):
    """A class is not loaded here: this replica cannot go on, and the others can."""


class ObjectService:
    """A `Service` of replicated objects.

    ``find`` returns a class by its name, None where it is not loaded; ``founder`` is the client
    that brings classes into the group; ``lines_max`` bounds one call; ``faults`` is how many
    clients may lie; ``reads`` whether clients ask for reads that are not ordered. `differences` is
    what a repair found, `meter` counts the lines of all calls.
    """

    def __init__(
        self,
        find: Callable[[list[Any]], ReplicatedClass | None],
        founder: str,
        lines_max: int = LINES_MAX,
        state_bytes_max: int = STATE_BYTES_MAX,
        variables_max: int = VARIABLES_MAX,
        faults: int = 0,
        reads: bool = False,
    ) -> None:
        self._find = find
        self._founder = founder
        self._lines_max = lines_max
        self._state_bytes_max = state_bytes_max
        self._variables_max = variables_max
        self._enough = faults + 1
        self._reads = reads
        self.meter = Meter()
        self.reader = Reader(self.meter)
        self.variables: dict[str, Variable] = {}
        self.differences: list[str] = []
        self.suspected = False
        self._founded = 0
        self._classes: list[list[Any]] = []
        self._total = self._counted = 0
        self._given: set[str] = set()
        self._owned: Counter[str] = Counter()
        self._heads: Counter[str] = Counter()
        self._head = b""

    # --- executing -------------------------------------------------------------------------

    def execute(self, operation: bytes, context: Context, place: int | None = None) -> bytes:
        """Carry out an operation and return its result.

        ``place`` says which one it is of the bundle whose context is given, None of no bundle.
        """
        variable: Variable | None = None
        try:
            kind, name, *rest = read_operation(operation)
            variable = self.variables.get(name)
            if kind != "call" or variable is None:
                return self._carry_out(kind, name, variable, rest, placed(context, place))
            self._given.add(name)
            self._counted = variable.weight
            variable.given += len(operation)
            try:
                return self._call(variable, rest, context, place)
            finally:
                self._total += variable.weight - self._counted
        except (SolidStateError, vista.VistaError) as error:
            return raised(error, 0 if variable is None else len(variable.outbox))

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Return the result of a call that only reads, None for what has to be ordered."""
        return self.reader.read(operation, self.variables)

    def _carry_out(
        self, kind: str, name: str, variable: Variable | None, rest: list[Any], context: Context
    ) -> bytes:
        match kind:
            case "create" | "make":
                return self._create(kind, name, rest, context)
            case "retire":
                return self._retire(name, context)
            case "list":
                return self._list(name)
            case "waiting":
                wanting = (one for one in self.variables.values() if one.outbox)
                names = (one.name for one in wanting if one.outbox.wants(context.client))
                return told_some(_portion(names, name))
        variable = self._known(name, variable)
        before = variable.weight
        try:
            return self._do(kind, variable, rest, context)
        finally:
            self._total += variable.weight - before

    def _do(self, kind: str, variable: Variable, rest: list[Any], context: Context) -> bytes:
        """Carry out an operation on a variable that is there."""
        if kind == "outbox":
            rows = variable.outbox.portion(rest[0], context.client)
            return told([variable.founded, rows], len(variable.outbox))
        if kind == "delivered":
            if variable.founded == rest[0]:
                variable.outbox.note(context.client, rest[1], rest[2], self._enough)
                variable.dirty = True
            return told(None, len(variable.outbox))
        return self._drop(variable, context)

    def _drop(self, variable: Variable, context: Context) -> bytes:
        name = variable.name
        if context.client not in (self._founder, variable.owner):
            raise RefusedOperationError(
                f"{name} is dropped by {variable.owner}, who had it made, or by {self._founder}, "
                f"who founded the group, and not by {context.client}"
            )
        self._forget(name)
        # Whoever asked takes the difference of its weight, of which there is none.
        return told(None, 0)

    def _forget(self, name: str) -> None:
        gone = self.variables.pop(name)
        self._total -= gone.weight
        self._owned[gone.owner] -= 1
        self._heads[gone.owner] -= gone.head_bytes

    def _retire(self, after: str, context: Context) -> bytes:
        """Forget what is over; return after which name to go on, empty at the end, and how many."""
        names = _portion(self.variables, after)
        patience = self._patience()
        over = [name for name in names if self.variables[name].is_over(context.time, patience)]
        for name in over:
            self._forget(name)
        return told([names[-1] if len(names) == NAMES_AT_ONCE else "", len(over)], 0)

    def _patience(self) -> float:
        """Return the part of their time that variables nobody uses are given."""
        filled = max(len(self.variables) / self._variables_max, self._total / self._state_bytes_max)
        return min(1.0, max(PATIENCE_LEAST, (1.0 - filled) / (1.0 - PATIENCE_FROM)))

    def _known(self, name: str, variable: Variable | None) -> Variable:
        if variable is None:
            raise RefusedOperationError(
                f"no state variable {name!r}; there are {', '.join(self._some()) or 'none'}"
            )
        return variable

    def _some(self) -> list[str]:
        names = heapq.nsmallest(11, self.variables)
        return [*names[:10], "..."] if len(names) > 10 else names

    def _check_class(self, kind: str, name: list[Any], context: Context) -> None:
        # A replica that lacks a class stops: so nobody else may name one that not all have.
        brings = kind == "create" and context.client == self._founder
        if not brings and name not in self._classes:
            raise RefusedOperationError(
                f"class {name[0]}.{name[1]} version {name[2]} is brought into the group by "
                f"{self._founder}, who founded it, and not by {context.client}"
            )

    def _list(self, after: str) -> bytes:
        names = _portion(self.variables, after)
        return told_some([[name, self.variables[name].kind.name] for name in names])

    # --- state variables -------------------------------------------------------------------

    def _create(self, kind: str, name: str, rest: list[Any], context: Context) -> bytes:
        if not name:
            raise RefusedOperationError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
        known = self.variables.get(name)
        if known is not None:
            if known.kind.name != rest[0]:
                raise RefusedOperationError(
                    f"{name} is a {known.kind.name[1]} already, and no {rest[0][1]}"
                )
            return told(False, len(known.outbox))
        self._check_class(kind, rest[0], context)
        self._check_room(context.client)
        cls = self._class(rest[0])
        cls.check()
        made = Variable(name, cls, f"{self._founded + 1}", context.client)
        self._check_heads(made)
        if rest[0] not in self._classes:
            self._classes.append(rest[0])
        self._founded += 1
        made.made = context.time
        result = self._run(made, cls.cls.create, rest[1], rest[2], context)
        wrong = made.measure()
        if result is not None or wrong:
            return result or raised(vista.NotAValueError(wrong), 0)
        self.variables[name] = made
        self._total += made.weight
        self._owned[context.client] += 1
        self._heads[context.client] += made.head_bytes
        return told(True, len(made.outbox))

    def _check_room(self, client: str) -> None:
        """Raise `StateTooLargeError` where there is no room for another variable of a client."""
        if len(self.variables) >= self._variables_max or self._is_full(None):
            raise StateTooLargeError("the group holds as much as it may: drop state variables")
        most = self._variables_max // (OWNED_SHARE * self._enough)
        if client != self._founder and self._owned[client] >= most:
            raise StateTooLargeError(
                f"{client} has {most} state variables, the most that one machine may have: drop "
                f"some"
            )

    def _check_heads(self, made: Variable) -> None:
        """Raise `StateTooLargeError` where the names of all variables would be too many bytes."""
        bounds = [("all", sum(self._heads.values()), HEADS_BYTES_MAX)]
        if made.owner != self._founder:
            share = HEADS_BYTES_MAX // (OWNED_SHARE * self._enough)
            bounds.append((made.owner, self._heads[made.owner], share))
        for whose, used, most in bounds:
            if used + made.head_bytes > most:
                raise StateTooLargeError(
                    f"the names of the state variables of {whose} take {used} of {most} bytes: "
                    f"drop some, or take shorter names"
                )

    def _run(
        self,
        variable: Variable,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        context: Context,
    ) -> bytes | None:
        """Run a ``create``; return the result that says what it raised, None when it did not."""
        execution = Execution(context.time, context.random, context.client)
        try:
            self._bounded(variable, "create", function, args, kwargs, execution)
            variable.outbox.add(execution.posted, variable.name, context.client)
        except MemoryError:
            raise
        except Exception as error:
            return raised(error, 0)
        return None

    def _class(self, name: list[Any]) -> ReplicatedClass:
        kind = self._find(name)
        if kind is None:
            raise MissingClassError(f"class {name[0]}.{name[1]} version {name[2]} is not loaded")
        return kind

    def _is_full(self, variable: Variable | None) -> bool:
        """Tell whether there is no room, by what there is and not by what may have been kept."""
        if self._seems_full(variable):
            for name in sorted(self._given & self.variables.keys()):
                one = self.variables[name]
                before = self._counted if one is variable else one.weight
                if wrong := one.measure():
                    _log.error("%s", wrong)
                self._total += one.weight - before
                if one is variable:
                    self._counted = one.weight
            self._given.clear()
            return self._seems_full(variable)
        return False

    def _seems_full(self, variable: Variable | None) -> bool:
        if variable is not None and variable.size + variable.given > VARIABLE_BYTES_MAX:
            return True
        return self._total > self._state_bytes_max

    # --- calls -----------------------------------------------------------------------------

    def _call(
        self, variable: Variable, rest: list[Any], context: Context, place: int | None
    ) -> bytes:
        method_name, args, kwargs, key = rest
        if key is not None and (known := variable.answer(key)) is not None:
            return known
        if (
            key is not None
            and self._is_full(variable)
            and self._total * ANSWERS_BEYOND > (self._state_bytes_max * (ANSWERS_BEYOND + 1))
        ):
            raise StateTooLargeError("the group has no room for an answer: drop state variables")
        method = method_of(variable.kind, method_name)
        if method is None:
            near = ", ".join(sorted(variable.kind.methods))
            raise vista.NoSuchMethod(
                f"{variable.kind.name[1]} has no method {method_name!r}; it has {near}"
            )
        execution = Execution(context.time, context.random, context.client, place=place)
        if method.reads:
            result = self._answered(variable, method, args, kwargs, execution)
        else:
            result = self._change(variable, method, args, kwargs, execution)
        if key is not None:
            variable.keep_answer(key, result)
        return result

    def _change(
        self,
        variable: Variable,
        method: ReplicatedMethod,
        args: list[Any],
        kwargs: dict[str, Any],
        execution: Execution,
    ) -> bytes:
        """Call a method that may change the variable."""
        variable.dirty = True
        variable.note_change(execution.time)
        before = variable.encoded() if self._is_full(variable) else None
        waiting, bytes_before = len(variable.outbox), variable.outbox.bytes
        result = self._answered(variable, method, args, kwargs, execution)
        if variable.is_due() or before is not None:
            wrong = variable.measure()
            if wrong:
                result = raised(vista.NotAValueError(wrong), len(variable.outbox))
        if before is None:
            return result
        if variable.size + variable.outbox.bytes > len(before) + bytes_before:
            words = f"{variable.name} has {len(before)} bytes, and the call would make it larger"
            variable.set_variables(vista.decode_value(before))
            variable.outbox.take_back(waiting)
            variable.measure()
            return raised(StateTooLargeError(words), len(variable.outbox))
        return result

    def _answered(
        self,
        variable: Variable,
        method: ReplicatedMethod,
        args: list[Any],
        kwargs: dict[str, Any],
        execution: Execution,
    ) -> bytes:
        variable.looked = True
        function, name, reads = method
        before = self.meter.lines
        try:
            value = self._bounded(variable, name, function, args, kwargs, execution)
            # Told where reads are asked for, so that who asks knows the next time.
            short = reads and self._reads and self.meter.lines - before <= READ_LINES_MAX
            readable = short and not execution.asked
            result = told(value, len(variable.outbox) + len(execution.posted), readable)
            if len(result) > RESULT_BYTES_MAX:
                raise StateTooLargeError(f"{name} returned {len(result)} bytes: too many")
            if execution.posted:
                variable.outbox.add(execution.posted, variable.name, execution.client)
        except MemoryError:
            # No agreed answer: the others may have had room.
            raise
        except Exception as error:
            return raised(error, len(variable.outbox))
        return result

    def _bounded(
        self,
        variable: Variable,
        name: str,
        method: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        execution: Execution,
    ) -> Any:
        token = executing.set(execution)
        given = (variable.instance, *args)
        try:
            return call_bounded(
                name, method, given, kwargs, variable.kind.own, self._lines_max, self.meter
            )
        finally:
            executing.reset(token)

    # --- the state -------------------------------------------------------------------------

    def snapshot(self) -> Sequence[bytes]:
        """Return the pages: a head, then those of each variable."""
        rows, pages = [], []
        for variable in self.variables.values():
            own, wrong = variable.pages()
            if wrong:
                _log.error("%s", wrong)
            rows.append([*variable.head, len(own)])
            pages += own
        self._total = sum(one.weight for one in self.variables.values())
        self._given.clear()
        data = vista.encode_value([_FORMAT, self._founded, self._classes, rows])
        if data != self._head:
            self._head = data
        return [self._head, *pages]

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over the state that `snapshot` of this or another replica returned."""
        before = self.variables
        if not pages:
            raise RefusedOperationError("a state without a page is none of replicated objects")
        self._head = pages[0]
        format, self._founded, self._classes, rows = vista.decode_value(pages[0])
        if format != _FORMAT:
            raise BackupError(
                f"a state of format {format}; this is {_FORMAT}: use the same program"
            )
        made: dict[str, Variable] = {}
        at = 1
        for name, class_name, founded, owner, count in rows:
            variable = Variable(name, self._class(class_name), founded, owner)
            variable.restore(list(pages[at : at + count]))
            made[name] = variable
            at += count
        if self.suspected:
            self.differences = differences(before, made)
        self.variables = made
        self._given.clear()
        self._total = sum(one.weight for one in made.values())
        self._owned = Counter(one.owner for one in made.values())
        self._heads = Counter()
        for one in made.values():
            self._heads[one.owner] += one.head_bytes


def _portion(names: Iterable[str], after: str) -> list[str]:
    """Return the next of some names after a name, in their order."""
    return heapq.nsmallest(NAMES_AT_ONCE, (name for name in names if name > after))
