"""A WebSocket as an ASGI application sees it: messages from and to an `HTTPwebSocket`.

Source: the ASGI specification, version 3.0, with its WebSocket protocol 2.4.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import vista
from apps.http.content.resources import Response, error_response
from apps.http.errors import ApplicationError, ClientGone, WebSocketClosed
from apps.http.objects.asgi_exchange import Application, Message, pairs_of
from apps.http.objects.websocket import FOREVER_SECONDS
from apps.http.syntax.websocket import NO_CODE


class SocketExchange:
    """One client that speaks WebSocket, and the application that talks with it."""

    def __init__(self, socket: vista.Ref) -> None:
        self._socket = socket
        self._is_told = False
        self._is_accepted = False
        self._is_closed = False

    async def run(self, application: Application, scope: dict[str, Any]) -> Response | None:
        """Have the application talk; return the answer to a client that it did not accept.

        Raises what it raises.
        """
        try:
            await application(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio would stop the whole loop.
            raise ApplicationError(f"the application was ended by {type(error).__name__}") from None
        if self._is_accepted:
            return None
        if not self._is_closed:
            raise ApplicationError("the application returned before it accepted the client")
        return error_response(403, "This is not for you.")

    async def _receive(self) -> Message:
        if not self._is_told:
            self._is_told = True
            return {"type": "websocket.connect"}
        if not self._is_accepted:
            # There is nothing to hear before; a client that goes is found out when it is accepted.
            raise ApplicationError("websocket.accept or websocket.close comes first")
        with vista.timeout(FOREVER_SECONDS):
            message = await vista.aio.send(self._socket, "receive")
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        if message is not None:
            return {"type": "websocket.receive", "bytes": message}
        code = await vista.aio.send(self._socket, "get_close_code")
        # NO_CODE is for a client that closed without one (RFC 6455, section 7.1.5).
        return {"type": "websocket.disconnect", "code": code or NO_CODE, "reason": ""}

    async def _send(self, message: Message) -> None:
        kind = message.get("type") if isinstance(message, MutableMapping) else None
        try:
            if kind == "websocket.accept" and not (self._is_accepted or self._is_closed):
                subprotocol, fields = message.get("subprotocol") or "", pairs_of(message)
                self._is_accepted = True
                await self._tell("accept", subprotocol, fields)
            elif kind == "websocket.send" and self._is_accepted and not self._is_closed:
                await self._pass_on(message)
            elif kind == "websocket.close" and not self._is_closed:
                self._is_closed = True
                if self._is_accepted:
                    code, reason = message.get("code") or 1000, message.get("reason") or ""
                    await self._tell("close", code, reason)
            else:
                raise ApplicationError(f"{kind!r} was sent where it cannot be")
        except (WebSocketClosed, vista.NoSuchObject, vista.ObjectDeleted) as error:
            raise ClientGone("the client is gone") from error

    async def _pass_on(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        if isinstance(text, str):
            await self._tell("send_text", text)
        elif isinstance(data, bytes | bytearray | memoryview):
            await self._tell("send_bytes", bytes(data))
        else:
            raise ApplicationError("websocket.send has text, which is str, or bytes")

    async def _tell(self, method: str, *args: object) -> None:
        # How long a client may take for what waits for it, the socket knows.
        with vista.timeout(FOREVER_SECONDS):
            await vista.aio.send(self._socket, method, *args)
