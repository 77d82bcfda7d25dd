"""Directories without an index, listed where the profile says so."""

from __future__ import annotations

from urllib.parse import quote

import vista
from apps.http.content.directories import list_directory
from apps.http.content.disk import OpenFile
from apps.http.content.listings import FIELDS, NAMES_MAX, listing_page, parse_order
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.content.resources import Request, Response, error_response
from apps.http.objects.cached import HTTPcachedObject


class HTTPdirectoryListing(HTTPcachedObject, namespace="HTTP"):
    """Lists a directory that has no index: names, sizes and dates, sorted as the query says.

    `URLfileLoader` makes it: ``create(url_directory, path, directories, index_names, hidden,
    closed, segments)``. What is not served is not listed: hidden names, links that lead out, what a
    guard closes. The directory is read for each request, in a kernel thread.
    """

    def create(
        self,
        url_directory: vista.Ref,
        path: str,
        directories: tuple[str, ...],
        index_names: tuple[str, ...],
        hidden: bool,
        closed: tuple[tuple[str, ...], ...],
        segments: tuple[str, ...],
    ) -> None:
        """Stand for the directory."""
        self.initialize(url_directory, path)
        self._roots = Roots(directories, index_names, hidden, closed=closed)
        self._segments = segments

    def check_if_still_valid(self, current_time: int | None = None) -> int:
        """Return 60 while the directory is there and has no index, else 0."""
        return 60 if self._is_there() else 0

    def get_request(self, request: Request) -> Response:
        """Answer with the page, or lead to what has taken the directory's place."""
        page = vista.self_ref(self).make_page(request.query)
        if page is not None:
            return Response(page, 200, FIELDS)
        me = vista.self_ref(self)
        self.url_directory.unregister_object(self.path, me)
        vista.post(me, "delete_yourself")
        where = (("Location", "/" + quote(self.path.lstrip("/"))),)
        return error_response(303, "The page is another one by now.", where)

    @vista.native
    @vista.preemptable
    def make_page(self, query: str) -> str | None:
        """Return the page, None when there is nothing to list any longer.

        The object sends it to itself, since it takes up to half a second.
        """
        if not self._is_there():
            return None
        entries, is_whole = list_directory(self._roots, self._segments, NAMES_MAX)
        return listing_page(self.path, entries, parse_order(query), is_whole)

    def _is_there(self) -> bool:
        found = resolve(self._roots, self._segments)
        if isinstance(found, OpenFile):
            found.close()
        return found is Refusal.NO_INDEX
