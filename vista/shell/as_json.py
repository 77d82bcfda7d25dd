"""Values as JSON: what ``--json`` prints. Rows and records become objects with their fields' names.

What JSON has no form for becomes text: Ids, Refs, bytes (base 64), dates, decimals and numbers that
are not finite. A set becomes a sorted array, an exception an object with ``error`` and ``text``.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from enum import Enum

from vista.ids import Id
from vista.records import form_of


def json_text(value: object, *, indent: int | None = 2) -> str:
    """Return a value as one JSON document; ``indent`` is in characters, None for a single line."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def plain(value: object) -> object:
    """Return a value as JSON has it: None, bool, int, float, str, list and dict with text keys."""
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes | bytearray) and not isinstance(value, Id):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "text": str(value)}
    return _container(value)


def _container(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    form = form_of(type(value))
    if form is not None:
        return {name: plain(getattr(value, name)) for name in form.fields}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)
