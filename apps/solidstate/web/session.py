"""What a server has of one session: the objects that answer its addresses.

The session itself is a state variable of the group. These objects are made on every server that
gets a request of it, and can be made again anywhere at any time.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from typing import Any, ClassVar
from urllib.parse import quote

import vista
from apps.http.browser.entrance import is_same_origin
from apps.http.content.resources import Request, Response
from apps.http.syntax.answers import REASONS
from apps.solidstate.errors import RefusedOperationError, SolidStateError
from apps.solidstate.web.bounds import ANSWER_SECONDS, REPLACED_MAX, TOUCH_SECONDS
from apps.solidstate.web.classes import ERROR_PAGE, FIRST_PAGE, find_type, shortest_life
from apps.solidstate.web.pages import (
    SECURITY,
    again_page,
    later_page,
    link,
    over_page,
    plain_page,
    see_page,
)
from apps.solidstate.web.reading import (
    blame,
    fields_of_form,
    loop_time,
    mistake_in,
    parameters_of,
    query_of,
)
from apps.solidstate.web.replaced import HTTPreplacedText, find_directory
from apps.solidstate.web.state import HTTPreplicaStateVariable
from apps.solidstate.web.templates import is_page_name, with_own
from apps.solidstate.web.tickets import (
    NONCE_BYTES,
    is_request_key,
    name_request,
    request_key,
    secret_of,
)

KEY_FIELD = "key"
"""The field of a form that holds its key."""

GROUP_IS_AWAY = (
    vista.CallTimeout,
    vista.PeerLost,
    vista.Overloaded,
    vista.NoSuchService,
    vista.NoSuchObject,
    vista.ObjectDeleted,
)
"""How asking a group ends that does not answer, or whose proxy is not here."""

_log = logging.getLogger("vista.solidstate")


def find_group(name: str) -> vista.Ref:
    """Return the proxy of a group on this node; that of another node would have to be believed.

    Raises `vista.NoSuchService` where this node has none.
    """
    found = vista.service(name)
    if vista.id_of(found).node != vista.id_of(vista.here()).node:
        raise vista.NoSuchService(f"this node has no proxy of group {name!r}, only others do")
    return found


class ReplicaHTTPsession(vista.Object, namespace="SolidState"):
    """What a server has of a session of `CreateReplicaHTTPsession`, which makes it.

    ``create(assigned_id, creator, server_pool_name, proxy_class_name, query_data, request_data,
    options, reply_method, reply_dest, joins)``: ``query_data`` has the parameter ``type``; it names
    what `RegisterReplicaHTTPclass` registered. The group makes the session's state variable, unless
    the session ``joins`` one that is there: then it is asked for. ``reply_dest``, if any, is sent
    the answer that leads to the first page, as ``reply_method``. ``request_data`` and ``options``,
    the request and its fields, are not looked at.

    Raises `RefusedOperationError` when there is no such session, `BadValueError` when the class
    lets none begin, and what ends a call otherwise.

    The original's ReplicaHTTPsession.
    """

    def create(
        self,
        assigned_id: str,
        creator: vista.Ref,
        server_pool_name: str,
        proxy_class_name: str = "HTTPreplicaClientProxy",
        query_data: dict[str, str] | None = None,
        request_data: Any = None,
        options: dict[str, str] | None = None,
        reply_method: str = "",
        reply_dest: Any = None,
        joins: bool = False,
    ) -> None:
        """Have the group make the session, or find it there, and register its proxy."""
        self.session_id = assigned_id
        self.creator = creator
        self.proxy: vista.Ref | None = None
        self.state_variable_name = f"sessions/{assigned_id}"
        self.type = (query_data or {}).get("type", "")
        place = creator.describe_site()
        self.address = f"{place['root']}/{assigned_id}"
        kind = find_type(place["site"], self.type)
        if kind is None:
            raise vista.BadValueError(f"no transaction type {self.type!r} at {place['site']}")
        self._meet_group(find_group(server_pool_name), kind, joins)
        self.proxy = vista.create(
            proxy_class_name, place["directory"], self.address, self.type,
            self.state_variable_name, server_pool_name, kind, place["page"], vista.self_ref(self),
        )  # fmt: skip
        place["directory"].register_object(self.address, vista.self_ref(self))
        if reply_dest is not None:
            vista.post(reply_dest, reply_method, self.get_request())

    def _meet_group(self, group: vista.Ref, kind: vista.Ref, joins: bool) -> None:
        name = self.state_variable_name
        if joins:
            error = vista.future(group, "issue_request", "note_use", (), name).exception()
        else:
            cls = kind.get_class_name()
            error = vista.future(group, "make_state_variable", cls, name).exception()
        if isinstance(error, (*GROUP_IS_AWAY, SolidStateError)):
            raise error
        if error is not None:
            raise vista.BadValueError(f"no session of {self.type} can begin: {error!r}")

    def delete(self) -> None:
        """Have the proxy go, and tell the creator; the state variable stays."""
        # In flight and not waited for: either may be gone, which is nobody's mistake.
        if "proxy" in vars(self) and self.proxy is not None:
            vista.future(self.proxy, "delete_yourself")
        if "creator" in vars(self):
            me = vista.self_ref(self)
            vista.future(self.creator, "note_session_terminated", me, self.session_id)

    def get_proxy(self) -> vista.Ref | None:
        """Return the proxy of the session on this node."""
        return self.proxy

    def get_request(self, request: Request | None = None) -> Response:
        """Lead to the first page."""
        return see_page(f"{quote(self.address)}/proxy?page={FIRST_PAGE}")


class HTTPreplicaClientProxy(vista.Object, namespace="SolidState"):
    """Answers the requests of one session on one server: asks the group, and makes the pages.

    `ReplicaHTTPsession` makes it. ``create(url_directory, address, type, state_variable, group,
    kind, page, session)``: it answers at ``address/proxy``, asks the state variable through the
    `ReplicaClientProxy` of this node, and ``kind``, the `RegisterReplicaHTTPclass` of the type,
    makes the pages. ``page`` is where sessions begin; ``session`` goes when this one is over.

    GET shows the page that the parameter ``page`` names, with what ``show`` returns. POST has
    ``process_request`` do what the form asks for, and leads to the page that it returns. A form has
    the key that its page was given as ``request_key``: sent again, to whichever server, it is not
    carried out again, and leads to the same page.

    The original's HTTPreplicaClientProxy, whose page is lost.
    """

    touch_seconds: ClassVar[float] = TOUCH_SECONDS

    def create(
        self,
        url_directory: vista.Ref,
        address: str,
        type: str,
        state_variable: str,
        group: str,
        kind: vista.Ref,
        page: str,
        session: vista.Ref,
    ) -> None:
        """Register for the address."""
        self.url_directory = url_directory
        self.address = f"{address}/proxy"
        self.type = type
        self.state_variable = state_variable
        self.group = group
        self.kind = kind
        self.page = page
        self.session = session
        self._used_at = loop_time()
        # A class may have its sessions end sooner than usual: a look has to be told in time.
        self._touch_seconds = min(self.touch_seconds, shortest_life(kind.get_class_name()) / 4)
        self._replaced: dict[str, vista.Ref] = {}
        url_directory.register_object(self.address, vista.self_ref(self))

    def delete(self) -> None:
        """Leave the directory."""
        if "_replaced" not in vars(self):
            return
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_object", self.address, me)
        for made in self._replaced.values():
            vista.future(made, "delete_yourself")

    # --- pages -----------------------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Answer with a page of the session."""
        query = parameters_of(request)
        page = query.pop("page", FIRST_PAGE)
        # The template for what went wrong is no page of its own.
        if page == ERROR_PAGE or not is_page_name(page) or not self.kind.has_page(page):
            return plain_page(404, "There is no such page.", self._home())
        self._note_use()
        shown, error = self._ask("show", (page, query))
        if error is not None:
            return self._failed(request, error)
        return self._page(request, page, shown)

    def post_request(self, request: Request) -> Response:
        """Have the group do what a form asks for, once, and lead to what comes next."""
        secret = self._secret(request)
        if not is_same_origin(request.field("Origin"), request.field("Host")):
            return plain_page(403, "The form comes from another site.")
        fields = fields_of_form(request)
        key = fields.get(KEY_FIELD, "")
        if not is_request_key(secret, key):
            words = "The form is not of this session, or it has no key. Load its page again."
            return plain_page(403, words, self._home())
        told = {name: value for name, value in fields.items() if name != KEY_FIELD}
        result, error = self._ask("process_request", (told,), name_request(key, told))
        if isinstance(error, GROUP_IS_AWAY):
            self._note_silence(error)
            return again_page(quote(self.address), fields)
        if error is not None:
            return self._failed(request, error)
        self._used_at = loop_time()
        return self._lead(request, result)

    def _ask(
        self, method: str, args: tuple[Any, ...], key: str | None = None
    ) -> tuple[Any, BaseException | None]:
        """Return what the group answers, or else what the call ended with: also that is shown."""
        with vista.timeout(ANSWER_SECONDS):
            told = (method, args, self.state_variable, key)
            try:
                asked = vista.future(find_group(self.group), "issue_request", *told)
            except GROUP_IS_AWAY as away:
                return None, away
            error = asked.exception()
        return (None, error) if error is not None else (asked.result(), None)

    def _note_use(self) -> None:
        """Tell the group now and then that somebody looks at the session."""
        if loop_time() - self._used_at >= self._touch_seconds:
            self._used_at = loop_time()
            vista.self_ref(self).tell_use.post()

    def tell_use(self) -> None:
        """Tell the group that the session is used; the proxy posts it to itself."""
        # What it ends with is no matter: the page tells if the session is over.
        self._ask("note_use", ())

    def _page(self, request: Request, page: str, shown: Any, status: int = 200) -> Response:
        own = {
            "request_key": request_key(self._secret(request), self._draw()),
            "page_name": page,
            "session_type": self.type,
        }
        try:
            text = self.kind.make_page(page, with_own(shown, own))
        except (vista.BadValueError, *GROUP_IS_AWAY) as error:
            _log.error("%s: page %s: %s", self.type, page, error)
            return plain_page(500, "The page cannot be made.", self._home())
        return Response(text, status, SECURITY)

    def _lead(self, request: Request, result: Any) -> Response:
        """Lead to the page that comes after a form."""
        page, query = FIRST_PAGE, {}
        if isinstance(result, dict):
            page, query = result.get("page", page), result.get("query", {})
        wrong = mistake_in(result, page, query)
        if wrong:
            _log.error("%s: process_request returned %s", self.type, wrong)
            return plain_page(500, "It was done, but not said what comes next.", self._home())
        return see_page(f"{quote(self.address)}?{query_of(page, query)}")

    def _note_silence(self, error: BaseException) -> None:
        _log.warning("%s: the group does not answer: %s", self.group, error)

    def _failed(self, request: Request, error: BaseException) -> Response:
        """Return the page for what a call ended with."""
        if isinstance(error, GROUP_IS_AWAY):
            self._note_silence(error)
            return later_page("The servers do not answer at present.")
        if isinstance(error, RefusedOperationError):
            self._end()
            return over_page(self.page, self.type)
        status, words = blame(error)
        if status == 500:
            _log.error("%s: %s: %r", self.type, self.state_variable, error)
        if not self.kind.has_page(ERROR_PAGE):
            return plain_page(status, words, self._home())
        told = {"status": status, "reason": REASONS[status], "words": words}
        return self._page(request, ERROR_PAGE, told, status)

    def _end(self) -> None:
        """Go: the group knows the session no longer."""
        # In flight and not waited for: it may have gone meanwhile.
        vista.future(self.session, "delete_yourself")

    def _home(self) -> str:
        return link(f"{quote(self.address)}?page={FIRST_PAGE}", "To the first page")

    def _secret(self, request: Request) -> str:
        return secret_of(request.cookies(), self.type)

    def _draw(self) -> bytes:
        """Return random bytes for a key."""
        return secrets.token_bytes(NONCE_BYTES)

    # --- as in the original ----------------------------------------------------------------

    def issue_request(
        self, method: str, args: Any = (), state_variable: str = "", key: str | None = None
    ) -> Any:
        """Ask the group as `ReplicaClientProxy.issue_request` does, by default this session."""
        told = (method, args, state_variable or self.state_variable, key)
        return find_group(self.group).issue_request(*told)

    def note_server_name(self, site: str) -> vista.Ref | None:
        """Return the directory of a site, None when there is no such site."""
        return find_directory(site)

    def load_and_register(
        self, page: str, host: str, full_name: str, substitutions: dict[str, Any]
    ) -> vista.Ref | None:
        """Return the object that answers for an address below this session's; None on failure.

        If there is none, it is made of the template ``page`` with the substitutions put in, and
        registered: a page that is made once, such as a receipt. ``full_name`` is the address, such
        as ``/transactions/sessions/ID/proxy/receipt-7.html``, at most a hundred of a session.
        """
        found = self._replaced.get(full_name)
        if found is not None or len(self._replaced) >= REPLACED_MAX:
            return found
        directory = find_directory(host)
        if directory is None or not full_name.startswith(f"{self.address}/"):
            return None
        with contextlib.suppress(vista.BadValueError):
            found = vista.create(
                HTTPreplacedText, directory, full_name, self.kind, page, substitutions
            )
            self._replaced[full_name] = found
        return found

    collapse_form = staticmethod(HTTPreplicaStateVariable.collapse_form)
