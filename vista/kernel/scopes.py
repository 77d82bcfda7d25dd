"""Bounds in time around code outside of vista threads; inside them a `Worker` keeps its own."""

from __future__ import annotations

from contextvars import ContextVar

outside_bound: ContextVar[float | None] = ContextVar("vista_timeout", default=None)
"""When the enclosing ``vista.timeout`` of the calling code ends, in the hub's seconds."""

outside_due = outside_bound.get
"""outside_due() -> float | None: the present value of `outside_bound`."""
