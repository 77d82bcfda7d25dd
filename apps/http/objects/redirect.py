"""Addresses that lead elsewhere."""

from __future__ import annotations

import vista
from apps.http.content.resources import Request, Response, error_response


class HTTPredirect(vista.Object, namespace="HTTP"):
    """Sends whoever asks for one address to another one.

    rc line: ``HTTPredirect www.harbour.example /old.html /new.html``

    ``create(site, original_url, new_location, permanent=False)``: ``original_url`` is an address of
    the site, ``new_location`` an address or a whole URL. ``permanent`` sends 308, which clients
    keep, in place of 307.

    The original's HTTPredirect.
    """

    def create(
        self, site: str, original_url: str, new_location: str, permanent: bool = False
    ) -> None:
        """Register for the address."""
        self.page_name = original_url
        self.redirect_location = new_location
        self.status = 308 if permanent else 307
        # Written once here, so that a location that cannot be sent is refused at once.
        self._answer()
        self.url_directory = vista.service(f"URLdirectory:{site}")
        self.url_directory.register_object(original_url, vista.self_ref(self))

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_object", self.page_name, me)

    def get_request(self, request: Request) -> Response:
        """Answer with the other address."""
        return self._answer()

    def post_request(self, request: Request) -> Response:
        """Answer with the other address."""
        return self._answer()

    def _answer(self) -> Response:
        text = "The page is at another address."
        return error_response(self.status, text, (("Location", self.redirect_location),))
