"""The service that a group of replicas executes: state variables by name, and calls to them.

Operations and results are encoded values. ``["call", variable, method, args, kwargs, key]`` calls a
method; with a key, the same request asked again is not executed again and has the same answer.
``["create", variable, class name, args, kwargs]`` makes a variable; of a class that the group did
not have before only its founder may. ``["drop", variable]`` forgets one; the founder may, and who
had it made. ``["retire", variable]`` forgets those of the next variables after that, in the order
of their names, that nobody used for as long as their classes say. ``["list", variable]`` tells the
next variables after that, ``["waiting", variable]`` those of all that want something sent,
``["outbox", variable]`` what that is, ``["delivered", variable, founded, numbers]`` what was sent.
Results: ``["ok", value, messages that wait]`` or ``["raised", exception, words, messages that
wait]``.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import vista
from apps.solidstate.errors import (
    RefusedOperationError,
    SolidStateError,
    StateTooLargeError,
)
from apps.solidstate.objects.bounded import LINES_MAX, call_bounded
from apps.solidstate.objects.classes import ReplicatedClass, snake_case
from apps.solidstate.objects.replicated import Execution, executing, is_read_only
from apps.solidstate.objects.variables import Variable
from apps.solidstate.pbft.service import Context

STATE_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all variables and the answers they keep: a fetch of the state takes as much of the
network, and three times as much of memory. Beyond, a call that would make a variable larger is
refused."""

ANSWERS_BEYOND = 4
"""Beyond those bytes answers may take a quarter more: who makes room is answered as well. Then
requests with a key, whose answers would be kept, are refused before they are executed."""

