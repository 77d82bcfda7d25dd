"""The object that makes the pages of one session."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode

import vista
from apps.http.browser import node_pages, object_pages
from apps.http.browser.asking import (
    GoneError,
    ask_class,
    ask_node,
    ask_nodes,
    ask_object,
    ask_rows,
    creator_of,
    node_of,
    parsed,
    words_of,
)
from apps.http.browser.bounds import (
    ANSWER_SECONDS,
    FORM_FIELDS_MAX,
    NAME_CHARACTERS_MAX,
    NODES_MAX,
    RESULT_CHARACTERS_MAX,
    ROWS_MAX,
    SEND_SECONDS,
    TEXT_CHARACTERS_MAX,
)
from apps.http.browser.figures import seconds
from apps.http.browser.frame import Addresses, Framing, Page, framed
from apps.http.browser.markup import tag
from apps.http.browser.rates import Rates
from apps.http.browser.typed import Mistyped, read_arguments
from apps.http.content.resources import Request, Response

SECURITY = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Cache-Control", "no-store"),
    # Not no-referrer: with it a form says Origin: null.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""What every page says to the client: nothing from elsewhere, nothing kept, nothing told on."""

Fields = Mapping[str, str]


class HTTPobjectBrowser(vista.Object, namespace="HTTP"):
    """Makes the pages of the object browser for one session.

    `HTTPcreateObjectBrowserSession` makes it, and it is deleted with the session. ``create(root,
    user, csrf, version, leaving)``: the address below which the pages stand, in whose name all is
    asked and sent, what forms carry, the version of style and script, and whether the session can
    be left.

    The original's HTTPobjectBrowser, with its HTTPdisplayObject.
    """

    def create(self, root: str, user: str, csrf: str, version: str, leaving: bool = True) -> None:
        """Begin without having looked at anything."""
        self.user = user
        name = vista.here().get_name()
        self._frame = Framing(Addresses(root), name, csrf, version, leaving=leaving)
        self._rates = Rates()

    def answer(self, request: Request, path: str) -> Response:
        """Return the page at ``path``, which begins below the root, for a request."""
        with vista.acting_as(self.user):
            query = fields_of_form(request.query)
            if path == "/find":
                return self._find(query.get("q", ""))
            sent = fields_of_form(request.body) if request.method == "POST" else None
            page = self._page_or_trouble(path, query, sent)
        asked = urlencode(query)
        live = "" if sent is not None else f"{path}{'?' if asked else ''}{asked}"
        return self._response(page, live)

    def get_root(self) -> str:
        """Return the address below which the pages stand."""
        return self._frame.addresses.root

    def make_object_alias(self, target: Any, well_known_name: str = "") -> str:
        """Return a link in HTML to the page of an object, given by its Id, the Id's text or a Ref.

        ``well_known_name`` is what it is called in place of its Id.
        """
        id = parsed(target) if isinstance(target, str) else vista.id_of(target)
        return str(tag("a", well_known_name or str(id), href=self._frame.addresses.object(id)))

    def live_parts(self, view: str) -> tuple[dict[str, str], str]:
        """Return the parts of a page that are kept live, and what was wrong with it if anything.

        ``view`` is the path of the page below the root, and its query.
        """
        path, _, asked = view.partition("?")
        with vista.acting_as(self.user):
            page = self._page_or_trouble(path, fields_of_form(asked), None)
        parts = {name: str(part) for name, part in page.parts.items()}
        return parts, "" if page.status == 200 else page.title

    def _response(self, page: Page, live: str) -> Response:
        framing = replace(self._frame, path=live)
        return Response(framed(page, framing), page.status, SECURITY)

    # --- which page ------------------------------------------------------------------------

    def _page_or_trouble(self, path: str, query: Fields, sent: Fields | None) -> Page:
        addresses = self._frame.addresses
        try:
            return self._page(path, query, sent)
        except GoneError as error:
            title, status, text = "Not found", 404, str(error)
        except vista.NoSuchObject:
            title, status = "The object is gone", 404
            text = "No object has this Id any longer, or none ever had."
        except (vista.CallError, vista.BadValueError) as error:
            title, status = trouble_of(error)
            text = words_of(error)
        return object_pages.trouble_page(addresses, status, title, text, True)

    def _page(self, path: str, query: Fields, sent: Fields | None) -> Page:
        steps = [step for step in path.split("/") if step]
        if sent is not None and not (len(steps) == 3 and steps[2] == "send"):
            raise GoneError("Nothing can be sent to this address.")
        match steps:
            case []:
                return self._overview()
            case ["node", node]:
                return self._node(node, "", query)
            case ["node", node, "class", name, version]:
                return self._class(node, name, version)
            case ["node", node, page]:
                return self._node(node, page, query)
            case ["object", id]:
                return self._object(parsed(id))
            case ["object", id, "send"]:
                return self._send(parsed(id), query, sent)
        raise GoneError("There is no page at this address.")

    def _overview(self) -> Page:
        nodes = ask_nodes()
        for seen in nodes:
            self._note(seen)
        others = max(0, len(vista.peers()) + 1 - NODES_MAX)
        return node_pages.overview(self._frame.addresses, nodes, self._rates, others)

    def _note(self, seen: Any) -> None:
        if not seen.trouble:
            up, calls = seen.figure("uptime_seconds"), seen.figure("threads_started")
            self._rates.note(seen.text, up, calls)

    def _node(self, node: str, page: str, query: Fields) -> Page:
        id = creator_of(node)
        seen = ask_node(id)
        self._note(seen)
        addresses, first = self._frame.addresses, _first(query)
        part = (first, ROWS_MAX + 1)
        if page == "":
            return node_pages.node_overview(addresses, seen, self._rates)
        if page == "objects":
            pattern = query.get("pattern", "").strip()[:NAME_CHARACTERS_MAX]
            known = seen.statistics.get("objects_by_class", ())
            wanted = pattern if pattern in known or "*" in pattern else f"*{pattern}*"
            rows = ask_rows(id, "list_objects", vista.ObjectRow, wanted, *part)
            return node_pages.objects_page(addresses, seen, rows, pattern, first)
        if page == "classes":
            classes = ask_rows(id, "list_classes", vista.ClassRow)
            return node_pages.classes_page(addresses, seen, classes, first)
        if page == "threads":
            threads = ask_rows(id, "list_threads", vista.ThreadRow, None, *part)
            return node_pages.threads_page(addresses, seen, threads, first)
        if page == "services":
            services = ask_rows(id, "list_services", vista.ServiceRow, *part)
            return node_pages.services_page(addresses, seen, services, first)
        if page == "methods":
            return node_pages.methods_page(addresses, seen, query.get("sort", "p99"))
        raise GoneError("A node has no such page.")

    def _class(self, node: str, name: str, version: str) -> Page:
        namespace, _, bare = name.partition(".")
        if not bare or not version.isdecimal() or len(version) > 9:
            raise GoneError(f"“{name[:80]}” is no name of a class.")
        seen = ask_node(creator_of(node))
        kind = vista.ClassName(namespace, bare, int(version))
        told = ask_class(seen.id, kind)
        return object_pages.class_page(self._frame.addresses, seen, kind, told)

    def _object(self, id: vista.Id) -> Page:
        seen = ask_object(id)
        return object_pages.object_page(self._frame.addresses, seen, _name_of(seen.node))

    # --- sending ---------------------------------------------------------------------------

    def _send(self, id: vista.Id, query: Fields, sent: Fields | None) -> Page:
        frame = self._frame
        given = query if sent is None else sent
        method, arguments = given.get("method", "").strip(), given.get("arguments", "")
        outcome = None if sent is None else deliver(id, method, arguments)
        form = object_pages.SendForm(method, arguments, self.user, frame.csrf)
        try:
            seen = ask_object(id)
        except vista.NoSuchObject:
            if outcome is None:
                raise
            # What was sent was its end.
            text = outcome.text if outcome.failed else "It was sent, and the object is gone."
            return object_pages.trouble_page(frame.addresses, 200, "The object is gone", text, True)
        name = _name_of(seen.node)
        return object_pages.send_page(frame.addresses, seen, name, form, outcome)

    def _find(self, text: str) -> Response:
        addresses, text = self._frame.addresses, text.strip()
        try:
            try:
                id = vista.Id.parse(text)
            except vista.BadValueError:
                id = vista.id_of(vista.service(text))
        except (vista.CallError, vista.BadValueError) as error:
            words = words_of(error)
            page = object_pages.trouble_page(addresses, 404, "Not found", words, True)
            return self._response(page, "")
        return Response(b"", 303, (("Location", addresses.object(id)), *SECURITY))


