"""How deep an encoded value nests, without recursion: by its bytes, and if need be by its parts."""

from __future__ import annotations

from itertools import chain
from typing import Any

_NATIVE = frozenset({list, dict})

# All bytes but those that start a msgpack array or map, for bytes.translate to delete.
_NO_CONTAINER_HEADERS = bytes(set(range(256)) - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})


def headers_exceed(data: bytes, count: int) -> bool:
    """Whether more bytes look like the begin of a msgpack array or map than ``count``.

    A value nests no deeper than it has such bytes, so nearly none has to be walked through.
    """
    return len(data.translate(None, _NO_CONTAINER_HEADERS)) > count


def is_deeper(value: Any, depth_max: int) -> bool:
    """Whether lists and dicts nest deeper; level by level, so that it takes no stack."""
    level = [value] if type(value) in _NATIVE else []
    for _ in range(depth_max):
        lists = [whole for whole in level if type(whole) is list]
        dicts = [whole.values() for whole in level if type(whole) is dict]
        parts = chain(chain.from_iterable(lists), chain.from_iterable(dicts))
        level = [part for part in parts if type(part) in _NATIVE]
        if not level:
            return False
    return True
