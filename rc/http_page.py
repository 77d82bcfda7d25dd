"""The class of rc/http.rc: a page that one object makes."""

from __future__ import annotations

import html
from typing import Any

from vista import Object, self_ref, service


class GreetingPage(Object):
    """A page that greets, and counts whom. rc line: ``GreetingPage localhost /hello``.

    ``create(site, path)`` registers it in the directory of a site.
    """

    def create(self, site: str, path: str) -> None:
        """Register for the address."""
        self.visits = 0
        service(f"URLdirectory:{site}").register_object(path, self_ref(self))

    def get_request(self, request: Any) -> str:
        """Answer GET: whoever gives ``?name=`` is greeted by it."""
        self.visits += 1
        name = html.escape(request.parameter("name", "world"))
        return f"<!DOCTYPE html>\n<title>Hello</title>\n<p>Hello {name}, visit {self.visits}.</p>\n"
