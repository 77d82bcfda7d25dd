"""What the pages of a site may include: its files, the pages of its objects, and their answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import vista
from apps.http.content.disk import OpenFile
from apps.http.content.files import FileFacts
from apps.http.content.paths import Refusal, resolve
from apps.http.content.resources import Request, as_response, body_of
from apps.http.content.ssi.errors import LoadFailed
from apps.http.content.ssi.loading import Document, Facts, show
from apps.http.errors import FileChanged
from apps.http.objects.files import CACHED_FILE_BYTES_MAX, FileData, read_whole
from apps.http.objects.found import Found


class SiteLoader:
    """Gets what a page of a site asks for; a `Loader` of the SSI processor.

    Files come from the directories the page itself came from; other addresses are asked of the
    objects of the site. ``address`` is that of the page: what is protected is shown on pages only
    that are protected by the same.
    """

    def __init__(self, page: FileData, url_directory: vista.Ref, address: str) -> None:
        self._page = page
        self._seen: dict[tuple[str, ...], Any] = {}
        self._address = address
        self._roots = page.roots()
        self._directory = url_directory

    def load(self, path: tuple[str, ...], query: str) -> Document:
        """Return a file of the site, or the page that an object makes."""
        found = self._resolve(path)
        if isinstance(found, Refusal):
            return self._ask(path, query)
        with found:
            if found.size > CACHED_FILE_BYTES_MAX:
                raise LoadFailed(f"{show(path)} is too large to be included")
            try:
                text = read_whole(found).decode("utf-8", "replace")
            except (OSError, FileChanged) as error:
                raise LoadFailed(f"{show(path)}: {error}") from error
            name = found.index or path[-1]
            return Document(text, name.endswith(".shtml"), found.modified_ns / 1e9)

    def look(self, path: tuple[str, ...]) -> Facts:
        """Return size and time of a file of the site."""
        found = self._resolve(path)
        if isinstance(found, Refusal):
            raise LoadFailed(f"{show(path)}: {found.explain}")
        with found:
            return Facts(found.size, found.modified_ns / 1e9)

    def call(self, name: str, method: str, arguments: tuple[str, ...]) -> Document:
        """Return what a method of an object answers; ``name`` is a service name."""
        try:
            return Document(str(vista.send(name, method, *arguments)))
        except Exception as error:  # whatever a method raises is a mistake in the page only
            raise LoadFailed(f"{name}.{method}: {error}") from error

    def states_of(self, paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
        """Return what each of the files a page depends on was when it was put in."""
        rest = [path for path in paths if path not in self._seen]
        return {**states_of(self._page, rest), **self._seen}

    def _resolve(self, path: tuple[str, ...]) -> OpenFile | Refusal:
        found = resolve(self._roots, path)
        state = _state_of(found)
        # One that changed meanwhile stands twice on the page, in two states: none is the page's.
        self._seen[path] = state if self._seen.get(path, state) == state else object()
        return found

    def _ask(self, path: tuple[str, ...], query: str) -> Document:
        address = show(path)
        try:
            found: Any = self._directory.find_within(self._address, "GET", address)
            target = found.target if isinstance(found, Found) else found
            if not isinstance(target, vista.Ref):
                raise LoadFailed(f"{address} is not there")
            response = as_response(target.get_request(Request("GET", address, query)))
        except LoadFailed:
            raise
        except Exception as error:  # whatever a handler raises is a mistake in the page only
            raise LoadFailed(f"{address}: {error}") from error
        if response is not None and isinstance(response.source, vista.Ref):
            vista.future(response.source, "delete_yourself")  # it may have gone by itself
        if response is None or response.status != 200 or response.source is not None:
            raise LoadFailed(f"{address} has no page that can be included")
        # Nobody says until when it is good: until the next request.
        return Document(body_of(response).decode("utf-8", "replace"), expires=0.0)


def states_of(page: FileData, paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
    """Return what each of the files a page depends on is; None where there is none."""
    roots = page.roots()
    states: dict[tuple[str, ...], Any] = {}
    for path in paths:
        found = resolve(roots, path)
        states[path] = _state_of(found)
        if isinstance(found, OpenFile):
            found.close()
    return states


def _state_of(found: OpenFile | Refusal) -> Any:
    """Return what a file is. What is so young that a change would leave no trace is like nothing,
    not even itself at the next look."""
    if isinstance(found, Refusal):
        return None
    facts = FileFacts.of(found)
    return object() if facts.etag(time.time()).weak else facts
