"""The object that lets people in, and has their sessions make the pages."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any, Final, Literal

import vista
from apps.http.browser.bounds import LIVE_MAX, NAME_CHARACTERS_MAX
from apps.http.browser.entrance import Entrance, Session, drawn, is_same_origin
from apps.http.browser.feed import HTTPbrowserFeed
from apps.http.browser.frame import Addresses, Framing, Page, framed
from apps.http.browser.markup import Html, tag
from apps.http.browser.object_pages import trouble_page
from apps.http.browser.session import (
    SECURITY,
    HTTPobjectBrowser,
    fields_of_form,
)
from apps.http.content.resources import Request, Response
from apps.http.objects.found import service_name
from apps.http.syntax.cookies import set_cookie

_log = logging.getLogger("vista.http")

STATIC: Final = {
    "browser.css": "text/css; charset=utf-8",
    "browser.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that the pages need, with their types."""

_DIRECTORY: Final = Path(__file__).parent / "static"
_KEPT: Final = ("Cache-Control", "private, max-age=31536000, immutable")


class HTTPcreateObjectBrowserSession(vista.Object, namespace="HTTP"):
    """Serves the object browser at an address of a site.

    rc line: ``HTTPcreateObjectBrowserSession www.harbour.example /browser``

    ``create(site, path, user, authentication)``: ``path`` is where the pages stand, ``/browser`` if
    nothing is said. Everything is asked and sent in the name of ``user``, by default that of
    whoever makes the object: access lists hold for people at the browser as for everybody else.

    Nobody comes in without a key. The log tells a link with one that serves once; it opens a
    session, which lasts until its owner signs out or is idle for twelve hours. `new_link` gives
    another link; the object is the service ``HTTPobjectBrowser:SITE``.

    With ``site`` as ``authentication`` people come in by the name and password that an
    `HTTPprotectedDirectory` at the same address asks for; it must let them send POST, too, if they
    are to send messages. Where the profile says as which user the pages of such a user are called,
    they ask and send in that name.

    The original's HTTPcreateObjectBrowserSession.
    """

    def create(
        self,
        site: str,
        path: str = "/browser",
        user: str = "",
        authentication: Literal["link", "site"] = "link",
    ) -> None:
        """Register for the addresses, and tell the link."""
        if authentication not in ("link", "site"):
            raise vista.BadValueError(f"authentication is link or site, not {authentication!r}")
        self.authentication = authentication
        self.maker = vista.current_user()
        self.user = user or self.maker
        with vista.acting_as(self.user):
            pass  # whoever makes it must be allowed to act so
        if not path.startswith("/") or "//" in path:
            raise vista.BadValueError(
                f"the browser stands at an address such as /browser, not {path!r}"
            )
        self.path = path.rstrip("/")
        self.site = site
        self.feeds: dict[tuple[vista.Ref, str], vista.Ref] = {}
        self._entrance = Entrance()
        self._cookie = f"vista-browser-{vista.id_of(self)}"
        self._files = {name: (_DIRECTORY / name).read_bytes() for name in STATIC}
        self._version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]
        self.url_directory = vista.service(service_name(site))
        me = vista.self_ref(self)
        vista.register_service(f"HTTPobjectBrowser:{site}", me)
        self.url_directory.register_directory_handler(f"{self.path}/", me)
        if self.path:
            self.url_directory.register_object(self.path, me)
        if authentication == "link":
            _log.info("the object browser of %s: %s", site, self.new_link())

    def delete(self) -> None:
        """Leave the directory and end all sessions."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_directory_handler", f"{self.path}/", me)
        vista.future(self.url_directory, "unregister_object", self.path, me)
        self.system_shutdown()
        for session in self._entrance.sessions():
            self._end(session)

    def new_link(self) -> str:
        """Return a link that lets in whoever opens it first; the one before serves no more.

        Raises `AccessDenied` for those who may not act as the browser's user, and `BadValueError`
        when people come in by their passwords.
        """
        if self.authentication != "link":
            raise vista.BadValueError("here people come in by the passwords of the site")
        with vista.acting_as(self.user):
            root = _root_of(self.site) or f"http://{self.site}/"
        return f"{root.rstrip('/')}{self.path}/?key={self._entrance.new_key()}"

    def handler_replaced(self, path: str) -> None:
        """Take note that somebody else answers at the address."""
        _log.warning("the object browser does not answer at %s any longer", path)

    def system_shutdown(self) -> None:
        """Have the pages that are kept live come to their end."""
        for feed in self.feeds.values():
            vista.future(feed, "delete_yourself")

    def load_object(self, path: str) -> vista.Ref:
        """Answer every address below that of the browser."""
        return vista.self_ref(self)

    # --- requests --------------------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Return a page, or let somebody in who has a key."""
        path = request.path.removeprefix(self.path)
        if not path:
            # Cookies are for what is below the address.
            asked = f"?{request.query}" if request.query else ""
            return _see_other(f"{Addresses(self.path).to()}{asked}")
        if path.startswith("/static/"):
            return self._static(path.removeprefix("/static/"))
        key = fields_of_form(request.query).get("key", "") if path == "/" else ""
        if key and request.method == "GET" and not request.field("Sec-Purpose"):
            return self._let_in(request, key)
        session = self._session(request)
        if session is None:
            return self._closed(403, "", request)
        if path == "/live":
            return self._live(session, request)
        return self._ask(session, request, path)

    def post_request(self, request: Request) -> Response:
        """Send a message, sign out, or let somebody in who has a key."""
        path = request.path.removeprefix(self.path)
        if not is_same_origin(request.field("Origin"), request.field("Host")):
            return self._closed(403, "This form comes from another site.", request)
        form = fields_of_form(request.body)
        if path == "/enter":
            return self._let_in(request, form.get("key", "").strip())
        session = self._session(request)
        if session is None:
            return self._closed(403, "", request)
        if not session.owns(form.get("csrf", "")):
            return self._closed(403, "This form is not one of your session.", request)
        if path == "/leave":
            self._entrance.end(session)
            self._end(session)
            return self._closed(
                200, "You are signed out.", request, self._cookie_line("", request, 0)
            )
        return self._ask(session, request, path)

    def _ask(self, session: Session, request: Request, path: str) -> Response:
        made: Response = session.browser.answer(request, path)
        return made

    # --- coming in -------------------------------------------------------------------------

    def _session(self, request: Request) -> Session | None:
        if self.authentication == "site":
            return self._session_of_user(request.user) if request.user else None
        key = request.cookie(self._cookie)
        return self._entrance.find(key, time.monotonic()) if key else None

    def _session_of_user(self, name: str) -> Session:
        """Return the session of who logged in at the site, begun when there is none.

        Whoever may send messages to this object can say any name. So what counts for the access
        lists is who sent the message: it has a session of its own.
        """
        try:
            with vista.acting_as(self.user):
                user = self.user
        except vista.AccessDenied:
            user = vista.current_user()
        key = f"{user}\n{name}"
        session = self._entrance.find(key, time.monotonic())
        if session is None:
            self._begin(key, user)
            session = self._entrance.find(key, time.monotonic())
        assert session is not None, "it has just begun"
        return session

    def _begin(self, key: str, user: str) -> None:
        """Begin a session, with who makes its pages, and end those whose place it takes."""
        csrf, leaving = drawn(), self.authentication == "link"
        browser = vista.create(
            HTTPobjectBrowser, self.path, user, csrf, self._version, leaving, acl=self._acl()
        )
        for ended in self._entrance.begin(key, csrf, browser, time.monotonic()):
            self._end(ended)

    def _acl(self) -> vista.AccessControlList:
        """Return who may have pages made: not everybody who can send messages to this node."""
        users = dict.fromkeys((self.maker, self.user, vista.current_user()))
        return vista.AccessControlList(tuple(("allow", user, "*") for user in users))

    def _let_in(self, request: Request, key: str) -> Response:
        if not self._entrance.redeem(key):
            if self._session(request) is not None:
                return _see_other(Addresses(self.path).to())
            return self._closed(
                403, "This link has served already, or is not the last one.", request
            )
        key = drawn()
        self._begin(key, self.user)
        _log.info("%s came into the object browser of %s", request.client, self.site)
        # No redirect: a browser that comes from another site would not send a strict cookie along.
        # The page leads on by itself, or by its link.
        page = Page(
            "You are in",
            tag("p", tag("a", "Open the object browser", href=Addresses(self.path).to())),
        )
        text = self._framed(page).replace("<head>", f"<head>{_lead_on(self.path)}", 1)
        return Response(text, 200, (*SECURITY, self._cookie_line(key, request)))

    def _cookie_line(self, key: str, request: Request, age: int | None = None) -> tuple[str, str]:
        return "Set-Cookie", set_cookie(
            self._cookie,
            key,
            path=f"{self.path}/",
            max_age=age,
            secure=request.secure,
            same_site="Strict",
        )

    def _closed(
        self, status: int, words: str, request: Request, *fields: tuple[str, str]
    ) -> Response:
        """Return the page for those who are not in, with a form for a key."""
        if self.authentication == "site":
            words = (
                words or "The browser is behind no HTTPprotectedDirectory that asks who you are."
            )
            page = trouble_page(Addresses(self.path), status, "Access denied", words, False)
        else:
            page = Page("Sign in", _sign_in(Addresses(self.path), words, self.site), status)
        return Response(self._framed(page), status, (*SECURITY, *fields))

    def _framed(self, page: Page) -> str:
        frame = Framing(Addresses(self.path), self.site, "", self._version)
        return framed(page, frame)

    def _end(self, session: Session) -> None:
        vista.post(session.browser, "delete_yourself")

    # --- files and streams -----------------------------------------------------------------

    def _static(self, name: str) -> Response:
        data = self._files.get(name)
        if data is None:
            page = trouble_page(Addresses(self.path), 404, "Not found", "No such file.", False)
            return Response(self._framed(page), 404, SECURITY)
        fields = (("Content-Type", STATIC[name]), _KEPT, ("X-Content-Type-Options", "nosniff"))
        return Response(data, 200, fields)

    def _live(self, session: Session, request: Request) -> Response:
        view = fields_of_form(request.query).get("view", "")[: 4 * NAME_CHARACTERS_MAX]
        feed = self._open_feed(session.browser, view)
        if feed is None:
            fields = (("Retry-After", "60"), ("Content-Type", "text/plain"))
            return Response("Too many pages are kept live.", 503, fields)
        try:
            joined: Response = feed.join(request)
        except vista.NoSuchObject:
            # It ended at this moment; the client comes again.
            return Response("Once more, please.", 503, (("Retry-After", "1"),))
        return joined

    def _open_feed(self, browser: vista.Ref, view: str) -> vista.Ref | None:
        """Return the feed of a page of a session, made if need be; None when there are too many."""
        feed = self.feeds.get((browser, view))
        if feed is None and len(self.feeds) < LIVE_MAX:
            me = vista.self_ref(self)
            made = vista.create(HTTPbrowserFeed, me, browser, view, acl=self._acl())
            # Another request may have come while it was made.
            feed = self.feeds.setdefault((browser, view), made)
            if feed != made:
                vista.post(made, "delete_yourself")
        return feed

    def feed_ended(self, browser: vista.Ref, view: str, feed: vista.Ref) -> None:
        """Forget a feed that ended; it posts it."""
        if self.feeds.get((browser, view)) == feed:
            del self.feeds[browser, view]


