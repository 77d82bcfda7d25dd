"""Answers of the site: pages with their fields, redirections, JSON, and what orders come to."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import vista
from apps.http.content.resources import Response
from apps.starship.web.reading import JSON, Look

Pairs = tuple[tuple[str, str], ...]

POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""What the pages may load: nothing from elsewhere, no script or style that stands in the page."""

SECURITY: Final[Pairs] = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    # With no-referrer browsers would send "Origin: null" along with our own forms.
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)

LOGIN: Final = "/starshipLogin.html"
BRIDGE: Final = "/starship/bridge"
SCAN: Final = "/starship/scan"


@vista.record
class Outcome(NamedTuple):
    """What came of an order or of a request for a ship, as `Admission` answers it.

    ``left`` is how many orders more the step takes, ``step`` the one that is being collected; both
    are -1 where nobody knows.
    """

    ok: bool
    code: str = ""
    text: str = ""
    left: int = -1
    step: int = -1

    @property
    def status(self) -> int:
        """The status code of the answer (design, section 14.1)."""
        return 200 if self.ok else STATUSES.get(self.code, 409)


STATUSES: Final = {
    "E_ARG": 400,
    "E_NAME": 400,
    "E_TOKEN": 403,
    "E_CAPTAIN": 403,
    "E_PHRASE": 403,
    "E_SHIP": 404,
    "E_BUSY": 429,
    "E_LINK": 503,
}
"""The status of a refusal by its code; of all others 409."""

LINK_LOST: Final = "The link to the primary is lost: no order can be given."


def page(text: str, status: int = 200, fields: Pairs = ()) -> Response:
    """Return a page that no cache keeps."""
    return Response(text, status, (*SECURITY, *fields))


def json_answer(found: Any, status: int = 200, fields: Pairs = ()) -> Response:
    """Return JSON: ``found`` as it is if it is a text already."""
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    kind = ("Content-Type", f"{JSON}; charset=utf-8")
    return Response(text.encode(), status, (*SECURITY, kind, *fields))


def told(outcome: Outcome, **more: Any) -> Response:
    """Return the answer to an order as JSON."""
    retry = (("Retry-After", "2"),) if outcome.status in (429, 503) else ()
    return json_answer({**outcome._asdict(), **more}, outcome.status, retry)


def with_field(response: Response, *fields: tuple[str, str]) -> Response:
    """Return an answer with further fields."""
    return replace(response, fields=(*(response.fields or ()), *fields))


def see_other(address: str, fields: Pairs = ()) -> Response:
    """Return an answer that leads elsewhere; a form that was sent is not sent again."""
    return Response(b"", 303, (("Location", address), *SECURITY, *fields))


def address_of(path: str, look: Look) -> str:
    """Return the address of a look."""
    query = urlencode(look.query())
    return f"{path}?{query}" if query else path


def too_many(seconds: float, words: str, as_json: bool = False) -> Response:
    """Return the answer for those who ask too often: as little work as can be.

    ``as_json`` is for orders, of which a script shows what came of them.
    """
    retry = ("Retry-After", str(math.ceil(seconds)))
    if as_json:
        return json_answer(Outcome(False, "E_BUSY", words)._asdict(), 429, (retry,))
    return Response(words, 429, (retry, ("Content-Type", "text/plain"), *SECURITY))
