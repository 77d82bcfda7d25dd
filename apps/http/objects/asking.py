"""A request is answered for somebody who has no connection to a client: for a proxy elsewhere.

What a connection does for its own requests is in `answering`; this does the same where the request
comes as a message and the answer goes back as one. What a page raises reaches whoever asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import vista
from apps.http.content.resources import Request, Response, as_response, unprepared
from apps.http.objects.afar import await_answer, end_source
from apps.http.objects.found import WEBSOCKET, WEBSOCKET_REQUEST, Found, Guarded, Pairs
from apps.http.objects.reply import await_reply
from apps.http.objects.websocket import FOREVER_SECONDS


def ask(
    directory: Any, request: Request, socket: vista.Ref | None = None, again: bool = True
) -> Any:
    """Return what the page of a directory answers to a request: a Response, a text or bytes.

    ``directory`` has the methods of `URLdirectory`, ``socket`` is there for a client that asks for
    a WebSocket. A guard is asked before. Raises what the page raises.
    """
    method = request.method if socket is None else WEBSOCKET
    found = directory.find(method, request.path)
    fields: Pairs = ()
    if type(found) is Guarded:
        fields = found.fields
        found = found.guard.admit_request(request, method)
        if type(found) is Found:
            request = request._replace(user=found.user, session=found.session)
    if type(found) is not Found:
        found = Found(found, fields=fields)
    target = found.target
    if type(target) is Response:
        return _with(site_page(directory, target, request.method), found.fields)
    try:
        return _with(_call(found, request, socket), found.fields)
    except (vista.NoSuchObject, vista.ObjectDeleted):
        if again and directory.forget_object(request.path, target):
            return ask(directory, request, socket, again=False)
        raise


def _call(found: Found, request: Request, socket: vista.Ref | None) -> Any:
    if found.acts_for:
        with vista.acting_as(found.acts_for):
            return _send(found, request, socket)
    return _send(found, request, socket)


def _send(found: Found, request: Request, socket: vista.Ref | None) -> Any:
    if found.message == WEBSOCKET_REQUEST:
        with vista.timeout(FOREVER_SECONDS):
            return vista.send(found.target, found.message, request, socket)
    if found.asynchronous:
        return await_reply(found.target, found.message, request)
    if found.is_far:
        return await_answer(vista.future(found.target, found.message, request))
    return vista.send(found.target, found.message, request)


def site_page(directory: Any, response: Response, method: str) -> Response:
    """Return a response, or the site's own page in the place of the plain one of an error.

    ``method`` is that of the request. Raises `vista.VistaError` when the directory is gone.
    """
    if response.status < 400 or method == "HEAD":
        return response
    page = directory.get_error_page_source(response.status)
    return response if page is None else Response(page, response.status, response.fields)


def _with(answer: Any, fields: Pairs) -> Any:
    """Return an answer with the fields that its site adds to every one."""
    if not fields:
        return answer
    response = as_response(answer)
    if response is None:
        return answer
    own = unprepared(response) if response.prepared else response.fields or ()
    try:
        return replace(response, fields=(*own, *fields), prepared=b"")
    except TypeError:  # what a page gives for fields may be anything
        end_source(response)
        raise
