"""``vista send``: words of a command line as the arguments of a message.

The object is asked what its method takes, and the words become values as those of an rc line do.
What it tells is text, so the types in it are read and never run: names of Python's own types and of
vista's are known, anything else stands for any value.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import vista
from vista.errors import AccessDenied, NoSuchMethod
from vista.kernel.rows import MethodRow
from vista.parsing import parse_expression, parse_module
from vista.standard.rc_arguments import bind
from vista.standard.rc_grammar import Argument
from vista.values import Reference

if TYPE_CHECKING:
    from vista.kernel.refs import Ref

_SIMPLE: Mapping[str, object] = MappingProxyType(
    {
        **{kind.__name__: kind for kind in (int, float, bool, str, bytes, list, tuple, dict, set)},
        **{kind.__name__: kind for kind in (frozenset, Decimal, date, datetime, time, UUID)},
        "Id": vista.Id,
        "Ref": Reference,
        "Object": Reference,
        "None": None,
    }
)
"""What the names in a signature stand for; all others stand for any value."""

_CONTAINERS = ("list", "tuple", "dict", "set", "frozenset")


class Refused(Exception):
    """The words are not what the method takes; the text says what was wrong."""


def message_arguments(
    target: Ref, method: str, words: Sequence[str], find: Callable[[str], Ref]
) -> list[object]:
    """Return the values that ``words`` give for ``method`` of an object.

    ``find`` returns the object that an Id or a service name stands for. A method that the object
    does not tell of gets the words as texts. Raises `Refused`, and `CallError` when the object
    does not answer.
    """
    try:
        told = target.methods()
    except (AccessDenied, NoSuchMethod):
        told = {}
    row = told.get(method) if isinstance(told, dict) else None
    signature = read_signature(row.signature) if isinstance(row, MethodRow) else None
    if signature is None:
        return list(words)
    arguments = [Argument(word, 1, place) for place, word in enumerate(words, 1)]
    values, mistakes = bind(Argument(method, 1, 0), signature, arguments, _Finder(find))
    if mistakes:
        raise Refused("; ".join(_text(mistake.column, mistake.text) for mistake in mistakes))
    return values


def _text(place: int, text: str) -> str:
    return f"argument {place}: {text}" if place else text


class _Finder:
    """Finds what words stand for: objects where the peer finds them, files nowhere."""

    def __init__(self, find: Callable[[str], Ref]) -> None:
        self._find = find

    def object(self, text: str) -> object:
        """The object behind an Id in text form or a service name."""
        return self._find(text)

    def file(self, text: str) -> str:
        """The name as it is: it is a file of the peer's machine."""
        return text


def read_signature(text: str) -> inspect.Signature | None:
    """Read a signature as `MethodRow` has it; None when it cannot be read.

    Defaults stand for themselves where they are constants.
    """
    try:
        (function,) = parse_module(f"def method{text}: ...").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(function, ast.FunctionDef):
        return None
    try:
        return inspect.Signature(list(_parameters(function.args)))
    except ValueError:
        return None


def _parameters(given: ast.arguments) -> typing.Iterator[inspect.Parameter]:
    kind = inspect.Parameter
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
    for place, (argument, default) in enumerate(
        zip(positional, defaults + list(given.defaults), strict=True)
    ):
        only = place < len(given.posonlyargs)
        which = kind.POSITIONAL_ONLY if only else kind.POSITIONAL_OR_KEYWORD
        yield _parameter(argument, which, default)
    if given.vararg is not None:
        yield _parameter(given.vararg, kind.VAR_POSITIONAL, None)
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(argument, kind.KEYWORD_ONLY, default)
    if given.kwarg is not None:
        yield _parameter(given.kwarg, kind.VAR_KEYWORD, None)


def _parameter(argument: ast.arg, kind: Any, default: ast.expr | None) -> inspect.Parameter:
    annotation = inspect.Parameter.empty
    if argument.annotation is not None:
        annotation = read_type(argument.annotation)
    value = inspect.Parameter.empty if default is None else _constant(default)
    return inspect.Parameter(argument.arg, kind, default=value, annotation=annotation)


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


def read_type(node: ast.expr) -> Any:
    """Return the type that an annotation names, `Any` for one that is not known here."""
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str() as text):
            return _read_text(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _SIMPLE.get(name, Any)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([left, right])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inside):
            return _read_generic(name, inside)
    return Any


def _read_text(text: str) -> Any:
    try:
        return read_type(parse_expression(text))
    except (SyntaxError, ValueError):
        return Any


def _read_generic(name: str, inside: ast.expr) -> Any:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        return typing.Literal[tuple(values)] if len(values) == len(parts) else Any
    if name == "Optional":
        return _union([inside, ast.Constant(None)])
    if name == "Union":
        return _union(parts)
    if name not in _CONTAINERS:
        return Any
    kind: Any = _SIMPLE[name]
    types = [... if _is_dots(part) else read_type(part) for part in parts]
    return kind[tuple(types)]


def _union(parts: Sequence[ast.expr]) -> Any:
    return typing.Union[tuple(map(read_type, parts))]  # noqa: UP007, the members are data


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