VARIABLE_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of one variable: half of what one value may take."""

RESULT_BYTES_MAX = 256 * 1024
"""Bytes of one result: the last ones of each client are part of the state."""

VARIABLES_MAX = 100_000
"""State variables of one group; each has a page of its own."""

NAMES_AT_ONCE = 1_000
"""State variables that one request goes through: a result is bounded, and others wait for about a
millisecond."""

NAME_CHARACTERS_MAX = 200
KEY_CHARACTERS_MAX = 200

_FORMAT = 1
_TELLING = frozenset({"list", "waiting", "outbox"})

_log = logging.getLogger("vista.solidstate")


class MissingClassError(Exception):
    """A class is not loaded here: this replica cannot go on, and the others can."""


class ObjectService:
    """A `Service` of replicated objects.

    ``find`` returns a class by its name, None where it is not loaded; ``founder`` is the client
    that brings classes into the group; ``lines_max`` bounds one call. `differences` is what a
    repair found.
    """

    def __init__(
        self,
        find: Callable[[list[Any]], ReplicatedClass | None],
        founder: str,
        lines_max: int = LINES_MAX,
        state_bytes_max: int = STATE_BYTES_MAX,
    ) -> None:
        self._find = find
        self._founder = founder
        self._lines_max = lines_max
        self._state_bytes_max = state_bytes_max
        self.variables: dict[str, Variable] = {}
        self.differences: list[str] = []
        self.suspected = False
        self._founded = 0
        self._classes: list[list[Any]] = []
        self._total = 0
        self._head = b""

    # --- executing -------------------------------------------------------------------------

    def execute(self, operation: bytes, context: Context) -> bytes:
        """Carry out an operation and return its result."""
        variable: Variable | None = None
        try:
            kind, name, *rest = self._read(operation)
            variable = self.variables.get(name)
            return self._carry_out(kind, name, variable, rest, context)
        except (SolidStateError, vista.VistaError) as error:
            return _raised(error, variable)

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Return the result of what changes nothing, None for the rest."""
        try:
            kind, name, *rest = self._read(operation)
        except RefusedOperationError:
            return None
        variable = self.variables.get(name)
        if kind in _TELLING:
            try:
                return self._tell(kind, name, variable)
            except RefusedOperationError as error:
                return _raised(error, None)
        if kind != "call" or variable is None:
            return None
        method = _method(variable, rest[0])
        if method is None or not is_read_only(method):
            return None
        # Without agreed values: a method that asks for them has to be ordered.
        return self._answered(variable, method, rest[1], rest[2], None)

    def _read(self, operation: bytes) -> list[Any]:
        try:
            found = vista.decode_value(operation)
        except vista.RemoteProtocolError:
            found = None
        match found:
            case ["call", str(), str(), list(), dict(), None | str()]:
                if found[5] is not None and len(found[5]) > KEY_CHARACTERS_MAX:
                    raise RefusedOperationError(
                        f"a key has {KEY_CHARACTERS_MAX} characters at most"
                    )
                return list(found)
            case ["create", str(), [str(), str(), int()], list(), dict()]:
                return list(found)
            case ["drop" | "outbox" | "retire" | "list" | "waiting", str()]:
                return list(found)
            case ["delivered", str(), str(), list()]:
                return list(found)
        raise RefusedOperationError("no operation of replicated objects")

    def _carry_out(
        self, kind: str, name: str, variable: Variable | None, rest: list[Any], context: Context
    ) -> bytes:
        if kind == "create":
            return self._create(name, rest, context)
        if kind == "retire":
            return self._retire(name, context)
        if kind in _TELLING:
            return self._tell(kind, name, variable)
        variable = self._known(name, variable)
        if kind == "call":
            return self._call(variable, rest[0], rest[1], rest[2], rest[3], context)
        if kind == "delivered":
            if variable.founded == rest[0]:
                variable.delivered([one for one in rest[1] if type(one) is int])
            return _ok(None, variable)
        if context.client not in (self._founder, variable.owner):
            raise RefusedOperationError(
                f"{name} is dropped by {variable.owner}, who had it made, or by {self._founder}, "
                f"who founded the group, and not by {context.client}"
            )
        self._forget(name)
        return _ok(None, None)

    def _forget(self, name: str) -> None:
        self._total -= self.variables.pop(name).weight

    def _retire(self, after: str, context: Context) -> bytes:
        """Forget what is over; return after which name to go on, empty at the end, and how many."""
        names = self._after(after)
        over = [name for name in names if self.variables[name].is_over(context.time)]
        for name in over:
            self._forget(name)
        return _ok([names[-1] if len(names) == NAMES_AT_ONCE else "", len(over)], None)

    def _after(self, name: str) -> list[str]:
        return _portion(self.variables, name)

    def _known(self, name: str, variable: Variable | None) -> Variable:
        if variable is None:
            raise RefusedOperationError(
                f"no state variable {name!r}; there are {', '.join(self._some()) or 'none'}"
            )
        return variable

    def _some(self) -> list[str]:
        names = heapq.nsmallest(11, self.variables)
        return [*names[:10], "..."] if len(names) > 10 else names

    def _check_class(self, name: list[Any], context: Context) -> None:
        # A replica that lacks a class stops: so nobody else may name one that not all have.
        if context.client != self._founder and name not in self._classes:
            raise RefusedOperationError(
                f"class {name[0]}.{name[1]} version {name[2]} is brought into the group by "
                f"{self._founder}, who founded it, and not by {context.client}"
            )

    def _tell(self, kind: str, name: str, variable: Variable | None) -> bytes:
        if kind == "list":
            return _ok([[n, self.variables[n].kind.name] for n in self._after(name)], None)
        if kind == "waiting":
            wanting = (one.name for one in self.variables.values() if one.outbox)
            return _ok(_portion(wanting, name), None)
        variable = self._known(name, variable)
        return _ok([variable.founded, [list(one) for one in variable.outbox]], variable)

    # --- state variables -------------------------------------------------------------------

    def _create(self, name: str, rest: list[Any], context: Context) -> bytes:
        if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
            raise RefusedOperationError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
        known = self.variables.get(name)
        if known is not None:
            if known.kind.name != rest[0]:
                raise RefusedOperationError(
                    f"{name} is a {known.kind.name[1]} already, and no {rest[0][1]}"
                )
            return _ok(False, known)
        if len(self.variables) >= VARIABLES_MAX or self._is_full(None):
            raise StateTooLargeError("the group holds as much as it may: drop state variables")
        self._check_class(rest[0], context)
        kind = self._class(rest[0])
        kind.check()
        if rest[0] not in self._classes:
            self._classes.append(rest[0])
        self._founded += 1
        made = Variable(name, kind, f"{self._founded}", context.client)
        made.made = context.time
        result = self._run(made, kind.cls.create, rest[1], rest[2], context)
        wrong = made.measure()
        if result is not None or wrong:
            return result or _raised(vista.NotAValueError(wrong), None)
        self.variables[name] = made
        self._total += made.weight
        return _ok(True, made)

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
            variable.post(execution.posted)
        except MemoryError:
            raise
        except Exception as error:
            return _raised(error, None)
        return None

    def _class(self, name: list[Any]) -> ReplicatedClass:
        kind = self._find(name)
        if kind is None:
            raise MissingClassError(f"class {name[0]}.{name[1]} version {name[2]} is not loaded")
        return kind

    def _is_full(self, variable: Variable | None) -> bool:
        if variable is not None and variable.size > VARIABLE_BYTES_MAX:
            return True
        return self._total > self._state_bytes_max

    def _measure(self, variable: Variable) -> str:
        self._total -= variable.size
        wrong = variable.measure()
        self._total += variable.size
        return wrong

    # --- calls -----------------------------------------------------------------------------

    def _call(
        self,
        variable: Variable,
        method_name: str,
        args: list[Any],
        kwargs: dict[str, Any],
        key: str | None,
        context: Context,
    ) -> bytes:
        if key is not None and (known := variable.answer(key)) is not None:
            return known
        if key is not None and self._total * ANSWERS_BEYOND > self._state_bytes_max * (
            ANSWERS_BEYOND + 1
        ):
            raise StateTooLargeError("the group has no room for an answer: drop state variables")
        method = _method(variable, method_name)
        if method is None:
            near = ", ".join(sorted(variable.kind.methods))
            raise vista.NoSuchMethod(
                f"{variable.kind.name[1]} has no method {method_name!r}; it has {near}"
            )
        execution = Execution(context.time, context.random, context.client)
        if is_read_only(method):
            result = self._answered(variable, method, args, kwargs, execution)
        else:
            result = self._change(variable, method, args, kwargs, execution)
        if key is not None:
            self._total -= variable.weight
            variable.keep_answer(key, result)
            self._total += variable.weight
        return result

    def _change(
        self,
        variable: Variable,
        method: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        execution: Execution,
    ) -> bytes:
        """Call a method that may change the variable."""
        variable.dirty = True
        variable.used = execution.time
        before = variable.encoded() if self._is_full(variable) else None
        waiting = len(variable.outbox)
        result = self._answered(variable, method, args, kwargs, execution)
        if variable.is_due() or before is not None:
            wrong = self._measure(variable)
            if wrong:
                result = _raised(vista.NotAValueError(wrong), variable)
        if before is not None and variable.size > len(before):
            words = f"{variable.name} has {len(before)} bytes, and the call would make it larger"
            variable.set_variables(vista.decode_value(before))
            del variable.outbox[waiting:]
            self._measure(variable)
            return _raised(StateTooLargeError(words), variable)
        return result

    def _answered(
        self,
        variable: Variable,
        method: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        execution: Execution | None,
    ) -> bytes:
        variable.looked = True
        name = f"{variable.kind.name[1]}.{method.__name__}"
        execution = execution or Execution(0, bytes(32))
        try:
            value = self._bounded(variable, name, method, args, kwargs, execution)
            result = _ok(value, variable, len(execution.posted))
            if len(result) > RESULT_BYTES_MAX:
                raise StateTooLargeError(f"{name} returned {len(result)} bytes: too many")
            if execution.posted:
                variable.post(execution.posted)
        except MemoryError:
            # No agreed answer: the others may have had room.
            raise
        except Exception as error:
            return _raised(error, variable)
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
            return call_bounded(name, method, given, kwargs, variable.kind.own, self._lines_max)
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
            head = [variable.name, variable.kind.name, variable.founded, variable.owner]
            rows.append([*head, len(own)])
            pages += own
        self._total = sum(one.weight for one in self.variables.values())
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
        _, self._founded, self._classes, rows = vista.decode_value(pages[0])
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
        self._total = sum(one.weight for one in made.values())


