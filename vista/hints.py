"""Hints: what to send instead of something that is no value."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import FunctionType, GeneratorType, MappingProxyType, MethodType, ModuleType
from typing import Any
from uuid import UUID

# What to write instead of a type that is no value, looked up by isinstance, first match.
_HINTS: tuple[tuple[type, str], ...] = (
    (Enum, "declare its class with @vista.record"),
    (int, "use int(...)"),
    (float, "use float(...)"),
    (str, "use str(...)"),
    (bytes, "use bytes(...)"),
    (bytearray, "use bytes(...)"),
    (dict, "use dict(...)"),
    (MappingProxyType, "use dict(...)"),
    (list, "use list(...)"),
    (set, "use set(...)"),
    (frozenset, "use frozenset(...)"),
    (datetime, "use a plain datetime"),
    (date, "use a plain date"),
    (time, "use a plain time"),
    (timedelta, "use a plain timedelta"),
    (tuple, "use tuple(...)"),
    (Decimal, "use Decimal(...)"),
    (UUID, "use a plain UUID"),
    (PurePath, "use str(...)"),
    (complex, "use a tuple of two floats"),
    (range, "use list(...)"),
    (GeneratorType, "use list(...)"),
    (type, "send its name"),
    (FunctionType, "send an object and the name of its method"),
    (MethodType, "send an object and the name of its method"),
    (ModuleType, "send its name"),
)


def hint_for(value: Any) -> str:
    """Return what to write instead of ``value``, for the end of an error's text; often empty."""
    kind = type(value)
    if "__dataclass_fields__" in kind.__dict__ or "_fields" in kind.__dict__:
        return "declare its class with @vista.record"
    if kind.__module__.partition(".")[0] == "numpy":
        return "use its tolist() or tobytes()"
    return next((hint for wanted, hint in _HINTS if isinstance(value, wanted)), "")
