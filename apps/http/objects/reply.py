"""Handlers of the original's form: they answer by a message, some time later.

``get_request(request_data, options, reply_method, reply_dest)`` returns at once; the answer is
whatever is first sent to ``reply_dest`` under the name ``reply_method``. Each request has a reply
object of its own, so that an answer that comes too late reaches nobody.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import vista
from apps.http.content.resources import Request, Response, as_response, error_response
from apps.http.objects.afar import LATE_SECONDS, end_source


class HTTPreply(vista.Object, namespace="HTTP"):
    """Takes the answer to one request; a handler of the original's form gets it as ``reply_dest``.

    ``create()``. It goes when the answer was taken. When the time is over it stays for
    `LATE_SECONDS`, to end the source of an answer that comes too late.
    """

    def create(self) -> None:
        """Wait for an answer."""
        self.response: Response | None = None
        self._late: asyncio.TimerHandle | None = None
        self._arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def delete(self) -> None:
        """Nobody waits any longer."""
        self._arrived.cancel()
        if self._late is not None:
            self._late.cancel()

    def send_result(
        self,
        code: int | str | bytes | Response,
        reason_phrase: str = "",
        header_data: dict[str, str] | tuple[tuple[str, str], ...] | None = None,
        data: str | bytes = b"",
    ) -> None:
        """Answer with a status code, fields and a body, or with a response, a text or bytes alone.

        ``reason_phrase`` is what clients once showed; the usual one is sent. The first answer
        counts.
        """
        if not isinstance(code, int):
            self._take(as_response(code))
            return
        fields = header_data.items() if isinstance(header_data, dict) else header_data or ()
        self._take(Response(data, code, tuple((name, value) for name, value in fields)))

    def return_error(
        self, code: int, reason_phrase: str = "", explain: str = "", force_close: bool = False
    ) -> None:
        """Answer with an error; ``explain`` is a sentence for whoever made the request."""
        fields = (("Connection", "close"),) if force_close else ()
        self._take(error_response(code, explain or reason_phrase, fields))

    def wait_for_answer(self) -> Response | None:
        """Wait for the answer, within the sender's bound, and return it."""
        vista.wait(self._arrived)
        return self.response

    def expire(self) -> None:
        """Take note that nobody waits any longer, though no answer was taken."""
        if self._arrived.done() and not self._arrived.cancelled():
            end_source(self.response)
            vista.post(vista.self_ref(self), "delete_yourself")
            return
        # What the loop calls runs in this context, which may post.
        go, context = vista.self_ref(self).delete_yourself.post, contextvars.copy_context()
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(LATE_SECONDS, go, context=context)

    def _take(self, response: Response | None) -> None:
        if self._arrived.done():
            end_source(response)
        else:
            self.response = response
            self._arrived.set_result(None)


def await_reply(target: vista.Ref, message: str, request: Request) -> Response | None:
    """Have a handler of the original's form answer a request, and wait for it.

    ``request_data`` is the request as ``[method, path, query, version, fields, body, user]``,
    ``options`` its fields by name in lower case.
    """
    options = request.header()
    data: list[Any] = [request.method, request.path, request.query, request.version]
    data += [options, request.body, request.user]
    reply = vista.create(HTTPreply)
    try:
        vista.send(target, message, data, options, "send_result", reply)
        answer: Response | None = reply.wait_for_answer()
    except BaseException:  # the time is over, mostly
        vista.post(reply, "expire")
        raise
    vista.post(reply, "delete_yourself")
    return answer
