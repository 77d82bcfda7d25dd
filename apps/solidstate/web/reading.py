"""What a request brings, within bounds, and what became of it, in words."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlencode

import vista
from apps.http.content.resources import Request
from apps.http.errors import RequestRejected
from apps.solidstate.errors import EndlessMethodError, StateTooLargeError
from apps.solidstate.web.bounds import (
    FIELDS_MAX,
    FORM_CHARACTERS_MAX,
    QUERY_CHARACTERS_MAX,
)
from apps.solidstate.web.state import HTTPreplicaStateVariable
from apps.solidstate.web.templates import is_page_name


def loop_time() -> float:
    """Return the time of the node's loop, in seconds; it runs evenly."""
    return asyncio.get_running_loop().time()


def parameters_of(request: Request) -> dict[str, str]:
    """Return the parameters of a request's address. Raises `RequestRejected` for too many."""
    if len(request.query) > QUERY_CHARACTERS_MAX or request.query.count("&") >= FIELDS_MAX:
        raise RequestRejected(
            414, f"parameters have {QUERY_CHARACTERS_MAX} characters at most, {FIELDS_MAX} of them"
        )
    pairs = parse_qsl(request.query, keep_blank_values=True, errors="replace")
    return HTTPreplicaStateVariable.collapse_form(pairs)


def fields_of_form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises `RequestRejected` for too many, for files, for none."""
    form = request.form()
    if form.files():
        raise RequestRejected(400, "a form of a session has no files")
    pairs = form.items()
    characters = sum(len(name) + len(value) for name, value in pairs)
    if len(pairs) > FIELDS_MAX or characters > FORM_CHARACTERS_MAX:
        raise RequestRejected(
            413, f"a form has {FIELDS_MAX} fields at most, and {FORM_CHARACTERS_MAX} characters"
        )
    return HTTPreplicaStateVariable.collapse_form(pairs)


def blame(error: BaseException) -> tuple[int, str]:
    """Return status and words for what a class raised: 400 where the user can mend it."""
    # Errors of vista and of Python's own functions say nothing to a user.
    own = isinstance(error, ValueError) and not isinstance(error, vista.VistaError | UnicodeError)
    if own:
        return 400, str(error) or "What was sent cannot be done."
    if isinstance(error, EndlessMethodError):
        return 500, "What was asked for takes too long."
    if isinstance(error, StateTooLargeError):
        return 507, "There is no room for more."
    return 500, "Something went wrong, and it is noted."


def mistake_in(result: Any, page: Any, query: Any) -> str:
    """Say why ``process_request`` returned what leads nowhere; empty if it is right."""
    shown = vista.outline(result, 80)
    if not isinstance(result, dict) or not isinstance(page, str) or not is_page_name(page):
        return f"{shown}: no dict with a page, such as cart.html"
    if not isinstance(query, dict) or not all(
        isinstance(name, str) and isinstance(value, str | int | float)
        for name, value in query.items()
    ):
        return f"{shown}: a query is texts or numbers by name"
    if "page" in query:
        return f"{shown}: the page is named beside the query, not in it"
    try:
        characters = len(query_of(page, query))
    except ValueError as error:
        # Halves of surrogate pairs, and numbers of thousands of digits.
        return f"{shown}: no address can hold the query: {error}"
    if characters > QUERY_CHARACTERS_MAX:
        return f"{shown}: an address has {QUERY_CHARACTERS_MAX} characters of parameters at most"
    return ""


def query_of(page: str, query: dict[str, Any]) -> str:
    """Return the parameters of an address that shows a page, encoded."""
    return urlencode({"page": page, **{name: str(value) for name, value in query.items()}})
