"""Global Ids: 16 bytes that name one object or thread everywhere and for ever.

Ten bytes are the identity of the node where it was born, drawn at random, and six are a serial
number counted there. An Id is a ``bytes``: hashing and comparing run at C speed. It never
changes, also not when the object moves.
"""

from __future__ import annotations

import re
from typing import Self

from vista.errors import BadValueError

NODE_BYTES = 10
SERIAL_BYTES = 6
ID_BYTES = NODE_BYTES + SERIAL_BYTES
SERIAL_MAX = 2 ** (8 * SERIAL_BYTES) - 1

# Crockford's base 32: no I, L, O or U, so that an Id can be read out over a telephone.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_NODE_DIGITS = NODE_BYTES * 8 // 5
_SERIAL_DIGITS_MAX = 10
_TEXT = re.compile(f"[{_DIGITS}]{{{_NODE_DIGITS}}}-[{_DIGITS}]{{1,{_SERIAL_DIGITS_MAX}}}")


def _to_digits(number: int, width: int) -> str:
    digits: list[str] = []
    while number or not digits:
        number, value = divmod(number, 32)
        digits.append(_DIGITS[value])
    return "".join(reversed(digits)).rjust(width, "0")


def _from_digits(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 32 + _VALUES[digit]
    return number


def node_text(node: bytes) -> str:
    """Return the text of a node's identity (10 bytes), with which the Ids made there begin."""
    return _to_digits(int.from_bytes(node, "big"), _NODE_DIGITS)


class Id(bytes):
    """The global name of an object or a thread: 16 bytes.

    ``str(id)`` is the short text form: sixteen letters and digits for the node, a hyphen and the
    serial number without leading zeros, in Crockford's base 32, as in ``4r7q2v9kzm1x8c5t-1f``.
    ``Id.parse(text)`` reads it back.

    The original system calls this an object Id, type ``oid``.
    """

    __slots__ = ()

    @classmethod
    def make(cls, node: bytes, serial: int) -> Self:
        """Join a node identity (10 bytes) and a serial number (0 to 2**48 - 1) into an Id.

        Raises `BadValueError` when one of them does not fit.
        """
        if len(node) != NODE_BYTES:
            raise BadValueError(f"a node identity has {NODE_BYTES} bytes, not {len(node)}")
        if not 0 <= serial <= SERIAL_MAX:
            raise BadValueError(f"a serial number lies in 0..{SERIAL_MAX}, not {serial}")
        return cls(node + serial.to_bytes(SERIAL_BYTES, "big"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form back.

        Letters may be of either case. Raises `BadValueError` when the text is not an Id.
        """
        lowered = text.lower()
        if _TEXT.fullmatch(lowered) is None:
            raise BadValueError(
                f"{text!r} is not an Id; one looks like 4r7q2v9kzm1x8c5t-1f: {_NODE_DIGITS} "
                f"letters and digits, a hyphen and up to {_SERIAL_DIGITS_MAX} more"
            )
        node, serial = lowered.split("-")
        number = _from_digits(serial)
        if number > SERIAL_MAX:
            raise BadValueError(f"{text!r} is not an Id: its serial number passes {SERIAL_MAX}")
        return cls.make(_from_digits(node).to_bytes(NODE_BYTES, "big"), number)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Take 16 bytes as an Id. Raises `BadValueError` for any other number of bytes."""
        if len(data) != ID_BYTES:
            raise BadValueError(f"an Id has {ID_BYTES} bytes, not {len(data)}")
        return cls(data)

    @property
    def node(self) -> bytes:
        """The identity of the node where the object was born (10 bytes)."""
        return self[:NODE_BYTES]

    @property
    def serial(self) -> int:
        """The serial number the object got there."""
        return int.from_bytes(self[NODE_BYTES:], "big")

    def __str__(self) -> str:
        return f"{node_text(self[:NODE_BYTES])}-{_to_digits(self.serial, 1)}"

    def __repr__(self) -> str:
        return f"Id({str(self)!r})"
