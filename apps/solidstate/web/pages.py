"""The pages that no template makes: what went wrong, in plain words, and how to go on.

And what every page says to the browser. No page is kept anywhere: it is one person's, and a form in
it may be sent once. Addresses hold the Id of a session, so they are told to nobody else.
"""

from __future__ import annotations

import html
from urllib.parse import quote, urlencode

from apps.http.content.resources import Response
from apps.http.syntax.answers import REASONS
from apps.solidstate.web.bounds import RETRY_SECONDS

Pairs = tuple[tuple[str, str], ...]

SECURITY: Pairs = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Cache-Control", "no-store"),
    # Not no-referrer: with it a form says Origin: null.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""The fields of every page."""

_LATER: Pairs = (("Retry-After", str(RETRY_SECONDS)),)


def plain_page(status: int, words: str, then: str = "", fields: Pairs = ()) -> Response:
    """Return a page with a sentence; ``then`` is HTML, which says how to go on."""
    reason = html.escape(REASONS.get(status, "Error"))
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{reason}</title></head>\n'
        f"<body><main><h1>{reason}</h1><p>{html.escape(words)}</p>{then}</main></body></html>\n"
    )
    return Response(page, status, (*SECURITY, *fields))


def link(address: str, words: str) -> str:
    """Return a paragraph with a link; ``address`` is encoded already."""
    return f'<p><a href="{html.escape(address)}">{html.escape(words)}</a></p>'


def fresh(page: str, kind: str) -> str:
    """Return the link to a fresh session of a type."""
    return link(f"{quote(page)}?{urlencode({'type': kind})}" if kind else quote(page), "Begin anew")


def over_page(page: str, kind: str) -> Response:
    """Return the page of a session that the servers no longer have, or never had."""
    return plain_page(410, "The session is over.", fresh(page, kind))


def later_page(words: str) -> Response:
    """Return the page of servers that do not answer at present."""
    return plain_page(503, words, fields=_LATER)


def again_page(action: str, fields: dict[str, str]) -> Response:
    """Return the page for a form of which nobody knows whether it was carried out.

    It has the same form, with the same key: sent again it is carried out once in all.
    """
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    then = (
        f'<form method="post" action="{html.escape(action)}">{hidden}'
        f"<button>Send it again</button></form>"
    )
    words = (
        "The servers do not answer at present, and may or may not have what you sent. Send it "
        "again: it is carried out once, however often you do."
    )
    return plain_page(503, words, then, _LATER)


def see_page(address: str, fields: Pairs = ()) -> Response:
    """Lead to another address of the site, which is encoded already."""
    # With two slashes at its beginning it would name another host.
    location = "/" + address.lstrip("/")
    body = plain_page(303, "The page is at another address.", link(location, "Go on")).body
    return Response(body, 303, (*SECURITY, ("Location", location), *fields))
