"""Handlers of the original's form: they answer by a message, some time later.

``get_request(request_data, options, reply_method, reply_dest)`` returns at once; the answer is
whatever is first sent to ``reply_dest`` under the name ``reply_method``. Each request has a reply
object of its own, so that an answer that comes too late reaches nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

import vista
from apps.http.content.resources import Request, Response, as_response, error_response


class HTTPreply(vista.Object, namespace="HTTP"):
    """Takes the answer to one request; a handler of the original's form gets it as ``reply_dest``.

    ``create()``. It is deleted when the answer was taken or the time for it is over.
    """

    def create(self) -> None:
        """Wait for an answer."""
        self.response: Response | None = None
        self._arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def delete(self) -> None:
        """Nobody waits any longer."""
        self._arrived.cancel()

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

    def _take(self, response: Response | None) -> None:
        if not self._arrived.done():
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
        return answer
    finally:
        vista.post(reply, "delete_yourself")
