"""Every bound of a node, with its unit and its reason.

``Limits()`` holds the values that suit most nodes; ``Limits(mailbox_messages_max=100)`` changes
one; `Limits.validate` checks how they relate and is called by the node that gets them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from vista.errors import BadValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one node. Every field is positive; units stand at the end of the names."""

    call_seconds: float = 60.0
    """How long a call may take when nothing else is said: long enough for a person's patience,
    short enough that a lost answer is noticed. ``vista.timeout`` changes it for a block."""

    mailbox_messages_max: int = 100_000
    """Messages that may wait for one object; the next one raises `Overloaded`. 100,000 small
    messages hold about 30 MB, so one runaway sender cannot take the machine's memory."""

    nested_calls_max: int = 64
    """Local calls nested in one greenlet before the next one gets a greenlet of its own. Each
    takes 3 to 4 Python frames of the interpreter's 1,000."""

    chain_calls_max: int = 2_000
    """Calls that may wait for one another in one chain; the next one raises `Overloaded`. Each
    holds at least a Python frame, so endless recursion by messages must end by a bound."""

    turn_seconds: float = 0.005
    """How long threads run before timers and I/O get the loop again."""

    sends_between_checks: int = 128
    """Nested sends between two looks at the clock. At 0.3 us a send, a check each 40 us."""

    slow_method_seconds: float = 0.1
    """A method that holds the loop longer is logged with its stack."""

    pooled_workers_max: int = 256
    """Idle greenlets kept for the next invocation. One costs 6 KB; a new one takes 7 us."""

    native_threads_max: int = 32
    """Kernel threads that run ``@native`` methods at the same time."""

    value_depth_max: int = 100
    """Containers nested in a value. Deeper ones exhaust the stack of whoever decodes them."""

    value_bytes_max: int = 64 * 1024 * 1024
    """Bytes one encoded value may take."""

    value_items_max: int = 16 * 1024 * 1024
    """Items a value may have in all its containers together, each container counted as four more.
    Every place in a value is copied by itself, so a few nested lists can stand for more items than
    any memory holds."""

    frame_bytes_max: int = 64 * 1024 * 1024
    """Bytes one wire frame may take; a frame that claims more is refused before it is read."""

    large_buffer_bytes: int = 64 * 1024
    """Buffers of this size and more travel as frames of their own, without a copy."""

    name_characters_max: int = 255
    """Characters in a service, class, method or user name."""

    drain_seconds: float = 5.0
    """How long a stopping node waits for its threads to finish before it kills them."""

    def validate(self) -> None:
        """Check each bound and how they relate. Raises `BadValueError` naming the first mistake."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise BadValueError(f"limit {field.name} must be a positive number, not {value!r}")
            if type(value) is float and not field.name.endswith("_seconds"):
                raise BadValueError(f"limit {field.name} must be a whole number, not {value!r}")
        if self.chain_calls_max < self.nested_calls_max:
            raise BadValueError("limit chain_calls_max must be at least nested_calls_max")
        if self.nested_calls_max + self.sends_between_checks > 200:
            raise BadValueError(
                "limits nested_calls_max + sends_between_checks must not pass 200: the nested "
                "calls of a greenlet share the interpreter's 1,000 frames"
            )
        if self.frame_bytes_max < self.large_buffer_bytes:
            raise BadValueError("limit frame_bytes_max must be at least large_buffer_bytes")
        if self.slow_method_seconds < self.turn_seconds:
            raise BadValueError("limit slow_method_seconds must be at least turn_seconds")
