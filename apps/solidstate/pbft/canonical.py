"""Canonical bytes and digests: the one place where msgpack is used here.

One value has one encoding: maps are never used, integers and lengths take msgpack's shortest form.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from msgpack import packb, unpackb

DIGEST_BYTES = 32
"""Bytes of every digest: collisions take 2**128 tries."""


class MalformedMessage(ValueError):
    """Bytes or values from outside that are no message; the words say what was wrong."""


def pack(value: Sequence[Any]) -> bytes:
    """Return the canonical bytes of lists of None, bool, int, str and bytes."""
    return packb(value)  # type: ignore[no-any-return]


def unpack(data: bytes) -> Any:
    """Return the value whose bytes are ``data``; raises `MalformedMessage` for other bytes."""
    try:
        return unpackb(data, use_list=True, strict_map_key=True)
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedMessage(f"not msgpack: {error}") from error


def digest_of(data: bytes) -> bytes:
    """Return the digest of ``data``: BLAKE2b of 32 bytes."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()