def _portion(names: Iterable[str], after: str) -> list[str]:
    """Return the next of some names after a name, in their order."""
    return heapq.nsmallest(NAMES_AT_ONCE, (name for name in names if name > after))


def differences(ours: dict[str, Variable], theirs: dict[str, Variable]) -> list[str]:
    """Say what differs between two states, the first differing instance variable of each."""
    words = []
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            words.append(f"{name}: {'only here' if other is None else 'not here'}")
            continue
        first = _first_difference(mine.variables(), other.variables())
        if first:
            words.append(f"{name}: {first}")
    return words


def _first_difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in mine or name not in theirs:
            return f"variable {name} is {'there' if name in mine else 'not there'}"
        if not _equal(mine[name], theirs[name]):
            shown = vista.outline(mine[name], 60), vista.outline(theirs[name], 60)
            return f"variable {name} is {shown[0]}, and {shown[1]} elsewhere"
    return ""


def _equal(mine: Any, theirs: Any) -> bool:
    try:
        return vista.encode_value(mine) == vista.encode_value(theirs)
    except vista.NotAValueError:
        return False


def _method(variable: Variable, name: str) -> Callable[..., Any] | None:
    """Return the method of a message's name, None where there is none."""
    methods = variable.kind.methods
    # As Python writes it first: most names are, and making one so takes 2 us.
    return methods.get(name) or methods.get(snake_case(name))


def _ok(value: Any, variable: Variable | None, more: int = 0) -> bytes:
    waiting = 0 if variable is None else len(variable.outbox) + more
    return vista.encode_value(["ok", value, waiting])


def _raised(error: Exception, variable: Variable | None) -> bytes:
    """Return the result that says what was raised: its type and arguments, no traceback."""
    words = f"{type(error).__qualname__}: {error}"
    waiting = 0 if variable is None else len(variable.outbox)
    try:
        return vista.encode_value(["raised", error, words, waiting])
    except vista.NotAValueError:
        return vista.encode_value(["raised", vista.RemoteFailure(words), words, waiting])


def read_result(result: bytes) -> tuple[Any, int]:
    """Return the value of a result, and how many messages wait; raises what was raised."""
    match vista.decode_value(result):
        case ["ok", value, int(waiting)]:
            return value, waiting
        case ["raised", Exception() as error, str(words), int()]:
            known = not isinstance(error, vista.RemoteFailure)
            raise error if known else vista.RemoteFailure(words)
    raise vista.RemoteProtocolError("no result of replicated objects")
