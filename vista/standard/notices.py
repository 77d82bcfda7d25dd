"""Notifications: who gets them, and sending them from where no thread runs.

When a timer is due, a descriptor ready or a process gone, the loop calls back. No thread runs
there, so a callback does nothing but start one, as the user on whose behalf it waited: the message
that follows must not have more rights than who asked for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from vista.api import from_object
from vista.errors import BadValueError
from vista.ids import Id
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel
from vista.kernel.refs import Ref

Target = Ref | Id | str
"""Who gets a message: a Ref, an Id or a service name."""

_log = logging.getLogger(__name__)


def client_or_sender(client: Target | None) -> Target:
    """Return ``client``, or who sent the running call when it is left out.

    Raises `BadValueError` when there is neither, as in a one-way post.
    """
    target = from_object() if client is None else client
    if target is None:
        raise BadValueError("nobody to notify: give the client, a Ref, an Id or a service name")
    return target


def start_thread(kernel: Kernel, user: str, function: Callable[[], Any]) -> Future:
    """Run ``function`` as a vista thread in the name of ``user``; an error of it is logged."""
    started = kernel.spawn(function, user)
    started.on_done(_log_error)
    return started


def _log_error(ended: Future) -> None:
    error = ended.exception()
    if error is not None:
        _log.error("a thread of a standard class failed: %r", error, exc_info=error)


def notify(kernel: Kernel, user: str, target: Target, message: str, *arguments: Any) -> None:
    """Post a message in the name of ``user``; what cannot be delivered is logged."""
    start_thread(kernel, user, lambda: kernel.post_quietly(target, message, *arguments))
