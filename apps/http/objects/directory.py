"""The directory of a site: which object answers for an address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import vista
from apps.http.content.cache import LeastRecentlyUsed
from apps.http.content.resources import Response, error_response

COMMANDS = {
    "GET": "get_request",
    "HEAD": "head_request",
    "POST": "post_request",
    "PUT": "put_request",
    "DELETE": "delete_request",
    "OPTIONS": "options_request",
}
"""The methods of HTTP and the messages they become; as in the original."""

CACHE_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of files a site keeps, unless its profile says otherwise."""

Pairs = tuple[tuple[str, str], ...]


@vista.record
@dataclass(frozen=True, slots=True)
class Found:
    """Who answers a request, when there is more to say than who; ``target`` is a Response if it is
    answered already. ``fields`` go into every answer of the site."""

    target: Any
    message: str = "get_request"
    asynchronous: bool = False
    fields: Pairs = ()


@vista.record
@dataclass(frozen=True, slots=True)
class Loaded:
    """What a directory handler made for an address: an object, and the bytes it keeps."""

    target: Any
    size: int


@dataclass(slots=True)
class _Entry:
    """An object and what it answers: message by method; which of them the original's way."""

    target: vista.Ref
    messages: dict[str, str]
    asynchronous: frozenset[str] = frozenset()
    plain_get: bool = field(init=False)

    def __post_init__(self) -> None:
        self.plain_get = "GET" in self.messages and "get_request" not in self.asynchronous


def service_name(site: str) -> str:
    """Return the service name of the directory of a site."""
    return f"URLdirectory:{site}"


