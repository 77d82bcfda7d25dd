"""Where sessions begin, and who may go on in one: the guard of their addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import Any, ClassVar
from urllib.parse import quote

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.found import Found
from apps.http.objects.sessions import HTTPcreateApplicationSession
from apps.http.syntax.cookies import set_cookie
from apps.solidstate.errors import RefusedOperationError, SolidStateError, StateTooLargeError
from apps.solidstate.web.arrivals import Arrivals
from apps.solidstate.web.bounds import (
    ANSWER_SECONDS,
    LOCAL_IDLE_SECONDS,
    LOCAL_SESSIONS_MAX,
    RETIRE_SECONDS,
    SESSIONS_AT_ONCE,
    SESSIONS_PER_MINUTE,
)
from apps.solidstate.web.classes import FIRST_PAGE, name_of_site, types_of
from apps.solidstate.web.pages import fresh, later_page, over_page, plain_page, see_page
from apps.solidstate.web.reading import loop_time, parameters_of
from apps.solidstate.web.session import GROUP_IS_AWAY, find_group
from apps.solidstate.web.tickets import (
    COOKIE_PREFIX,
    SECRET_BYTES,
    find_ticket,
    is_session_id,
    secret_of,
    session_id,
)
from vista import BadValueError

PAGE = "/transactions"
"""The page at which sessions begin, unless the rc line says otherwise."""

_POOL = "SolidState/pool/"

_log = logging.getLogger("vista.solidstate")


class CreateReplicaHTTPsession(HTTPcreateApplicationSession, namespace="SolidState"):
    """Begins sessions that a group of servers keeps, and serves them at a site.

    rc line: ``CreateReplicaHTTPsession localhost``, or with all arguments
    ``CreateReplicaHTTPsession localhost HTTPreplicaClientProxy shop /transactions 60``

    ``create(site_name, proxy_class_name, pool_name, logical_page, sessions_per_minute)``:
    ``pool_name`` is the service name of the group's proxies, by default that of the pool that this
    node is a member of; ``sessions_per_minute`` is how many one address of a client may begin in
    the long run, 0 for any number: where all clients come through one front end, they have one.

    Who asks for ``/transactions?type=shop`` gets a session of the type, which a
    `RegisterReplicaHTTPclass` of this node registered: a state variable ``sessions/ID`` of the
    group. He is led to ``/transactions/sessions/ID/proxy?page=index.html``. Who comes back with his
    cookie is led to the session he has.

    Every server of the group has the same lines, and each serves every session. Besides the
    address a browser needs the cookie, which holds a secret of 256 bits; the Id is its digest.

    The original's CreateReplicaHTTPsession.
    """

    sessions_at_once: ClassVar[int] = SESSIONS_AT_ONCE
    local_sessions_max: ClassVar[int] = LOCAL_SESSIONS_MAX
    retire_seconds: ClassVar[float] = RETIRE_SECONDS

    def create(  # type: ignore[override]
        self,
        site_name: str,
        proxy_class_name: str = "HTTPreplicaClientProxy",
        pool_name: str = "",
        logical_page: str = PAGE,
        sessions_per_minute: float = SESSIONS_PER_MINUTE,
    ) -> None:
        """Register for the page."""
        if sessions_per_minute < 0:
            raise BadValueError(f"sessions_per_minute is 0 or more, not {sessions_per_minute}")
        self.proxy_class_name = proxy_class_name or "HTTPreplicaClientProxy"
        self.server_pool_name = pool_name or _only_pool()
        self.begin(COOKIE_PREFIX, logical_page, LOCAL_IDLE_SECONDS, self.local_sessions_max)
        self._arrivals = Arrivals(sessions_per_minute, self.sessions_at_once)
        self._under_way: dict[str, asyncio.Future[Response | None]] = {}
        self._retire_at = loop_time() + self.retire_seconds
        self._retires = False
        self._site = name_of_site(site_name)
        self.initialize(site_name, logical_page, "ReplicaHTTPsession")

    def describe_site(self) -> dict[str, Any]:
        """Return where sessions are, for their objects: site, directory, root and page."""
        return {
            "site": self._site,
            "directory": self.url_directory,
            "root": self.root,
            "page": self.page_name,
        }

    # --- where sessions begin --------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Lead to the session of the request, or to one that is made for it."""
        if request.method == "HEAD":
            return Response(b"")
        parameters = parameters_of(request)
        types = types_of(self._site)
        kind = parameters.get("type") or (next(iter(types)) if len(types) == 1 else "")
        if kind not in types:
            return plain_page(404, "There are no transactions of that type.")
        secret = secret_of(request.cookies(), kind)
        if secret:
            id = session_id(kind, secret)
            refused = self._find(id, kind, request)
            if refused is None:
                return see_page(f"{quote(self._address(id))}/proxy?page={FIRST_PAGE}")
            if refused.status != 410:
                return refused
        return self._begin(request, parameters, kind)

    def _begin(self, request: Request, parameters: dict[str, str], kind: str) -> Response:
        """Make a session and lead to it."""
        if not self._arrivals.begin(request.client, loop_time()):
            return _too_many()
        self.request_count += 1
        secret = self._draw()
        id = session_id(kind, secret)
        failed = self._meet(id, {**parameters, "type": kind}, joins=False)
        if failed is not None:
            return failed
        cookie = set_cookie(
            COOKIE_PREFIX + kind, secret, path=self.cookie_path, secure=request.secure
        )
        address = f"{quote(self._address(id))}/proxy?page={FIRST_PAGE}"
        return see_page(address, (("Set-Cookie", cookie),))

    def _draw(self) -> str:
        """Return the secret of a session."""
        return secrets.token_urlsafe(SECRET_BYTES)

    # --- who goes on -----------------------------------------------------------------------

    def admit_request(self, request: Request, method: str) -> Found | Response:
        """Let a session's own browser in; the server sends it."""
        id = request.path[len(self.root) :].strip("/").partition("/")[0]
        if not is_session_id(id):
            return plain_page(404, "There is nothing at this address.")
        ticket = find_ticket(request.cookies(), id)
        if ticket is None:
            words = (
                "The session at this address is another browser's, or this one keeps no cookies, "
                "without which there are no sessions."
            )
            return plain_page(403, words, fresh(self.page_name, ""))
        refused = self._find(id, ticket[0], request)
        if refused is not None:
            return refused
        found: Found = self.url_directory.find_admitted(method, request.path, "", id)
        return found

    def _find(self, id: str, kind: str, request: Request) -> Response | None:
        """See to it that a session is here; return the page for one that is not."""
        known = self.lookup_session(id)
        if known is not None:
            self.register_session(id, known)
            return None
        if id in self._under_way:
            # Two requests came at once: made twice, one of the two would unregister the other.
            other: Response | None = vista.wait(asyncio.shield(self._under_way[id]))
            return other
        # A session that never was costs the group as much as one that is made. Counted before the
        # group is asked: else any number of them could be under way at once.
        if not self._arrivals.begin(request.client, loop_time()):
            return _too_many()
        refused = self._meet(id, {"type": kind}, joins=True)
        if refused is None or refused.status != 410:
            self._arrivals.give_back(request.client)
        return refused

    def _meet(self, id: str, query: dict[str, str], joins: bool) -> Response | None:
        """Make the objects of a session; return the page for what comes in between."""
        under_way = self._under_way[id] = asyncio.get_running_loop().create_future()
        refused: Response | None = later_page("The servers do not answer at present.")
        try:
            refused = self._make(id, query, joins)
        finally:
            del self._under_way[id]
            under_way.set_result(refused)
        return refused

    def _make(self, id: str, query: dict[str, str], joins: bool) -> Response | None:
        try:
            with vista.timeout(ANSWER_SECONDS):
                made = vista.create(
                    self.application_class, id, vista.self_ref(self), self.server_pool_name,
                    self.proxy_class_name, query, None, None, "", None, joins,
                )  # fmt: skip
        except GROUP_IS_AWAY as error:
            _log.warning("%s: the group does not answer: %s", self.server_pool_name, error)
            return later_page("The servers do not answer at present.")
        except SolidStateError as error:
            if isinstance(error, RefusedOperationError) and joins:
                return over_page(self.page_name, query["type"])
            _log.error("%s: no session of type %s: %s", self._site, query["type"], error)
            if isinstance(error, StateTooLargeError):
                # Nobody's turn: whoever comes next finds room, if others only left theirs filled.
                vista.self_ref(self).make_room.post()
            return later_page("The servers take no more sessions at present.")
        except BadValueError as error:
            _log.error("%s: %s", self._site, error)
            return plain_page(500, "No session can begin, and it is noted.")
        self._keep(id, made)
        return None

    def _keep(self, id: str, made: vista.Ref) -> None:
        """Take note of the objects of a session; where there are too many, the idlest go."""
        while len(self._table) >= self.local_sessions_max:
            self.note_session_terminated(self._table.ids()[0])
        self.register_session(id, made)

    # --- its end ---------------------------------------------------------------------------

    def note_session_terminated(self, session_id: Any, of_target: str = "") -> int:
        """Forget the objects of a session; the group keeps the session itself. Returns 0."""
        if of_target and self.lookup_session(of_target) != session_id:
            return 0
        return super().note_session_terminated(session_id, of_target)

    def timer_expired(self, timer: Any = None, extra_data: Any = None) -> None:
        """Let objects go that nobody uses, and sessions that are over; the timer sends it."""
        super().timer_expired(timer, extra_data)
        if loop_time() >= self._retire_at:
            self.make_room()

    def make_room(self) -> None:
        """Have the group forget sessions that are over; the object posts it to itself."""
        if self._retires:
            return
        self._retires = True
        self._retire_at = loop_time() + self.retire_seconds
        try:
            with contextlib.suppress(*GROUP_IS_AWAY), vista.timeout(self.retire_seconds):
                # Waited for, since only then it ends in time; else they would gather while the
                # group is away. What it ends with is no matter: another server or time will do.
                group = find_group(self.server_pool_name)
                vista.future(group, "retire_state_variables").exception()
        finally:
            self._retires = False


def _too_many() -> Response:
    words = "Too many sessions were begun from this address. Wait a minute."
    return plain_page(429, words, fields=(("Retry-After", "60"),))


def _only_pool() -> str:
    """Return the pool that this node is a member of. Raises `BadValueError` unless it is one."""
    here = vista.id_of(vista.here()).node
    rows = [row for row in vista.services() if row.object.node == here]
    pools = [row.name.removeprefix(_POOL) for row in rows if row.name.startswith(_POOL)]
    if len(pools) != 1:
        known = ", ".join(sorted(pools)) or "none"
        raise BadValueError(f"this node is a member of {known}: name the group of the sessions")
    return pools[0]