def deliver(id: vista.Id, method: str, arguments: str) -> object_pages.Sent:
    """Send a message whose arguments were typed, and return what became of it."""
    try:
        given, named = read_arguments(arguments)
    except Mistyped as error:
        return object_pages.Sent(refused=str(error))
    began = time.monotonic()
    with vista.timeout(SEND_SECONDS):
        try:
            sent = vista.future(vista.ref_of(id), method, *given, **named)
        except vista.VistaError as error:
            return object_pages.Sent(refused=words_of(error))
        raised = sent.exception()
    took = seconds(time.monotonic() - began)
    if raised is None:
        return object_pages.Sent(vista.outline(sent.result(), RESULT_CHARACTERS_MAX), seconds=took)
    told = getattr(raised, "remote_traceback", "") or "".join(traceback.format_exception(raised))
    return object_pages.Sent(
        words_of(raised)[:TEXT_CHARACTERS_MAX], True, str(told)[-TEXT_CHARACTERS_MAX:], seconds=took
    )


def trouble_of(error: BaseException) -> tuple[str, int]:
    """Return what an error means for a page: its title and its status."""
    for kinds, title, status in (
        ((vista.NoSuchClass, vista.NoSuchService), "Not found", 404),
        ((vista.AccessDenied,), "Access denied", 403),
        ((vista.PeerLost,), "The node cannot be reached", 502),
        ((vista.CallTimeout,), "No answer in time", 504),
        ((vista.Overloaded,), "Too much to do", 503),
        ((vista.BadValueError,), "This cannot be asked", 400),
    ):
        if isinstance(error, kinds):
            return title, status
    return "The node does not answer as it should", 502


def fields_of_form(text: str | bytes) -> dict[str, str]:
    """Return the fields of a form or a query by name, the first of each; none of what is bad."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _first(query: Fields) -> int:
    text = query.get("first", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _name_of(node: vista.Id) -> str:
    """Return what a node is called, its identity when it does not say."""
    call = vista.future(vista.ref_of(node), "get_name")
    with vista.timeout(ANSWER_SECONDS):
        if call.exception() is None and isinstance(call.result(), str):
            return call.result() or node_of(node)
    return node_of(node)
