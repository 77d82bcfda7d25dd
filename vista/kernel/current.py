"""Who runs here: the context of the code that is executing.

Every vista thread runs in a `Context` that says which kernel it belongs to and which invocation
it is. A ContextVar holds it: greenlets, coroutines and kernel threads each have their own, and a
look-up takes 14 ns. Code outside of vista (a script, the prompt) finds `OUTSIDE`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from vista.errors import WrongContextError

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

RECORD = 0
"""Index in a frame: the record of the object that is invoked."""
METHOD = 1
"""Index in a frame: the `MethodEntry` that runs."""
PARENT = 2
"""Index in a frame: the frame of the sender, or None for a one-way post."""
STARTED = 3
"""Index in a frame: when it was sent, in the hub's seconds at the turn of the loop."""
FUTURE = 6
"""Index in a message: the future that waits for its end, or None."""

Frame = tuple[Any, ...]
"""One invocation: (record, method, the sender's frame or None, seconds when it was sent, ...).

A frame is a tuple because making one takes 32 ns and an object 110. That of a call which runs
nested ends there; a message in a queue goes on with (arguments, keyword arguments, future or None,
user, bound method) and becomes the frame of its invocation as it is.
"""


def acting(frame: Frame | None) -> Frame | None:
    """Return the frame in whose name ``frame`` sends.

    A native method and a coroutine send by functions that are run for them; those are passed over.
    """
    while (
        frame is not None
        and frame[PARENT] is not None
        and frame[METHOD] is frame[RECORD].kernel.outside
    ):
        frame = frame[PARENT]
    return frame


class Context:
    """What code that runs knows of itself.

    ``kernel`` is the kernel only for a greenlet of that kernel, which alone may run calls nested
    and park; for coroutines, kernel threads and the outside it is None. ``home`` is the kernel
    also for coroutines and kernel threads of the node.
    """

    __slots__ = ("frame", "home", "kernel", "user")

    def __init__(self, home: Kernel | None, frame: Frame | None, user: str) -> None:
        self.kernel: Any = None
        self.home = home
        self.frame: Any = frame
        self.user = user


class BesideContext(Context):
    """The context of code that runs beside the greenlet of its thread, which waits for it.

    ``wants`` are the calls in flight that it waits for, or tasks it started do.
    """

    __slots__ = ("wants",)

    def __init__(self, home: Kernel | None, frame: Frame | None, user: str) -> None:
        super().__init__(home, frame, user)
        self.wants: list[Any] = []


class CoroutineContext(BesideContext):
    """The context of a coroutine on the node's loop: it must not block, only ``await``."""

    __slots__ = ()


class NativeContext(BesideContext):
    """The context of a ``@native`` method in its kernel thread: there ``send`` blocks."""

    __slots__ = ()


OUTSIDE = Context(None, None, "")
"""The context of code outside of vista."""

_context: ContextVar[Context] = ContextVar("vista", default=OUTSIDE)
current = _context.get
"""current() -> Context: the context of the calling code."""
enter = _context.set
"""enter(context) sets it, for the running greenlet, task or kernel thread."""
leave = _context.reset
"""leave(token) puts back what `enter` replaced."""


def kernel() -> Kernel:
    """Return the kernel on which the calling thread runs.

    Raises `WrongContextError` when called outside of a vista thread.
    """
    home = current().home
    if home is None:
        raise WrongContextError("this works only in a method of a vista object")
    return home
