"""Acting in the name of another user: for objects that do something on behalf of somebody."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from vista.errors import AccessDenied, BadValueError, WrongContextError
from vista.kernel.current import current


class acting_as:
    """Send in another user's name inside the block: ``with vista.acting_as("guest"): ...``

    What is sent there, and what that sends in turn, is checked against access lists as if ``user``
    had sent it. An object that carries out what somebody outside asks for, a web page for example,
    so has no more rights than that user has. Only code that acts as the node's own user may do
    this: nobody takes rights by it. Raises `AccessDenied` otherwise, `BadValueError` for what is no
    name, and `WrongContextError` outside of a vista thread, where ``Node.call`` takes a user.
    """

    def __init__(self, user: str) -> None:
        if not isinstance(user, str) or not user:
            raise BadValueError(f"a user is a name, not {user!r}")
        self.user = user
        self._context: Any = None
        self._before = ""

    def __enter__(self) -> Self:
        context = current()
        if context.home is None:
            raise WrongContextError("this works only in a method; use Node.call(..., user=...)")
        before = context.user or context.home.user
        if before not in (context.home.user, self.user):
            raise AccessDenied(f"user {before!r} may not act as {self.user!r}")
        self._context, self._before = context, context.user
        context.user = self.user
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.user = self._before
