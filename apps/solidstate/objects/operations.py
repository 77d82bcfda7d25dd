"""What clients ask a group for, and what it answers, as bytes.

Four rules. What is no operation is refused before anything is done. No argument holds a set: a
method that goes through it, or puts it into words, does so in another order in each process, and
one client could have all replicas differ; nor an error whose words somebody else's process would
make up. None nests so deep that it could be no part of a state: what a class keeps of it would end
all replicas at their next checkpoint. No result is larger than the bound, whatever it is of: the
last ones of each client are part of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from traceback import TracebackException
from typing import Any

import vista
from apps.solidstate.errors import RefusedOperationError, StateTooLargeError

RESULT_BYTES_MAX = 256 * 1024
"""Bytes of one result: the last ones of each client are part of the state."""

ARGUMENT_DEPTH_MAX = 50
"""Containers that nest in an argument at most: half of what a value may have. The other half is for
what a class keeps it in, and a group the class's variables."""

NAME_CHARACTERS_MAX = 200
KEY_CHARACTERS_MAX = 200

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})

_CALL_TYPES = (str, str, str, list, dict, type(None))
"""Of what a call without a key is made."""


def read_operation(operation: bytes) -> list[Any]:
    """Return what an operation says: its kind, a name, and what belongs to it.

    Raises `RefusedOperationError` for what is none.
    """
    try:
        found = vista.decode_value(operation)
    except vista.RemoteProtocolError:
        found = None
    # Most are calls, and what they hold is looked at in one step; the match takes three times that.
    if type(found) is list and tuple(map(type, found)) == _CALL_TYPES and found[0] == "call":
        if len(found[1]) <= NAME_CHARACTERS_MAX:
            _check_arguments(found[3], found[4])
            return found
    match found:
        case ["call", str(), str(), list(), dict(), None | str()]:
            if found[5] is not None and len(found[5]) > KEY_CHARACTERS_MAX:
                raise RefusedOperationError(f"a key has {KEY_CHARACTERS_MAX} characters at most")
            _check_arguments(found[3], found[4])
        case ["create" | "make", str(), [str(), str(), int()], list(), dict()]:
            _check_arguments(found[3], found[4])
        case ["drop" | "retire" | "list" | "waiting", str()]:
            pass
        case ["outbox", str()]:
            found.append(0)
        case ["outbox", str(), int()]:
            pass
        case ["delivered", str(), str(), list()]:
            found.append([])
        case ["delivered", str(), str(), list(), list()]:
            pass
        case _:
            raise RefusedOperationError("no operation of replicated objects")
    if len(found[1]) > NAME_CHARACTERS_MAX:
        raise RefusedOperationError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    return list(found)


def _check_arguments(args: list[Any], kwargs: dict[Any, Any]) -> None:
    """Raise `RefusedOperationError` for arguments that some or all replicas could not do with."""
    if _PLAIN.issuperset(map(type, args)):
        if not kwargs or _PLAIN.issuperset(map(type, kwargs.values())):
            return
    level = [*args, *kwargs.values()]
    for _ in range(ARGUMENT_DEPTH_MAX + 1):
        if _PLAIN.issuperset(map(type, level)):
            return
        level = _parts_of(level)
    raise RefusedOperationError(
        f"an argument nests deeper than {ARGUMENT_DEPTH_MAX} containers: send it in parts"
    )


def _parts_of(values: Iterable[Any]) -> list[Any]:
    """Return what is in values, and may hold more."""
    parts: list[Any] = []
    for value in values:
        if type(value) in _PLAIN:
            continue
        if isinstance(value, set | frozenset):
            raise RefusedOperationError(
                "an argument holds a set, whose order differs from replica to replica: send a list"
            )
        if isinstance(value, list | tuple):
            if not _PLAIN.issuperset(map(type, value)):
                parts += value
        elif isinstance(value, dict):
            parts += [*value.keys(), *value.values()]
        elif isinstance(value, BaseException):
            # Of a class that is not known where it arrives only its words are left, with what it
            # held, a set for one, in the order of that process.
            if type(value).__module__ != "builtins":
                raise RefusedOperationError(
                    "an argument holds an error of a class that is none of Python's own, which not "
                    "every replica need know: send its words"
                )
            parts += [*value.args, *vars(value).values()]
        elif is_dataclass(value):
            parts += [getattr(value, field.name, None) for field in fields(value)]
    return parts


# --- results -------------------------------------------------------------------------------


TOLD = b"\x93\xa2ok"
"""How an encoded result begins that says what a call returned."""

READABLE = b"\x93\xa8readable"
"""How that of a call begins that need not have been ordered."""

READ = (b"\x93\xa4read", b"\x94\xabread-raised")
"""How those of calls begin that were not."""

Version = tuple[str, int]
"""Which state of which variable a read saw: see `Variable.version`."""


def told(value: Any, waiting: int, readable: bool = False) -> bytes:
    """Return the result that says what a call returned, and how many messages wait."""
    return vista.encode_value(["readable" if readable else "ok", value, waiting])


def told_some(rows: list[Any]) -> bytes:
    """Return the result with the rows that fit; None behind them says that there are more."""
    result = told(rows, 0)
    while len(result) > RESULT_BYTES_MAX:
        rows = rows[: len(rows) // 2]
        result = told([*rows, None], 0)
    return result


def read_told(value: Any, version: Version) -> bytes:
    """Return the result that says what a read returned, and what it saw."""
    return vista.encode_value(["read", value, version])


def read_raised(error: Exception, version: Version) -> bytes:
    """Return the result that says what a read raised, and what it saw."""
    return _raised("read-raised", error, version)


def raised(error: Exception, waiting: int) -> bytes:
    """Return the result that says what was raised: its type and arguments, no traceback."""
    return _raised("raised", error, waiting)


def _raised(begin: str, error: Exception, end: int | Version) -> bytes:
    kind = type(error).__qualname__
    words = f"{kind}: {_words_of(error)}"
    try:
        result = vista.encode_value([begin, error, words, end])
    except vista.NotAValueError:
        result = vista.encode_value([begin, vista.RemoteFailure(words), words, end])
    if len(result) > RESULT_BYTES_MAX:
        return _raised(begin, StateTooLargeError(f"{kind} of {len(result)} bytes: too many"), end)
    return result


def _words_of(error: Exception) -> str:
    """Return the words of an error, also where its class has them made by a method that fails."""
    return str(TracebackException(type(error), error, None, limit=0))


def read_result(result: bytes) -> tuple[Any, int]:
    """Return the value of a result, and how many messages wait; raises what was raised."""
    match vista.decode_value(result):
        case ["ok" | "readable", value, int(waiting)]:
            return value, waiting
        case ["read", value, [str(), int()]]:
            return value, 0
        case ["raised" | "read-raised", Exception() as error, str(words), _]:
            known = not isinstance(error, vista.RemoteFailure)
            raise error if known else vista.RemoteFailure(words)
    raise vista.RemoteProtocolError("no result of replicated objects")
