"""Content negotiation (RFC 9110, section 12): which coding or type of an answer a client prefers.

What is offered is listed best first, and among what the client wants equally the first wins. A
preference that cannot be read counts as not given, so a mistaken client still gets an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apps.http.errors import FieldSyntaxError
from apps.http.syntax.fields import Fields, split_list

IDENTITY = "identity"
"""The coding that is none: the bytes as they are."""

_LEAST = 0.0005
"""Less than the smallest weight there is, 0.001, and more than none."""
# Section 8.4.1: the names with x- are to be taken for those without.
_SAME_CODINGS = {"x-gzip": "gzip", "x-compress": "compress"}


def choose_encoding(fields: Fields, offered: Sequence[str]) -> str | None:
    """Return which content coding the client prefers of those offered, best first.

    ``offered`` may name `IDENTITY` in its place among the others; when it does not, it comes last.
    None when the client refuses everything, identity too: the answer is 406, or the page all the
    same, as section 12.5.3 allows.

    >>> choose_encoding(Fields([("Accept-Encoding", "gzip, br;q=0.5")]), ["br", "gzip"])
    'gzip'

    Source: RFC 9110, section 12.5.3.
    """
    if IDENTITY not in offered:
        offered = (*offered, IDENTITY)
    weights = _weights(fields, "Accept-Encoding")
    if weights is None:
        # Anything would do, but who does not say what it can read may well read nothing but this.
        return IDENTITY
    best, quality = None, 0.0
    for coding in offered:
        if (weight := _coding_quality(weights, coding)) > quality:
            best, quality = coding, weight
    return best


def _coding_quality(weights: dict[str, float], coding: str) -> float:
    if coding in weights:
        return weights[coding]
    if coding != IDENTITY:
        return weights.get("*", 0.0)
    # Identity is acceptable unless refused by name or by *;q=0. It has no weight of its own: one
    # that is smaller than any other lets every coding that the client asked for go before it.
    return 0.0 if weights.get("*") == 0 else _LEAST


def _weights(fields: Fields, name: str) -> dict[str, float] | None:
    """Return the codings of a field with their weights; None when it is missing or malformed."""
    value = fields.get(name)
    if value is None:
        return None
    # As all browsers send it, without weights: read in a third of the time.
    if ";" not in value and '"' not in value:
        codings = split_list(value.lower())
        return {_SAME_CODINGS.get(coding, coding): 1.0 for coding in codings}
    try:
        elements = fields.weighted(name)
    except FieldSyntaxError:
        return None
    return {_SAME_CODINGS.get(value, value): quality for value, _, quality in elements}


def choose_type(fields: Fields, offered: Sequence[str]) -> str | None:
    """Return which media type the client prefers of those offered, best first.

    ``offered`` without parameters, such as ``["text/html", "text/plain"]``. Of several ranges in
    Accept that fit a type the most specific one counts. Without an Accept, or with one that cannot
    be read, the first. None when nothing offered is acceptable: an error page is then sent as it
    is (section 12.4.1).

    >>> choose_type(Fields([("Accept", "text/*, application/json;q=0.9")]), ["application/json"])
    'application/json'

    Source: RFC 9110, section 12.5.1.
    """
    try:
        ranges = fields.weighted("Accept")
    except FieldSyntaxError:
        ranges = ()
    if not ranges:
        return offered[0] if offered else None
    # A range with parameters asks for a variant that nobody offers.
    weights = {item.value: item.quality for item in ranges if not item.parameters}
    best, quality = None, 0.0
    for kind in offered:
        main = kind.partition("/")[0]
        fitting = (weights[name] for name in (kind, f"{main}/*", "*/*") if name in weights)
        if (weight := next(fitting, 0.0)) > quality:
            best, quality = kind, weight
    return best


def merged_vary(present: str | None, names: Iterable[str]) -> str:
    """Return a Vary field with more names in it, each once; ``*`` stands for every name.

    ``present`` is the value the answer has already, or None.

    >>> merged_vary("Cookie", ["Accept-Encoding", "cookie"])
    'Cookie, Accept-Encoding'

    Source: RFC 9110, section 12.5.5.
    """
    merged: dict[str, str] = {}
    for name in (*split_list(present or ""), *names):
        merged.setdefault(name.lower(), name)
    return "*" if "*" in merged else ", ".join(merged.values())
