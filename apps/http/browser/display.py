"""One object as a page at an address of its own."""

from __future__ import annotations

from typing import Any

import vista
from apps.http.browser.asking import ObjectSeen, ask_object, words_of
from apps.http.browser.frame import Addresses, linked
from apps.http.browser.markup import Html, tag
from apps.http.browser.session import SECURITY
from apps.http.content.resources import Request, Response, error_response
from apps.http.objects.cached import HTTPcachedObject
from apps.http.objects.found import service_name

VALID_SECONDS = 60
"""What it says of how long it is good: it is made anew for each request."""


class HTTPdisplayObject(HTTPcachedObject, namespace="HTTP"):
    """Shows what one object is at this moment, here or on another node, at an address of a site.

    ``create(url_directory, session_name, browser, name, target, user)``: ``url_directory`` is the
    directory of a site or the site's name, ``session_name`` a title, ``browser`` the
    `HTTPobjectBrowser` to whose pages the Ids of objects lead, or nil, ``name`` the address, and
    ``target`` the object. All is asked in the name of ``user``, by default that of the node.

    The page is for everybody who reaches its address: put it where a guard is. It goes with this
    object; when ``target`` is gone, it says so with 404.

    rc line: ``HTTPdisplayObject www.harbour.example Harbour nil /staff/harbour $harbour``

    The original's HTTPdisplayObject.
    """

    def create(
        self,
        url_directory: Any,
        session_name: str,
        browser: vista.Ref | None,
        name: str,
        target: vista.Ref,
        user: str = "",
    ) -> None:
        """Register for the address."""
        self.initialize(vista.ref_of(service_name(url_directory)), name)
        self.session_name, self.page_name = session_name, name
        self.browser = browser
        self.data_object = vista.id_of(target)
        self.user = user
        self._addresses = None if browser is None else Addresses(browser.get_root())
        self.url_directory.register_object(name, vista.self_ref(self))

    def check_if_still_valid(self, current_time: int | None = None) -> int:
        """Return `VALID_SECONDS`: nothing of it is kept."""
        return VALID_SECONDS

    def get_request(self, request: Request) -> Response:
        """Answer with what the object is at this moment."""
        try:
            shown = self.format_object(self.data_object)
        except vista.NoSuchObject:
            return error_response(404, "The object is gone.", SECURITY)
        except vista.CallError as error:
            return error_response(502, words_of(error), SECURITY)
        title = Html(tag("title", self.session_name))
        head = Html('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">') + title
        return Response(
            f"{head}</head>\n<body>{tag('h1', self.session_name)}\n{shown}</body></html>\n",
            200,
            SECURITY,
        )

    def format_object(self, target: Any) -> str:
        """Return an object as HTML: its class, Id, methods' names and variables.

        Raises `vista.NoSuchObject`, and another `vista.CallError` where its node cannot be asked.
        """
        id = vista.id_of(target)
        if not self.user:
            return self._format(ask_object(id))
        with vista.acting_as(self.user):
            return self._format(ask_object(id))

    def _format(self, seen: ObjectSeen) -> str:
        rows = [
            tag("tr", tag("th", name), tag("td", kind), tag("td", self._shown(value)))
            for name, kind, value in seen.variables
        ]
        about = f"{seen.class_name or 'an object'} {seen.id}"
        troubles = [tag("p", text) for text in seen.troubles.values()]
        methods = tag("p", ", ".join(row.name for row in seen.methods))
        return str(Html(tag("p", about) + "".join(troubles) + tag("table", *rows) + methods))

    def _shown(self, value: str) -> Html:
        """A value in text form, in which Ids lead to the pages of the browser if there is one."""
        return tag("code", value if self._addresses is None else linked(self._addresses, value))
