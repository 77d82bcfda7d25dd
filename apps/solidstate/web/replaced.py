"""A page that is made once of a template and kept."""

from __future__ import annotations

from typing import Any

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.found import service_name
from apps.solidstate.web.pages import SECURITY


class HTTPreplacedText(vista.Object, namespace="SolidState"):
    """A template with substitutions put in, as the page of an address.

    ``create(url_directory, path, kind, page, substitutions)``: ``kind`` is the
    `RegisterReplicaHTTPclass` in whose folder the template ``page`` is. It is made once; what the
    template says later changes nothing. Raises `BadValueError` where the template is missing or a
    substitution is none.

    The original's HTTPreplacedText, whose page is lost.
    """

    def create(
        self,
        url_directory: vista.Ref,
        path: str,
        kind: vista.Ref,
        page: str,
        substitutions: dict[str, Any],
    ) -> None:
        """Make the page and register it."""
        self.path = path
        self.text: str = kind.make_page(page, substitutions)
        self.url_directory = url_directory
        url_directory.register_object(path, vista.self_ref(self))

    def delete(self) -> None:
        """Leave the directory."""
        if "url_directory" in vars(self):
            me = vista.self_ref(self)
            # In flight and not waited for: the directory may be gone, which is nobody's mistake.
            vista.future(self.url_directory, "unregister_object", self.path, me)

    def get_request(self, request: Request) -> Response:
        """Answer with the page."""
        return Response(self.text, 200, SECURITY)


def find_directory(site: str) -> vista.Ref | None:
    """Return the directory of a site, None when there is no such site."""
    try:
        found: vista.Ref = vista.service(service_name(site))
    except vista.NoSuchService:
        return None
    return found
