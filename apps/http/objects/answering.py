"""Who answers a request and with what, whichever version of HTTP carried it.

A connection, or a stream of one that carries several requests at a time, has an `Answering` and
asks it for the answer to each request. Two rules. Whatever a handler raises ends its request only.
What comes back is a `Response`, or the text of a page that is nothing else: how it is sent is for
who asked.
"""

from __future__ import annotations

import contextlib
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

import vista
from apps.http.content.compressing import COMPRESS_BYTES_MIN
from apps.http.content.files import CONDITIONAL
from apps.http.content.proxies import NOBODY, Believed, TrustedProxies, proxies_of
from apps.http.content.resources import (
    Request,
    Response,
    as_response,
    error_response,
)
from apps.http.errors import RequestRejected
from apps.http.objects.afar import await_answer, end_source
from apps.http.objects.asking import site_page
from apps.http.objects.compression import EVERYTHING, compressed
from apps.http.objects.counting import count_answer, count_rejected, names_of
from apps.http.objects.found import WEBSOCKET, WEBSOCKET_REQUEST, Found, Guarded
from apps.http.objects.log_lines import lines_to
from apps.http.objects.profile import Terms
from apps.http.objects.reply import await_reply
from apps.http.objects.websocket import open_websocket
from apps.http.syntax.requests import RequestHead
from apps.http.syntax.websocket import asks_for_websocket

if TYPE_CHECKING:
    from apps.http.objects.bodies import RequestBody

_log = logging.getLogger("vista.http")

Pairs = tuple[tuple[str, str], ...]

_tuple_of = tuple.__new__
_NO_TRAILERS = ("", "")

SITE_SECONDS = 5.0
"""How long a connection takes its site to be what it was: who logs it, whether it compresses."""

VERSIONS = {(1, 0): "1.0", (1, 1): "1.1", (2, 0): "2"}
"""The versions of HTTP as `Request.version` says them."""


