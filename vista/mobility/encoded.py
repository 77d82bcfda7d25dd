"""Values as bytes, for whoever keeps, compares or digests them."""

from __future__ import annotations

from typing import Any

from vista.kernel.node import kernel_here


def encode_value(value: Any) -> bytes:
    """Return the canonical bytes of a value: the same value gives the same bytes in any process.

    For what is stored, compared or digested. The elements of a set are put in order, that of a
    dict's entries is part of the value, and an exception leaves its traceback out. Raises
    `NotAValueError`, also for a value of more than ``limits.value_bytes_max``.

    >>> vista.decode_value(vista.encode_value({"tea": 2}))
    {'tea': 2}
    """
    return kernel_here().codec.encode_canonical(value)


def decode_value(data: bytes) -> Any:
    """Return the value whose bytes `encode_value` made. Raises `RemoteProtocolError` for others."""
    return kernel_here().codec.decode(data)
