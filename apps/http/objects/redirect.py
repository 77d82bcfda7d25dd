"""Addresses that lead elsewhere."""

from __future__ import annotations

from urllib.parse import quote

import vista
from apps.http.content.resources import Request, Response, error_response
from apps.http.objects.found import service_name
from apps.http.syntax.fields import checked_value


class HTTPredirect(vista.Object, namespace="HTTP"):
    """Sends whoever asks for one address to another one.

    rc line: ``HTTPredirect www.harbour.example /old.html /new.html``

    ``create(site, original_url, new_location, permanent=False)``: ``original_url`` is an address of
    the site, ``new_location`` an address or a whole URL. ``permanent`` sends 308, which clients
    keep, in place of 307.

    With ``/*`` at its end ``original_url`` means every address below that no other object has, and
    what follows there is put behind ``new_location``, the query too. A site at port 80 that leads
    to the one with TLS: ``HTTPredirect harbour.example /* https://harbour.example``.

    Raises `AnswerError` for a location that no field can hold.

    The original's HTTPredirect.
    """

    def create(
        self, site: str, original_url: str, new_location: str, permanent: bool = False
    ) -> None:
        """Register for the address."""
        self.page_name = original_url
        self.redirect_location = checked_value("Location", new_location)
        self.status = 308 if permanent else 307
        self.url_directory = vista.service(service_name(site))
        self.below = original_url[:-1] if original_url.endswith("/*") else ""
        me = vista.self_ref(self)
        if self.below:
            self.url_directory.register_directory_handler(self.below, me)
        else:
            self.url_directory.register_object(original_url, me)

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        if self.below:
            vista.future(self.url_directory, "unregister_directory_handler", self.below, me)
        else:
            vista.future(self.url_directory, "unregister_object", self.page_name, me)

    def load_object(self, path: str) -> vista.Ref:
        """Return who answers for an address below; the directory asks."""
        return vista.self_ref(self)

    def get_request(self, request: Request) -> Response:
        """Answer with the other address."""
        return self._answer(self._rest_of(request))

    def post_request(self, request: Request) -> Response:
        """Answer with the other address."""
        return self._answer(self._rest_of(request))

    def _rest_of(self, request: Request) -> str:
        """What is put behind the location: it begins with one slash, since two name a host."""
        if not self.below:
            return ""
        rest = "/" + quote(request.path.removeprefix(self.below).lstrip("/"))
        return f"{rest}?{request.query}" if request.query else rest

    def _answer(self, rest: str = "") -> Response:
        text = "The page is at another address."
        location = self.redirect_location
        if self.below:
            location = location.rstrip("/") + rest
        return error_response(self.status, text, (("Location", location),))
