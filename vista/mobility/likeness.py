"""Whether two classes of one name and version are the same code, told by some bytes for each.

What counts is what the methods do: the instructions of the functions of a class and of the
project's own classes that it inherits from, each with the constant that it loads. So where the
source lies, comments, its layout and docstrings do not count, nor does what the class knows at run
time, default values of arguments among it. Code of another Python cannot be compared.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final

LIKENESS_BYTES: Final = 16
"""Bytes of a likeness: three that say which Python it is of, and a digest."""


def python_tag(cache_tag: str | None, release: tuple[int, ...], optimize: int) -> bytes:
    """Return three bytes that are the same for all Pythons which compile source alike.

    The last number of a ``release`` counts too: what a compiler makes is mended between those.
    """
    return hashlib.blake2b(repr((cache_tag, release, optimize)).encode(), digest_size=3).digest()


_PYTHON: Final = python_tag(sys.implementation.cache_tag, sys.version_info[:3], sys.flags.optimize)

_COMMON: Final = frozenset({"vista", *sys.stdlib_module_names})
"""Packages that every node has: their classes do not travel and are not compared."""

_FLAGS: Final = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
"""Flags of code that say what a call of it does; others tell of docstrings and imports."""

_UNSAID: Final = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
"""What a class that is defined in a method notes of its source."""

_WRAPPERS_MAX: Final = 100
"""Wrappers around a function that are looked into: what answers to any name has no end of them."""

_CONSTANTS: Final = frozenset(dis.hasconst)
_EXTENDED: Final = dis.opmap["EXTENDED_ARG"]
_STORE_NAME: Final = dis.opmap["STORE_NAME"]


@lru_cache(maxsize=1024)  # a class of ten methods takes 500 us, and it is asked for at each move
def likeness_of(cls: type) -> bytes:
    """Return what tells the code of a class from another one; nothing for a class of vista."""
    if _is_common(cls):
        return b""
    digest = hashlib.blake2b(digest_size=LIKENESS_BYTES - len(_PYTHON))
    for base in cls.__mro__:
        if not _is_common(base):
            for name, code in _codes_of(base):
                digest.update(repr((name, code)).encode("utf-8", "surrogatepass"))
    return _PYTHON + digest.digest()


def are_alike(one: bytes, other: bytes) -> bool:
    """Return whether two likenesses may be of the same code: equal, or not to be compared."""
    start = len(_PYTHON)
    return one == other or not one or not other or one[:start] != other[:start]


def _is_common(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in _COMMON


def _codes_of(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(cls).items()):
        parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        for part in parts:
            function = _unwrapped(part)
            if isinstance(function, FunctionType):
                yield name, _said(function.__code__)


def _unwrapped(part: Any) -> Any:
    for _ in range(_WRAPPERS_MAX):
        if isinstance(part, classmethod | staticmethod):
            part = part.__func__
        elif callable(part) and hasattr(part, "__wrapped__"):
            part = part.__wrapped__
        else:
            break
    return part


def _said(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, without where it stands."""
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    return (_steps(code), code.co_exceptiontable, names, counts, code.co_flags & _FLAGS)


def _steps(code: CodeType) -> list[Any]:
    """Return the instructions, with constants instead of their places.

    A docstring is a constant that moves the others, and that nothing loads.
    """
    steps: list[Any] = []
    argument = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = argument << 8 | low
        if operation == _EXTENDED:
            continue
        if operation in _CONSTANTS:
            steps.append((operation, _constant(code.co_consts[argument])))
        elif operation == _STORE_NAME and code.co_names[argument] in _UNSAID:
            steps.pop()
        else:
            steps.append((operation, argument))
        argument = 0
    return steps


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _said(value)
    if isinstance(value, frozenset):
        # In no order that another process has, too.
        return sorted(map(repr, value))
    return [*map(_constant, value)] if isinstance(value, tuple) else repr(value)