def _see_other(address: str) -> Response:
    return Response(b"", 303, (("Location", address), *SECURITY))


def _lead_on(path: str) -> Html:
    return tag("meta", http_equiv="refresh", content=f"0; url={Addresses(path).to()}")


def _sign_in(addresses: Addresses, words: str, site: str) -> Html:
    """Return the form for a key, and where one is found."""
    return Html(
        (tag("p", words, class_="notice plain", role="status") if words else "")
        + tag(
            "form",
            tag("label", "Key", for_="key"),
            tag("input", id="key", name="key", type="password", required=True, autocomplete="off"),
            tag("button", "Sign in"),
            method="post",
            action=addresses.to("enter"),
            class_="filter",
        )
        + tag(
            "p",
            "The log of the node tells a link that serves once. This gives another one:",
            class_="note",
        )
        + tag("pre", f"vista send HTTPobjectBrowser:{site} new_link")
    )


def _root_of(site: str) -> str:
    """Return the URL of a site, as the daemon tells it that listens for it; empty without one."""
    here: Any = vista.here()
    for row in here.list_objects("HTTP.HTTPdaemon"):
        daemon = vista.ref_of(row.id)
        told = daemon.extract_instance_variables("site").get("site")
        if told == site:
            return str(daemon.get_url())
    return ""
