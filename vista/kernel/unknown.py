"""Messages that cannot be delivered: to an object that is not there, or that no method answers.

A call raises the error; a future ends with it; a post is counted and logged, because its sender,
who may be three hops away, never learns of what happens to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista.errors import CallError
from vista.kernel.futures import Future

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel


def missing_call(
    kernel: Kernel, make_error: Callable[[], CallError], name: str
) -> Callable[..., Any]:
    """Return the function behind ``ref.name`` when nothing can answer it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        raise make_error()

    def post(*args: Any, **kwargs: Any) -> None:
        kernel.note_lost_post(str(make_error()))

    def future(*args: Any, **kwargs: Any) -> Future:
        failed = Future(kernel, None, name)
        failed.fail(make_error())
        return failed

    call.post = post  # type: ignore[attr-defined]
    call.future = future  # type: ignore[attr-defined]
    return call
