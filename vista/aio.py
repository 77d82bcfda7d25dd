"""The waiting functions of `vista` for coroutines: ``await vista.aio.send(...)``.

They work in ``async def`` methods, in coroutines that such methods start, and in coroutines of a
program with an asyncio loop of its own while the node runs in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from vista.errors import CallTimeout, WrongContextError
from vista.kernel.classes import ClassSpecifier
from vista.kernel.current import current
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel
from vista.kernel.node import kernel_here
from vista.kernel.refs import Ref
from vista.kernel.scopes import outside_due


async def send(target: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
    """Send a message and await the result; see `vista.send`."""
    context = current()
    if context.kernel is None and context.home is not None and context.home.on_loop():
        # Sent at once, so that what one coroutine sends side by side arrives in the order sent.
        call: Any = context.home.method_of(target, method)
        return await call.future(*args, **kwargs)
    return await _start(_send, target, method, args, kwargs)


async def create(specifier: ClassSpecifier, /, *args: Any, **kwargs: Any) -> Ref:
    """Make an object and return its Ref; see `vista.create`."""
    making = _start(_create, specifier, args, kwargs)
    try:
        made: Ref = await making
    except BaseException:
        # It may be there already, and nobody will get its Ref.
        if making.done() and making.exception() is None:
            making.result().delete_yourself.post()
        raise
    return made


async def delete(target: Any) -> None:
    """Delete an object; see `vista.delete`."""
    await send(target, "delete_yourself")


async def sleep(seconds: float) -> None:
    """Wait ``seconds`` on the clock of the node's world; see `vista.sleep`."""
    due = outside_due()
    left = seconds if due is None else due - kernel_here().hub.time()
    await asyncio.sleep(min(seconds, max(left, 0.0)))
    if seconds > left:
        raise CallTimeout("the time of the enclosing timeout is over")


async def wait_for_service(name: str, timeout: float | None = None) -> Ref:
    """Wait until a service appears and return its provider; see `vista.wait_for_service`."""
    made: Ref = await _start(_wait_for_service, name, timeout)
    return made


async def gather(*futures: Future, return_exceptions: bool = False) -> list[Any]:
    """Await several calls in flight and return their results in order; see `vista.gather`."""
    awaited = (_result(future) for future in futures)
    return list(await asyncio.gather(*awaited, return_exceptions=return_exceptions))


async def _result(future: Future) -> Any:
    return await future


def _send(kernel: Kernel, target: Any, method: str, args: Any, kwargs: Any) -> Any:
    return kernel.method_of(target, method)(*args, **kwargs)


def _create(kernel: Kernel, specifier: ClassSpecifier, args: Any, kwargs: Any) -> Ref:
    acl = kwargs.pop("acl", None)
    return kernel.create(specifier, args, kwargs, acl)


def _wait_for_service(kernel: Kernel, name: str, timeout: float | None) -> Ref:
    return kernel.services.wait(name, timeout)


def _start(function: Callable[..., Any], *args: Any) -> Future:
    """Start a vista thread for a coroutine, as one more link in its chain of calls."""
    context = current()
    if context.kernel is not None:
        raise WrongContextError("in a plain method nothing is awaited: write vista.send(...)")
    kernel = kernel_here()
    future = kernel.call_in_flight(context, lambda: function(kernel, *args))
    return future


__all__ = ["create", "delete", "gather", "send", "sleep", "wait_for_service"]
