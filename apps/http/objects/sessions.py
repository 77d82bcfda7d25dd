"""Sessions: applications that a user has to himself, and who is who between requests."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from typing import Any
from urllib.parse import quote

import vista
from apps.http.content.resources import Request, Response, error_response
from apps.http.content.sessions import (
    IDLE_SECONDS,
    SECRET_BYTES,
    SESSION_ID_BYTES,
    SESSIONS_MAX,
    UNUSED_SECONDS,
    Session,
    SessionTable,
)
from apps.http.objects.found import Found, service_name
from apps.http.syntax.cookies import set_cookie

SERVICE = "AllocateSessionID"
"""The service that knows the sessions of a node's pages."""
COOKIE_NAME = "session"
"""The cookie that holds the secret, unless something else is said."""
EXPIRY_SECONDS = 15.0
"""How often it is looked which sessions are over."""
MARK = "sessions"
"""The name below an application's page under which its sessions have their addresses."""

_KEY_BYTES = 32


class AllocateSessionID(vista.Object, namespace="HTTP"):
    """Knows sessions: makes their Ids, knows their browsers by a cookie, and ends what is over.

    rc line: ``AllocateSessionID``

    ``create(cookie_name="session", cookie_path="/", idle_seconds=1800, sessions_max=10000)``: a
    session that is not used for ``idle_seconds`` ends; if an object was registered for it, that is
    deleted. It becomes the service ``AllocateSessionID``.

    A page uses it so::

        def get_request(self, request):
            id, cookie = vista.service("AllocateSessionID").open_session(request)
            fields = (("Set-Cookie", cookie),) if cookie else ()
            return Response(f"<p>You are {id}</p>", fields=fields)

    The Id is no secret and the cookie never shows it: it is HttpOnly, SameSite=Lax, over TLS also
    Secure, and holds 256 random bits of which only a digest is kept.

    The original's AllocateSessionID.
    """

    def create(
        self,
        cookie_name: str = COOKIE_NAME,
        cookie_path: str = "/",
        idle_seconds: float = IDLE_SECONDS,
        sessions_max: int = SESSIONS_MAX,
    ) -> None:
        """Begin without sessions, and register the service."""
        self.begin(cookie_name, cookie_path, idle_seconds, sessions_max)
        vista.register_service(SERVICE, vista.self_ref(self))

    def begin(
        self,
        cookie_name: str,
        cookie_path: str,
        idle_seconds: float,
        sessions_max: int,
        unused_seconds: float | None = None,
    ) -> None:
        """Begin without sessions; a derived class calls it from ``create``.

        A session that was never used ends after ``unused_seconds``, by default as any other: who is
        given a form may take a while to fill it in.
        """
        if not idle_seconds > 0 or sessions_max < 1:
            raise vista.BadValueError("idle_seconds and sessions_max are above 0")
        set_cookie(cookie_name, "x", path=cookie_path)
        self.cookie_name = cookie_name
        self.cookie_path = cookie_path
        self.request_count = 0
        self._table = SessionTable(
            secrets.token_bytes(_KEY_BYTES), idle_seconds, sessions_max,
            unused_seconds=idle_seconds if unused_seconds is None else unused_seconds,
        )  # fmt: skip
        self.timer = vista.create("RepeatingTimerEvent", vista.self_ref(self), EXPIRY_SECONDS)

    def delete(self) -> None:
        """End every session."""
        if hasattr(self, "timer"):
            vista.post(self.timer, "delete_yourself")
        if hasattr(self, "_table"):
            for id in self._table.ids():
                self.note_session_terminated(id)

    # --- as in the original ----------------------------------------------------------------

    def make_session_id(self, reserve: bool = False) -> str:
        """Return an Id that no session has, 32 hex digits; with ``reserve`` nobody else gets it.

        It stays reserved as long as a session that nobody uses. Raises `vista.Overloaded` when
        there are too many.
        """
        self.request_count += 1
        id = secrets.token_hex(SESSION_ID_BYTES)
        if reserve and self._table.add(id, "", time.monotonic()) is None:
            raise vista.Overloaded(f"{len(self._table)} sessions are open; wait until some end")
        return id

    def register_session(self, session_id: str, target: Any) -> int:
        """Have an object be that of a session; it is deleted when the session ends. Returns 0.

        Raises `vista.Overloaded` when there are too many sessions.
        """
        now = time.monotonic()
        session = self._table.find(session_id, now) or self._table.add(session_id, "", now)
        if session is None:
            raise vista.Overloaded(f"{len(self._table)} sessions are open; wait until some end")
        session.target = vista.ref_of(target)
        self._table.touch(session, now)
        return 0

    def lookup_session(self, session_id: str) -> vista.Ref | None:
        """Return the object of a session, None for one that has none or is over."""
        session = self._table.find(session_id, time.monotonic())
        found: vista.Ref | None = None if session is None else session.target
        return found

    def note_session_terminated(self, session_id: Any, of_target: str = "") -> int:
        """End a session; its object sends this when it is deleted. Returns 0.

        Some objects of the original name themselves first and the session then.
        """
        session = self._table.remove(session_id if isinstance(session_id, str) else of_target)
        if session is not None:
            self._end(session)
        return 0

    # --- sessions by cookie ----------------------------------------------------------------

    def open_session(self, request: Request) -> tuple[str, str]:
        """Return the Id of a request's session, and the Set-Cookie value to answer with.

        If the request has no session, one is made; if it has, there is no cookie to set and the
        second is ``""``. Raises `vista.Overloaded` when there are too many.
        """
        session = self._session_of(request)
        if session is not None:
            return session.id, ""
        session = self._add(request)
        if session is None:
            raise vista.Overloaded(f"{len(self._table)} sessions are open; wait until some end")
        return session.id, self._cookie(session)

    def find_session(self, request: Request) -> str | None:
        """Return the Id of a request's session, None if it has none."""
        session = self._session_of(request)
        return None if session is None else session.id

    def log_in(self, session_id: str, user: str) -> str:
        """Have a session be a user's from here on; return the Set-Cookie value to answer with.

        The session gets another secret: who knew the one before, because he had planted it, is left
        with nothing. Send it also when a user's rights change, and with ``""`` when he logs out.
        Raises `vista.BadValueError` for a session that is over.
        """
        session = self._known(session_id)
        session.user = user
        return self._cookie(session)

    def get_user(self, session_id: str) -> str:
        """Return who logged in, ``""`` if nobody did or the session is over."""
        session = self._table.find(session_id, time.monotonic())
        return "" if session is None else session.user

    def form_token(self, session_id: str) -> str:
        """Return what every form of a session has to send back, in a hidden field.

        A page of somebody else's can have a browser send a form here, with its cookie; this text it
        cannot know. Raises `vista.BadValueError` for a session that is over.
        """
        return self._table.form_token(self._known(session_id))

    def check_form_token(self, session_id: str, token: str) -> bool:
        """Tell whether a form sent back what `form_token` gave to its session."""
        session = self._table.find(session_id, time.monotonic())
        return session is not None and self._table.is_form_token(session, token)

    def get_sessions(self) -> list[str]:
        """Return the Ids of the sessions, least recently used first."""
        return self._table.ids()

    def timer_expired(self, timer: Any = None, extra_data: Any = None) -> None:
        """End the sessions that are over; the timer sends it."""
        for session in self._table.expire(time.monotonic()):
            self._end(session)

    # --- inside ----------------------------------------------------------------------------

    def _known(self, session_id: str) -> Session:
        session = self._table.find(session_id, time.monotonic())
        if session is None:
            raise vista.BadValueError("there is no such session; it may be over")
        return session

    def _session_of(self, request: Request) -> Session | None:
        """Return the session of a request's cookie, None where there is none.

        It ends where a guard has let somebody else in than before: two people share a browser, and
        the cookie is that of the first.
        """
        session = self._table.use(request.cookie(self.cookie_name), time.monotonic())
        if session is None or not request.user:
            return session
        if session.guarded_as not in ("", request.user):
            self.note_session_terminated(session.id)
            return None
        session.guarded_as = request.user
        return session

    def _add(self, request: Request) -> Session | None:
        self.request_count += 1
        id = secrets.token_hex(SESSION_ID_BYTES)
        session = self._table.add(id, request.client, time.monotonic())
        if session is not None:
            session.user = session.guarded_as = request.user
            session.secure = request.secure
        return session

    def _cookie(self, session: Session) -> str:
        """Give a session another secret; return the value of Set-Cookie that tells its browser."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._table.give_secret(session, secret)
        return set_cookie(self.cookie_name, secret, path=self.cookie_path, secure=session.secure)

    def _end(self, session: Session) -> None:
        if session.target is not None:
            # In flight and not waited for: it may be gone, and mostly it is what told us.
            vista.future(session.target, "delete_yourself")


class HTTPcreateApplicationSession(AllocateSessionID, namespace="HTTP"):
    """Starts an application for each user who comes to a page; he has it to himself.

    rc line: ``HTTPcreateApplicationSession www.harbour.example /bridge BridgeSession``

    ``create(server_name, page, class_name, cookie_key=None, cookie_path=None, idle_seconds=1800,
    sessions_max=10000)``: ``server_name`` is a site, ``-`` that of the machine's name. Who asks for
    ``page`` gets an object of the class, made by ``create(url_directory, session_id, registry,
    address)``, and is led to ``address``, which is ``PAGE/sessions/ID``. If the object answers
    requests, it answers there; more of its pages it registers below. ``registry`` is this object:
    the application sends it ``note_session_terminated(session_id)`` when it is deleted, and may
    send what `AllocateSessionID` takes. Who comes back to ``page`` with his cookie is led to the
    session he has.

    Only the browser with the session's cookie reaches what is below its address; `Request.session`
    there is the Id and `Request.user` who logged in, by `log_in` or at ``page``. ``cookie_key`` is
    the cookie's name, ``cookie_path`` the part of the site it is sent for, by default ``page``.

    An application is deleted when its session was not used for ``idle_seconds``.

    The original's HTTPcreateApplicationSession.
    """

    def create(  # type: ignore[override]
        self,
        server_name: Any,
        page: str,
        class_name: str | vista.ClassName,
        cookie_key: str | None = None,
        cookie_path: str | None = None,
        idle_seconds: float = IDLE_SECONDS,
        sessions_max: int = SESSIONS_MAX,
    ) -> None:
        """Register for the page."""
        name, path = cookie_key or COOKIE_NAME, cookie_path or page
        self.begin(name, path, idle_seconds, sessions_max, UNUSED_SECONDS)
        self.initialize(server_name, page, class_name)

    def initialize(self, server_name: Any, page: str, class_name: str | vista.ClassName) -> None:
        """Register for the page; a derived class calls it, after ``begin``, from ``create``."""
        if server_name == "-":
            server_name = socket.gethostname()
        self.url_directory = vista.ref_of(service_name(server_name))
        self.application_class = class_name
        self.page_name = page
        self.root = f"{page.rstrip('/')}/{MARK}"
        me = vista.self_ref(self)
        self.url_directory.protect(self.root, me)
        self.url_directory.register_object(page, me)

    def delete(self) -> None:
        """Leave the directory and end every session."""
        super().delete()
        if hasattr(self, "root"):
            me = vista.self_ref(self)
            # In flight and not waited for: the directory may be gone, which is nobody's mistake.
            vista.future(self.url_directory, "unregister_object", self.page_name, me)
            vista.future(self.url_directory, "unprotect", self.root, me)

    # --- requests --------------------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Lead to the session of the request, or to one that is made for it."""
        if request.method == "HEAD":
            return Response(b"")
        session = self._session_of(request)
        if session is not None:
            if _is_there(session.target):
                return self._lead(request, session, "")
            self.note_session_terminated(session.id)
        session = self._add(request)
        if session is None:
            explain = "Too many sessions are open."
            return error_response(503, explain, (("Retry-After", "60"),))
        try:
            session.target = self.make_application(session.id, self._address(session.id))
        except BaseException:
            self._table.remove(session.id)
            raise
        if session.id not in self._table:  # it took so long that the session is over
            self._end(session)
            return error_response(503, "The page takes long to begin.", (("Retry-After", "10"),))
        return self._lead(request, session, self._cookie(session))

    def make_application(self, session_id: str, address: str) -> vista.Ref:
        """Make the object of a session and register it at its address; may be overridden."""
        me = vista.self_ref(self)
        made: vista.Ref = vista.create(
            self.application_class, self.url_directory, session_id, me, address
        )
        if not self.url_directory.has_object(address):
            # An application whose pages are other objects answers no request itself.
            with contextlib.suppress(vista.BadValueError):
                self.url_directory.register_object(address, made)
        return made

    def admit_request(self, request: Request, method: str) -> Found | Response:
        """Let a session's own browser in; the server sends it."""
        session = self._session_of(request)
        rest = request.path[len(self.root) :].strip("/")
        if session is None or rest.partition("/")[0] != session.id:
            if request.method in ("GET", "HEAD"):
                # Over, or another browser's: to the page, where one begins.
                return _see(self.page_name, "")
            return error_response(403, "The session is over, or it is another one.")
        found: Found = self.url_directory.find_admitted(
            method, request.path, session.user, session.id
        )
        return found

    def _lead(self, request: Request, session: Session, cookie: str) -> Response:
        address = self._address(session.id)
        return _see(address, cookie, request.query)

    def _address(self, session_id: str) -> str:
        return f"{self.root}/{session_id}"

    def _end(self, session: Session) -> None:
        vista.future(self.url_directory, "unregister_below", self._address(session.id))
        super()._end(session)


def _is_there(target: Any) -> bool:
    error = vista.future(target, "class_of").exception()
    return error is None


def _see(path: str, cookie: str, query: str = "") -> Response:
    """Lead to another address of the site; what is asked for there is not kept by anybody."""
    # With two slashes at its beginning it would name another host.
    location = "/" + quote(path.lstrip("/"))
    fields = [("Location", f"{location}?{query}" if query else location)]
    fields.append(("Cache-Control", "no-store"))
    if cookie:
        fields.append(("Set-Cookie", cookie))
    return error_response(303, "The page is at another address.", tuple(fields))
