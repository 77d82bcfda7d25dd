"""What a directory finds for an address, as values that the parts of the server pass on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import vista

Pairs = tuple[tuple[str, str], ...]

_DIRECTORY = "URLdirectory:"

WEBSOCKET = "GET websocket"
"""Stands for the method of a GET that asks to go on as a WebSocket. It is none that a client can
send, so nobody gets there without asking."""

WEBSOCKET_REQUEST = "websocket_request"
"""The message that such a request becomes."""


@vista.record
@dataclass(frozen=True, slots=True)
class Found:
    """Who answers a request, when there is more to say than who; ``target`` is a Response if it is
    answered already. ``fields`` go into every answer of the site.

    ``user`` and ``session`` are for the request, ``acts_for`` is the user in whose name the page is
    called; they are told by a guard that let the request in. ``is_far`` says that the target
    was made on another node.
    """

    target: Any
    message: str = "get_request"
    asynchronous: bool = False
    fields: Pairs = ()
    user: str = ""
    session: str = ""
    acts_for: str = ""
    is_far: bool = False


@vista.record
@dataclass(frozen=True, slots=True)
class Guarded:
    """Who decides whether a request is let in, in the place of who answers it.

    The guard is sent ``admit_request(request, method)`` and returns a `Found` or a `Response`.
    Whoever takes no notice of guards finds nothing here that answers.
    """

    guard: vista.Ref
    fields: Pairs = ()


@vista.record
@dataclass(frozen=True, slots=True)
class Loaded:
    """What a directory handler made for an address: an object, and the bytes it keeps."""

    target: Any
    size: int


def service_name(site: Any) -> Any:
    """Return the service name of the directory of a site, by the name of the site.

    The name of the service itself is taken too, and so is a Ref: both are returned as they are.

    >>> service_name("localhost")
    'URLdirectory:localhost'
    """
    if isinstance(site, str) and not site.startswith(_DIRECTORY):
        return _DIRECTORY + site
    return site
