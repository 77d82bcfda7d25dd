"""One node answers in the place of another: by messages, over the links that peers have.

A request becomes one message to the directory of a site elsewhere, which has it answered there;
what comes back is the answer, or an answer whose body is read over there piece by piece. No
connection of its own leads to the other node, and no port is open there.
"""

from __future__ import annotations

import logging
from typing import Any

import vista
from apps.http.content.resources import Request, error_response
from apps.http.objects.afar import await_answer
from apps.http.objects.found import service_name
from apps.http.objects.websocket import FOREVER_SECONDS

_log = logging.getLogger("vista.http")

_READING = frozenset({"GET", "HEAD"})


class HTTPproxy(vista.Object, namespace="HTTP"):
    """Has the directory of a site on another node answer for an address and all below it.

    rc line: ``HTTPproxy www.harbour.example /shop URLdirectory:shop.example``

    ``create(site, path, target)``: ``target`` is the name of a site elsewhere, with or without
    ``URLdirectory:`` before it, or a node, by the Ref of its ObjectCreator or of any object born
    there, whose site of the same name is meant. A site is found by its service name, so the node
    has to announce it (``AnnounceServices``); that of the nearest node answers. It needs no
    HTTPdaemon: ``URLdirectory shop.example`` makes a site that is reached by way of this one only.

    The address stays what it is: who answers for ``/shop/cart`` here answers for it there. The
    other node gets the request as it is, and a field Via. While it cannot be reached clients get
    502; it answers again when it is back. A GET is asked again of the next node that has the site.
    """

    def create(self, site: str, path: str, target: vista.Ref | vista.Id | str) -> None:
        """Register for the addresses."""
        if not path.startswith("/"):
            raise vista.BadValueError(f"an address of a site begins with a slash, not {path!r}")
        self.site = site
        self.path = path.rstrip("/")
        self.target = service_name(target)
        if self.target == service_name(site):
            raise vista.BadValueError(
                f"{target} is the site itself here: its name finds this node's own one; give the "
                "node, or another name"
            )
        self.name = f"vista-{str(vista.id_of(vista.here())).partition('-')[0]}"
        self._there: vista.Ref | None = None
        me = vista.self_ref(self)
        self.url_directory = vista.service(service_name(site))
        self.url_directory.register_directory_handler(path, me)
        if self.path:
            self.url_directory.register_object(self.path, me)

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_directory_handler", self.path + "/", me)
        vista.future(self.url_directory, "unregister_object", self.path, me)

    def handler_replaced(self, path: str) -> None:
        """Somebody else answers for its addresses from here on: go."""
        vista.post(vista.self_ref(self), "delete_yourself")

    def load_object(self, path: str) -> vista.Ref:
        """Return who answers for an address: this object, for all of them."""
        return vista.self_ref(self)

    def any_request(self, request: Request) -> Any:
        """Have the other node answer."""
        forwarded = self._forwarded(request)
        if forwarded is None:
            return error_response(508, "This request has come by here before.")
        # Nothing has been changed by such a one, and another node may have the site.
        return self._ask("answer_request", forwarded, again=request.method in _READING)

    def websocket_request(self, request: Request, socket: vista.Ref) -> Any:
        """Have a page of the other node talk with a client."""
        forwarded = self._forwarded(request)
        if forwarded is None:
            return error_response(508, "This request has come by here before.")
        with vista.timeout(FOREVER_SECONDS):
            return self._ask("answer_websocket", forwarded, socket)

    def _forwarded(self, request: Request) -> Request | None:
        """Return the request as the other node gets it, None if it has been here already."""
        header = request.header()
        passed = header.get("via", "")
        if f" {self.name}" in passed:
            return None
        via = f"{request.version} {self.name}"
        header["via"] = f"{passed}, {via}" if passed else via
        return request._replace(
            header_names="\n".join(header), header_values="\n".join(header.values())
        )

    def _ask(
        self, message: str, *args: Any, again: bool | None = None, lost: vista.Ref | None = None
    ) -> Any:
        """Ask the site; ``again`` after its node was lost, somebody else if there is anybody.

        None stands for what has no body that would be left.
        """
        try:
            there = self._there or self._find(lost)
        except vista.NoSuchService:
            return error_response(502, "The node that answers here cannot be reached.")
        try:
            if again is None:
                return vista.send(there, message, *args)
            return await_answer(vista.future(there, message, *args))
        except (vista.NoSuchObject, vista.ObjectDeleted) as error:
            self._there = None
            _log.warning("%s: the site that answers here is gone: %s", self.path or "/", error)
            return error_response(502, "The site that answers here is gone.")
        except vista.PeerLost:
            self._there = None
            if not again:
                raise
            return self._ask(message, *args, lost=there)

    def _find(self, lost: vista.Ref | None = None) -> vista.Ref:
        """Find the directory: anew for each request by its name, which is looked up once.

        Another one than was ``lost`` if there is any: a node that stops loses its calls before its
        links. Raises `NoSuchService`.
        """
        if isinstance(self.target, str):
            others = vista.services() if lost is not None else []
            for row in others:
                if row.name == self.target and vista.ref_of(row.object) != lost:
                    return vista.ref_of(row.object)
            return vista.service(self.target)
        name = service_name(self.site)
        node = vista.id_of(self.target).node
        for row in vista.services(at=self.target):
            if row.name == name and row.object.node == node:
                self._there = vista.ref_of(row.object)
                return self._there
        raise vista.NoSuchService(f"the node {self.target} has no service {name}")