class URLdirectory(vista.Object, namespace="HTTP"):
    """The objects of a site by address; the service ``URLdirectory:SITE``.

    `HTTPdaemon` makes it. ``create(site, cache_bytes, error_pages)``: ``error_pages`` are pages by
    status code, in text form.

    An object becomes a page by `register_object`; what it answers says which methods the page has:
    ``get_request``, ``head_request``, ``post_request``, ``put_request``, ``delete_request``,
    ``options_request``. Each takes a `Request` and returns a `Response`, a str (HTML) or bytes. One
    with a parameter ``reply_method`` is called as in the original system:
    ``get_request(request_data, options, reply_method, reply_dest)``. The object may live on any
    node.

    Addresses that no object has are asked of the directory handler with the longest beginning.

    The original's URLdirectory.
    """

    def create(
        self,
        site: str,
        cache_bytes: int = CACHE_BYTES_MAX,
        error_pages: dict[int, str] | None = None,
    ) -> None:
        """Begin empty, and register the service."""
        self.site = site
        self.error_pages = dict(error_pages or {})
        self.announced: Pairs = ()
        self.features: dict[str, str] = {}
        self._permanent: dict[str, _Entry] = {}
        self._handlers: dict[str, vista.Ref] = {}
        self._cached: LeastRecentlyUsed[_Entry] = LeastRecentlyUsed(cache_bytes)
        vista.register_service(service_name(site), vista.self_ref(self))

    def delete(self) -> None:
        """Have the cached objects go too."""
        for name in self._cached.names():
            entry = self._cached.remove(name)
            if entry is not None:
                vista.post(entry.target, "delete_yourself")

    # --- registering -----------------------------------------------------------------------

    def register_object(self, path: str, target: Any) -> None:
        """Have an object answer for an address, in the place of any other.

        ``path`` begins with a slash and is not encoded; ``target`` a Ref, an Id or a service name.
        Raises `BadValueError` when the object answers no request.
        """
        self._permanent[_checked(path)] = self._entry(vista.ref_of(target))

    def unregister_object(self, path: str, target: Any = None) -> bool:
        """Have nobody answer for an address; return whether somebody did.

        With ``target`` only if it is that object.
        """
        found = self._permanent.get(path) or self._cached.get(path)
        if found is None or (target is not None and found.target != vista.ref_of(target)):
            return False
        self._permanent.pop(path, None)
        self._cached.remove(path)
        return True

    def register_directory_handler(self, path: str, handler: Any) -> None:
        """Have ``handler`` asked for the addresses that begin with ``path`` and no object has.

        It is sent ``load_object(path)`` and returns a `Response`, a Ref, a `Loaded` or None. The
        handler it takes the place of is posted ``handler_replaced(path)``.
        """
        path = _checked(path).rstrip("/") + "/"
        before = self._handlers.pop(path, None)
        self._handlers[path] = vista.ref_of(handler)
        # The longest first: the first that fits is the one.
        self._handlers = dict(sorted(self._handlers.items(), key=lambda item: -len(item[0])))
        if before is not None and before != self._handlers[path]:
            vista.post(before, "handler_replaced", path)

    def unregister_directory_handler(self, path: str) -> bool:
        """Undo `register_directory_handler`; return whether there was one."""
        return self._handlers.pop(path.rstrip("/") + "/", None) is not None

    def register_new_feature(self, announce: Any, *methods: str) -> None:
        """Add methods of HTTP, and fields that go into every answer.

        ``announce`` is None, a field ``"Name: value"`` or several of them. An object answers to
        method ``PROPFIND`` by ``propfind_request``.
        """
        lines = [announce] if isinstance(announce, str) else list(announce or ())
        pairs = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise vista.BadValueError(f"a field to announce is 'Name: value', not {line!r}")
            pairs.append((name.strip(), value.strip()))
        for method in methods:
            self.features[method.upper()] = f"{method.lower()}_request"
        self.announced = (*self.announced, *pairs)
        for entry in self._permanent.values():
            entry.messages.update(self._entry(entry.target).messages)

    # --- looking up ------------------------------------------------------------------------

    def find(self, method: str, path: str) -> Any:
        """Return who answers a request: a Ref for a plain GET, a `Response`, or else a `Found`."""
        entry = self._permanent.get(path) or self._cached.get(path)
        if entry is None:
            answer = self._load(path)
            if not isinstance(answer, _Entry):
                return Found(answer, fields=self.announced) if self.announced else answer
            entry = answer
        if method == "GET" and entry.plain_get and not self.announced:
            return entry.target
        message = entry.messages.get(method)
        if message is not None:
            asynchronous = message in entry.asynchronous
            return Found(entry.target, message, asynchronous, self.announced)
        return Found(self._refused(method, entry), fields=self.announced)

    def forget_object(self, path: str, target: vista.Ref) -> bool:
        """Take an object that is gone out of the directory; return whether it was and is gone."""
        error = vista.future(target, "class_of").exception()
        gone = isinstance(error, vista.NoSuchObject | vista.ObjectDeleted)
        return gone and self.unregister_object(path, target)

    def get_error_page_source(self, code: int) -> str | None:
        """Return the site's own page for a status code, None when it has none."""
        return self.error_pages.get(code)

    def set_error_page(self, code: int, page: str | None) -> None:
        """Have a page of the site's own sent with a status code; with None the plain one again."""
        if page is None:
            self.error_pages.pop(code, None)
        else:
            self.error_pages[code] = page

    def get_paths(self) -> list[str]:
        """Return the addresses that have an object, those of cached files too."""
        return sorted({*self._permanent, *self._cached.names()})

    def get_cached_bytes(self) -> int:
        """Return how many bytes of files are kept."""
        return self._cached.bytes

    def delete_obsolete(self, now: int, check_interval: int) -> None:
        """Have every cached object delete itself that is not good any longer.

        ``now`` is in seconds since 1970. `HTTPpurgeCache` sends it.
        """
        for path in self._cached.names():
            entry = self._cached.get(path)
            if entry is not None:
                vista.post(entry.target, "delete_if_obsolete", now, check_interval)

    def _load(self, path: str) -> Any:
        fitting = (own for beginning, own in self._handlers.items() if path.startswith(beginning))
        handler = next(fitting, None)
        found = None if handler is None else handler.load_object(path)
        if isinstance(found, Loaded):
            return self._keep(path, found)
        if isinstance(found, vista.Ref):
            return self._entry(found)
        return found or error_response(404, "There is nothing at this address.")

    def _keep(self, path: str, loaded: Loaded) -> _Entry:
        entry = _Entry(loaded.target, {"GET": "get_request", "HEAD": "get_request"})
        for gone in self._cached.put(path, entry, loaded.size):
            if gone is not entry:
                vista.post(gone.target, "delete_yourself")
        return entry

    def _entry(self, target: vista.Ref) -> _Entry:
        rows = vista.send(target, "methods")
        commands = {**COMMANDS, **self.features}
        messages = {method: name for method, name in commands.items() if name in rows}
        if "GET" in messages:
            messages.setdefault("HEAD", messages["GET"])
        if not messages:
            raise vista.BadValueError(
                f"{target} answers no request: it has none of {', '.join(commands.values())}"
            )
        asynchronous = frozenset(
            name for name in messages.values() if "reply_method" in rows[name].signature
        )
        return _Entry(target, messages, asynchronous)

    def _refused(self, method: str, entry: _Entry) -> Response:
        allow = (("Allow", ", ".join(sorted({*entry.messages, "OPTIONS"}))),)
        if method == "OPTIONS":
            return Response(b"", 204, allow)
        if method not in COMMANDS and method not in self.features:
            return error_response(501, "No such method is known here.")
        return error_response(405, "This address does not take that method.", allow)


def _checked(path: str) -> str:
    if not path.startswith("/"):
        raise vista.BadValueError(f"an address of a site begins with a slash, not {path!r}")
    return path
