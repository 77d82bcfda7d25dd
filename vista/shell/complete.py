"""What may stand at the cursor: Ids, service names, class names and the methods of a Ref.

Two rules. Only what is there is offered: each candidate is asked for when TAB is pressed. And
nothing is run to find out: a Ref is found by its name, attribute or constant subscript, never by
evaluating a call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, ModuleType
from typing import Protocol

from vista.parsing import parse_expression
from vista.shell.cursor import Cursor, read_cursor
from vista.values import Reference

CANDIDATES_MAX = 200
"""Candidates of one completion: more than a screen holds helps nobody."""


class Kind(Enum):
    """What an argument of one of vista's functions names."""

    TARGET = "target"
    METHOD = "method"
    SERVICE = "service"
    CLASS = "class"
    THREAD = "thread"


_MESSAGE = (Kind.TARGET, Kind.METHOD)
_TARGET = (Kind.TARGET,)
_SERVICE = (Kind.SERVICE,)
_THREAD = (Kind.THREAD,)

ARGUMENTS: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        "send": _MESSAGE,
        "post": _MESSAGE,
        "future": _MESSAGE,
        "call": _MESSAGE,
        "delete": _TARGET,
        "class_of": _TARGET,
        "encode_object": _TARGET,
        "ref_of": _TARGET,
        "register_service": (Kind.SERVICE, Kind.TARGET),
        "unregister_service": _SERVICE,
        "service": _SERVICE,
        "wait_for_service": _SERVICE,
        "create": (Kind.CLASS,),
        "kill": _THREAD,
        "suspend": _THREAD,
        "resume": _THREAD,
    }
)
"""What the first arguments of vista's functions name."""

_WAYS_TO_CALL = ("future", "post")
"""What a method of a Ref has besides being called."""

_PREFIXES = ("", "vista", "aio", "vista.aio")


class Names(Protocol):
    """Where candidates come from. Every method answers soon or with nothing."""

    def services(self) -> Iterable[str]:
        """Return the names of all services."""

    def classes(self) -> Iterable[str]:
        """Return the names of all classes, bare and with their name space."""

    def ids(self) -> Iterable[str]:
        """Return the text form of the Ids of objects."""

    def threads(self) -> Iterable[str]:
        """Return the text form of the Ids of living threads."""

    def methods(self, target: object) -> Iterable[str]:
        """Return the names of the messages an object takes; ``target`` may stand for none."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one TAB.

    ``candidates`` are sorted texts that replace ``word``; ``alone`` says that nothing else
    makes sense here, such as Python's own names after the dot of a Ref.
    """

    word: str = ""
    candidates: tuple[str, ...] = ()
    alone: bool = False


def _step(value: object, node: ast.expr) -> object:
    """Follow one attribute or constant subscript without running code of the value."""
    if isinstance(node, ast.Attribute):
        if isinstance(value, ModuleType):
            return vars(value)[node.attr]
        return object.__getattribute__(value, "__dict__")[node.attr]
    assert isinstance(node, ast.Subscript)
    if type(value) not in (list, tuple, dict):
        raise LookupError("only plain containers are looked into")
    key = ast.literal_eval(node.slice)
    return value[key]  # type: ignore[index]


def find_value(expression: str, namespace: Mapping[str, object]) -> object:
    """Return what a name, a path of attributes or a constant subscript stands for.

    Nothing is called. Raises `LookupError` when it stands for nothing or would need a call.
    """
    try:
        node = parse_expression(expression.strip())
        steps: list[ast.expr] = []
        while isinstance(node, ast.Attribute | ast.Subscript):
            steps.append(node)
            node = node.value
        if not isinstance(node, ast.Name):
            raise LookupError(f"{expression} is not a name")
        value = namespace[node.id]
        for step in reversed(steps):
            value = _step(value, step)
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        raise LookupError(f"{expression} stands for nothing: {error}") from error
    return value


def find_target(expression: str, namespace: Mapping[str, object]) -> object:
    """Return the Ref, the Id or the text that an expression stands for, or None."""
    try:
        literal = ast.literal_eval(parse_expression(expression.strip()))
    except (SyntaxError, ValueError, TypeError):
        literal = None
    if isinstance(literal, str):
        return literal
    try:
        value = find_value(expression, namespace)
    except LookupError:
        return None
    return value if isinstance(value, Reference | bytes | str) else None


def kind_at(cursor: Cursor) -> Kind | None:
    """Return what the argument at the cursor names, None when that is not known."""
    prefix, _, name = cursor.function.rpartition(".")
    kinds = ARGUMENTS.get(name, ()) if prefix in _PREFIXES else ()
    position = len(cursor.arguments)
    return kinds[position] if position < len(kinds) else None


class Completer:
    """Completes code at a prompt.

    ``names`` says what there is; ``namespace`` holds the prompt's variables and is only read.
    """

    def __init__(self, names: Names, namespace: Mapping[str, object]) -> None:
        self._names = names
        self._namespace = namespace

    def complete(self, text: str) -> Completion:
        """Return what may stand at the end of ``text``, the code before the cursor."""
        cursor = read_cursor(text)
        if cursor.quote:
            return self._in_string(cursor)
        head, dot, part = cursor.word.rpartition(".")
        if dot:
            return self._attribute(head, part)
        return self._bare(cursor)

    def _in_string(self, cursor: Cursor) -> Completion:
        kind = kind_at(cursor)
        if kind is not None:
            return self._matching(cursor.word, self._candidates(kind, cursor), alone=True)
        if not cursor.word:
            return Completion()
        return self._matching(cursor.word, self._candidates(Kind.TARGET, cursor), alone=False)

    def _attribute(self, head: str, part: str) -> Completion:
        target = self._reference(head)
        if target is not None:
            return self._matching(part, self._names.methods(target), alone=True)
        before, _, method = head.rpartition(".")
        target = self._reference(before)
        if target is not None and method in self._names.methods(target):
            return self._matching(part, _WAYS_TO_CALL, alone=True)
        return Completion()

    def _reference(self, expression: str) -> Reference | None:
        target = find_target(expression, self._namespace)
        return target if isinstance(target, Reference) else None

    def _bare(self, cursor: Cursor) -> Completion:
        kind = kind_at(cursor)
        if kind is None:
            return Completion()
        quoted = [f'"{name}"' for name in self._candidates(kind, cursor)]
        if kind is Kind.TARGET:
            quoted += [
                name for name, value in self._namespace.items() if isinstance(value, Reference)
            ]
        found = [text for text in quoted if text.strip('"').startswith(cursor.word)]
        return _completion(cursor.word, found, alone=not cursor.word)

    def _candidates(self, kind: Kind, cursor: Cursor) -> Iterable[str]:
        if kind is Kind.SERVICE:
            return self._names.services()
        if kind is Kind.CLASS:
            return self._names.classes()
        if kind is Kind.THREAD:
            return self._names.threads()
        if kind is Kind.METHOD:
            target = find_target(cursor.arguments[0], self._namespace)
            return self._names.methods(target) if target is not None else ()
        return [*self._names.services(), *self._names.ids()]

    def _matching(self, word: str, candidates: Iterable[str], *, alone: bool) -> Completion:
        found = [text for text in candidates if text.startswith(word)]
        return _completion(word, found, alone=alone)


def _completion(word: str, candidates: Iterable[str], *, alone: bool) -> Completion:
    # Names with a leading underscore are the user's own business: last, as IPython does.
    order = sorted(set(candidates), key=lambda text: (text.startswith("_"), text))
    return Completion(word, tuple(order[:CANDIDATES_MAX]), alone)