class Answering:
    """Has requests answered: chooses the site, asks its directory, calls the page, writes the log.

    ``daemon`` knows the sites by host; with None, and for hosts that it does not know,
    ``url_directory`` answers, the directory of the site ``site``. `come_from` says who asks;
    ``secure`` is set where it speaks TLS.
    """

    __slots__ = (
        "_client",
        "_compresses",
        "_count_names",
        "_counters",
        "_default",
        "_directory",
        "_early",
        "_host",
        "_log_fields",
        "_log_lines",
        "_met",
        "_proxies",
        "_site",
        "_terms",
        "_users",
        "daemon",
        "secure",
    )

    def __init__(
        self,
        terms: Terms,
        daemon: vista.Ref | None,
        url_directory: vista.Ref,
        site: str,
    ) -> None:
        self._client = ""
        self._proxies: TrustedProxies | None = None
        self.daemon = daemon
        self.secure = False
        self._terms = terms
        self._default = (site, url_directory)
        self._host: str | None = None
        self._counters = vista.counters()
        self._users: dict[int, tuple[RequestHead, str]] = {}
        self._early: dict[int, tuple[RequestHead, Found]] = {}
        self._meet_site(site, url_directory)

    def come_from(self, address: str, proxies: Believed = NOBODY) -> None:
        """Take note of the address of the other side, and of the proxies that are believed.

        ``proxies`` is as `Profile.proxies` returns it.
        """
        self._client = address
        trusted = proxies_of(*proxies)
        self._proxies = trusted if trusted.trusts(address) else None

    def _client_of(self, head: RequestHead) -> str:
        """The address of whoever asks: of the other side, unless that is a proxy."""
        proxies = self._proxies
        return self._client if proxies is None else proxies.client_of(self._client, head.fields)

    def _is_secure(self, head: RequestHead) -> bool:
        """Whether the client came over TLS: to here, or to the proxy that stands before it."""
        proxies = self._proxies
        said = "" if proxies is None else proxies.protocol_of(self._client, head.fields)
        return said == "https" if said else self.secure

    # --- one request -----------------------------------------------------------------------

    def answer(self, head: RequestHead, body: RequestBody | None) -> tuple[Any, Pairs]:
        """Return the answer, a `Response` or a text, and the fields that the site adds to it.

        ``body`` is what the request brought, None for nothing. Raises nothing.
        """
        began = perf_counter()
        target = head.target
        path = "/" + "/".join(target.path)
        try:
            if target.host != self._host:
                self._choose_site(target.host)
            elif began - self._met > SITE_SECONDS:
                # One that is gone is found out when it is asked.
                with contextlib.suppress(vista.VistaError):
                    self._meet_site(self._site, self._directory)
            answer = self._answer(head, path, body)
        except vista.VistaError as error:  # no site: another one's page would be none of its own
            answer = self._failed(error, path, ""), ()
        page = answer[0]
        status = 200 if type(page) is str else page.status
        if self._compresses and (type(page) is not str or len(page) >= COMPRESS_BYTES_MIN):
            answer = (self._compressed(page, head), answer[1])
        seconds = perf_counter() - began
        count_answer(self._counters, self._count_names, head.method, status, seconds)
        return answer

    def look_ahead(self, head: RequestHead) -> Response | None:
        """Return the answer to a request whose body need not be taken, None if it is needed.

        So nobody fills the disk who may not send here, or sends to where nobody takes it. Whoever
        calls this calls `forget` when the request is over.
        """
        target = head.target
        if id(head) in self._early:
            return None
        path = "/" + "/".join(target.path)
        try:
            if target.host != self._host:
                self._choose_site(target.host)
            found: Any = self._directory.find(_method_of(head), path)
            if type(found) is Guarded:
                found, _ = self._admitted(found, head, self._request(head, path, None))
                self._early[id(head)] = (head, found)
        except Exception as error:  # whatever a guard raises ends this request only
            return self._failed(error, path, "")
        answer = found.target if type(found) is Found else found
        return self._with_page(answer, head) if type(answer) is Response else None

    def forget(self, head: RequestHead) -> None:
        """Take note that a request of `look_ahead` is over."""
        self._early.pop(id(head), None)

    def forget_user(self, head: RequestHead) -> None:
        """Take note that a request comes into no log any longer."""
        self._users.pop(id(head), None)

    def site_of(self, head: RequestHead) -> str:
        """Return the name of the site that answers a request."""
        if head.target.host != self._host:
            self._choose_site(head.target.host)
        return self._site

    def error(self, status: int, explain: str) -> Response:
        """Return the answer for what is no request, or what went wrong; the site's page if any."""
        return self._with_page(error_response(status, explain), None)

    def log_answer(self, head: RequestHead, status: int, sent: int, now: float) -> None:
        """Write a request and what it got into the site's log, if it has one.

        ``sent`` counts the bytes of the body that were sent, ``now`` is in seconds since 1970.
        """
        self._counters[self._count_names.bytes_sent] += sent
        lines = self._log_lines
        if lines is not None:
            target = head.target
            asked = target.sent_path
            if target.query:
                asked = f"{asked}?{target.query}"
            request = f"{head.method} {asked} HTTP/{VERSIONS[head.version]}"
            names, values = head.fields.lines() if self._log_fields else ("", "")
            # The head is kept with the user: its number may be that of another one later.
            user = self._users.pop(id(head), (head, ""))[1] if self._users else ""
            client = self._client_of(head)
            lines.add((client, now, request, names, values, status, sent, user))

    def log_refused(self, head: RequestHead | None, status: int, sent: int, now: float) -> None:
        """Write into the log what was answered without asking a page.

        ``head`` is that of the request, None for what is none.
        """
        if head is not None:
            count_answer(self._counters, self._count_names, head.method, status, 0.0)
            self.log_answer(head, status, sent, now)
            return
        count_rejected(self._counters, self._count_names, status)
        if self._log_lines is not None:
            self._log_lines.add((self._client, now, "- - -", "", "", status, sent, ""))

    def end(self) -> None:
        """Take note that the connection ends: what it has logged is sent to the log."""
        if self._log_lines is not None:
            self._log_lines.hurry()

    # --- the site --------------------------------------------------------------------------

    def _choose_site(self, host: str | None) -> None:
        """Take the site of a host; unknown and missing ones get the daemon's own."""
        daemon = self.daemon
        found = None if host is None or daemon is None else daemon.site_of(host)
        self._meet_site(*(self._default if found is None else found))
        self._host = host

    def _meet_site(self, site: str, directory: Any) -> None:
        """Ask what is to be known of a site, and then take all of it at once.

        Another request of the connection may come while this one waits, and must not be answered by
        the site before.
        """
        compresses = False
        lines = None
        log_fields = False
        # A directory that is gone is found out when it is asked for a page.
        with contextlib.suppress(vista.NoSuchObject):
            compresses = directory.get_compression() == EVERYTHING
        # Without a log, or with one that is gone, requests are answered all the same.
        with contextlib.suppress(vista.VistaError):
            logger = vista.service(f"HTTPlogger:{site}")
            log_fields = logger.needs_fields()
            lines = lines_to(logger)
        self._site, self._directory, self._compresses = site, directory, compresses
        self._log_lines, self._log_fields = lines, log_fields
        self._count_names = names_of(site)
        self._met = perf_counter()

    # --- the page --------------------------------------------------------------------------

    def _answer(
        self, head: RequestHead, path: str, body: RequestBody | None, again: bool = True
    ) -> tuple[Any, Pairs]:
        extra: Pairs = ()
        target: Any = None
        result: Any = None
        request: Request | None = None
        message, asynchronous, acts_for, far = "get_request", False, "", False
        try:
            found = self._find(head, path)
            if type(found) is Guarded:
                request = self._request(head, path, body)
                found, request = self._admitted(found, head, request)
            target = found
            if type(found) is Found:
                extra, message, acts_for = found.fields, found.message, found.acts_for
                asynchronous, target, far = found.asynchronous, found.target, found.is_far
            if type(target) is Response:
                answer = target if target.status < 400 else self._with_page(target, head)
                return answer, extra
            if request is None:
                request = self._request(head, path, body)
            if message == WEBSOCKET_REQUEST:
                origins = self._directory.get_websocket_origins()
                limits = self._terms.limits
                return open_websocket(head, target, request, limits, origins, acts_for), extra
            with vista.timeout(self._terms.limits.request_seconds):
                if acts_for:
                    result = _call_as(acts_for, target, message, asynchronous, far, request)
                elif asynchronous or far:
                    result = _call(target, message, asynchronous, request)
                elif message == "get_request":
                    result = target.get_request(request)
                else:
                    result = vista.send(target, message, request)
        except Exception as error:  # whatever a handler raises ends this request only
            gone = isinstance(error, vista.NoSuchObject | vista.ObjectDeleted)
            if gone and again and target is not None and self._is_forgotten(path, target):
                return self._answer(head, path, body, again=False)
            return self._failed(error, path, acts_for), extra
        if type(result) is str:
            return result, extra
        response = as_response(result)
        if response is None or type(response.status) is not int:
            _log.error("%s: %s returned %s, which is no answer", path, message, type(result))
            end_source(result)
            return self.error(500, "The page could not be made."), extra
        return response, extra

    def _find(self, head: RequestHead, path: str) -> Any:
        """Ask the directory who answers; for a file it may be the answer at once."""
        method = head.method if head.upgrade is None else _method_of(head)
        fields = head.fields.combined
        if method == "GET" and CONDITIONAL.isdisjoint(fields):
            return self._directory.find_plain(path, fields.get("accept-encoding", ""))
        return self._directory.find(method, path)

    def _admitted(
        self, guarded: Guarded, head: RequestHead, request: Request
    ) -> tuple[Found, Request]:
        """Ask a guard; return who answers, or its refusal, and the request with its user."""
        early = self._early.get(id(head))
        found: Any
        if early is not None:
            found = early[1]
        else:
            with vista.timeout(self._terms.limits.request_seconds):
                found = guarded.guard.admit_request(request, _method_of(head))
        if type(found) is not Found:
            assert type(found) is Response, "a guard returns Found or Response"
            return Found(found, fields=guarded.fields), request
        if found.user and self._log_lines is not None:
            self._users[id(head)] = (head, found.user)
        return found, request._replace(user=found.user, session=found.session)

    def _compressed(self, page: Any, head: RequestHead) -> Response:
        """Return the form of an answer that the client wants most."""
        response = Response(page) if type(page) is str else page
        try:
            return compressed(response, head.fields.combined.get("accept-encoding", ""))
        except (vista.VistaError, TypeError, ValueError) as error:
            # It goes out as it is, unless what is wrong with it keeps it from being sent at all.
            _log.warning("%s: not compressed: %r", head.target.sent_path, error)
            return response

    def _is_forgotten(self, path: str, target: Any) -> bool:
        """Have the directory forget an object that is gone; return whether it was the one."""
        forgotten: bool = self._directory.forget_object(path, target)
        return forgotten

    def _request(self, head: RequestHead, path: str, body: RequestBody | None) -> Request:
        target = head.target
        names, values = head.fields.lines()
        # Made as a tuple is, which takes half the time: all of its fields in their order.
        whole, upload, parts, uploads = b"", None, None, None
        trailers = _NO_TRAILERS
        if body is not None:
            whole, upload, parts, uploads = body.whole(), body.upload, body.parts, body.uploads
            trailers = body.trailers.lines()
        return _tuple_of(Request, (
            head.method, path, target.query, names, values, whole, target.host or "", self._site,
            self._client_of(head), VERSIONS[head.version], self._is_secure(head), "", "", upload,
            parts, uploads, *trailers,
        ))  # fmt: skip

    def _failed(self, error: Exception, path: str, acts_for: str) -> Response:
        """Return the answer for what a handler raised, or for what became of it."""
        if isinstance(error, RequestRejected):
            return self.error(error.status, error.explain)
        if acts_for and isinstance(error, vista.AccessDenied):
            _log.warning("%s: %s", path, error)
            return self.error(403, "You may not do this.")
        _log.error("%s: no answer: %r", path, error, exc_info=error)
        if isinstance(error, vista.CallTimeout):
            return self.error(504, "The object that makes this page did not answer in time.")
        if isinstance(error, vista.PeerLost):
            return self.error(502, "The node that makes this page cannot be reached.")
        if isinstance(error, vista.Overloaded):
            return self.error(503, "The object that makes this page has too much to do.")
        return self.error(500, "The page could not be made.")

    def _with_page(self, response: Response, head: RequestHead | None) -> Response:
        """Put the site's own page in the place of the plain one of an error."""
        try:
            return site_page(self._directory, response, "GET" if head is None else head.method)
        except vista.VistaError as error:
            _log.error("the error page for %d: %r", response.status, error)
            return response


def _method_of(head: RequestHead) -> str:
    """The method as the directory knows it."""
    return WEBSOCKET if asks_for_websocket(head) else head.method


def _call_as(
    user: str, target: Any, message: str, asynchronous: bool, far: bool, request: Request
) -> Any:
    """Call a page in the name of a user."""
    with vista.acting_as(user):
        if asynchronous or far:
            return _call(target, message, asynchronous, request)
        return vista.send(target, message, request)


def _call(target: Any, message: str, asynchronous: bool, request: Request) -> Any:
    """Call a page that answers by a message of its own, or one on another node."""
    if asynchronous:
        return await_reply(target, message, request)
    return await_answer(vista.future(target, message, request))
