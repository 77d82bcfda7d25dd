"""Bodies and pages that live on another node than the connection: who ends them when it is lost.

Whoever sends a body deletes its source, and tells the object of a feed, when the body is over. Two
things can keep it from that. Its node may be lost: so somebody stands on the node of the body and
looks whether it is still read. And an answer may be on its way when the time of its request is
over: so a page on another node is heard for a while longer, and what it gives then is ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import vista
from apps.http.content.resources import Response

_log = logging.getLogger("vista.http")

LOOK_SECONDS = 10.0
"""How often it is asked whether a body is still read. A look is a call over the link for each body,
and a body that nobody reads costs memory on its node for so long."""

LATE_SECONDS = 5.0
"""How long a page of another node is heard after the time of its request; then its thread is
cancelled. Pages that end by a bound of their own, which is often the same, answer within it."""


class HTTPreaderWatch(vista.Object, namespace="HTTP"):
    """Sees to it that a body ends when the node of who reads it is lost.

    ``create(reader, number, target, message, *args)``: ``reader`` is asked every 10 s whether it
    still reads, ``is_reading(number)``. When its node is lost, or it does not twice in a row,
    ``target`` is sent the message, and this object goes. It is made on the node of ``target`` by
    `watch`, and deleted by whoever reads when the body is over.
    """

    def create(
        self, reader: vista.Ref, number: int, target: vista.Ref, message: str, *args: Any
    ) -> None:
        """Begin to look."""
        self.reader = reader
        self.number = number
        self.target = target
        self._message, self._args = message, args
        self._timer = vista.create("RepeatingTimerEvent", vista.self_ref(self), LOOK_SECONDS)
        self._asked: vista.Future | None = None
        self._misses = 0
        self._over = False

    def delete(self) -> None:
        """The body is over."""
        self._over = True
        if hasattr(self, "_timer"):
            # In flight and not waited for: it may be gone with the node.
            vista.future(self._timer, "delete_yourself")

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Ask whether the body is still read, unless the answer is still to come."""
        if self._asked is None or self._asked.done():
            self._asked = asked = vista.future(self.reader, "is_reading", self.number)
            asked.add_done_callback(self._note)

    def _note(self, asked: vista.Future) -> None:
        error = asked.exception()
        if error is None and asked.result():
            self._misses = 0
            return
        self._misses += 1
        # That the body is over may just be on its way, and would be told twice.
        if self._over or (self._misses == 1 and not isinstance(error, vista.PeerLost)):
            return
        _log.info("%s is not read any longer: %r", self.target, error)
        # In flight and not waited for: it may have gone by itself.
        vista.future(self.target, self._message, *self._args)
        vista.future(vista.self_ref(self), "delete_yourself")


def is_far(target: Any) -> bool:
    """Tell whether an object was made on another node than this one."""
    return vista.id_of(target).node != vista.id_of(vista.here()).node


def watch(
    reader: vista.Ref, number: int, target: vista.Ref, message: str, *args: Any
) -> vista.Ref | None:
    """Have ``target`` sent a message when ``reader`` and its node are lost, if it lives elsewhere.

    See `HTTPreaderWatch`. Returns the watch, which is to be given to `unwatch`; None where there is
    nothing to watch, or that node lets nobody be made there.
    """
    if not is_far(target):
        return None
    try:
        return vista.create(HTTPreaderWatch, reader, number, target, message, *args, at=target)
    except vista.VistaError as error:
        _log.info("nobody sees to %s if this node is lost: %s", target, error)
        return None


def unwatch(watching: vista.Ref | None) -> None:
    """Take note that the body of a `watch` is over."""
    if watching is not None:
        # In flight and not waited for: it may have gone by itself.
        vista.future(watching, "delete_yourself")


@contextmanager
def watched(reader: vista.Ref, number: int, source: Any) -> Iterator[None]:
    """Have the source of a body watched while it is read; what is no object is left alone."""
    ref = isinstance(source, vista.Ref)
    watching = watch(reader, number, source, "delete_yourself") if ref else None
    try:
        yield
    finally:
        unwatch(watching)


def await_answer(call: vista.Future) -> Any:
    """Return the answer of a page on another node. Raises what the call raises.

    When the caller's time is over the call goes on for `LATE_SECONDS`. The source of an answer that
    comes then is ended: nobody else knows of it.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def note(_: vista.Future) -> None:
        if not ended.done():
            ended.set_result(None)

    call.add_done_callback(note)
    try:
        vista.wait(ended)
    except BaseException:  # the time is over, mostly
        call.add_done_callback(_end_late)
        loop.call_later(LATE_SECONDS, call.cancel)
        raise
    return call.result()


def _end_late(call: vista.Future) -> None:
    if call.exception() is None:
        end_source(call.result())


def end_source(answer: Any) -> None:
    """End what gives the body of an answer that nobody will send; it may be anything else too."""
    source = answer.source if isinstance(answer, Response) else None
    if isinstance(source, vista.Ref):
        # In flight and not waited for: it may have gone by itself.
        vista.future(source, "delete_yourself")
