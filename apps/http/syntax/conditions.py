"""Conditional requests (RFC 9110, section 13): whether a request is carried out.

Two rules: the order of section 13.2.2 decides which field counts when several are there, and what
cannot be understood never makes a write happen. If-Range belongs to the ranges and is not here.
"""

from __future__ import annotations

from enum import Enum, auto

from apps.http.syntax.dates import parse_date
from apps.http.syntax.etags import ANY, EntityTag, parse_etags, strong_match, weak_match
from apps.http.syntax.fields import Fields

READING = frozenset({"GET", "HEAD"})
UNCONDITIONAL = frozenset({"CONNECT", "OPTIONS", "TRACE"})
"""Methods that neither select nor change a representation: conditions mean nothing to them."""


class Outcome(Enum):
    """What becomes of a conditional request."""

    PROCEED = auto()
    """Carry it out."""
    NOT_MODIFIED = auto()
    """Answer 304: the client has the representation already."""
    FAILED = auto()
    """Answer 412 and change nothing."""


PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED


def evaluate(
    method: str,
    fields: Fields,
    etag: EntityTag | None,
    last_modified: int | None,
    now: int,
    *,
    exists: bool = True,
) -> Outcome:
    """Decide a request by its If-Match, If-None-Match and If-(Un)Modified-Since.

    To be called when the request would otherwise be answered with 2xx, and before anything is
    changed (section 13.2.1). ``etag`` and ``last_modified`` (seconds since 1970) are those of the
    representation the request is about, None where it has none; ``exists`` is false when there is
    no representation, and so neither of them, as for a PUT that would create one. ``now`` is the
    present in the same seconds.

    Source: RFC 9110, section 13.2.2.
    """
    if method in UNCONDITIONAL:
        return PROCEED
    if lines := fields.get_all("If-Match"):
        if not _matches(lines, etag, exists):
            return FAILED
    elif _changed_since(fields, last_modified, now):
        return FAILED
    reading = method in READING
    if lines := fields.get_all("If-None-Match"):
        if _none_matches(lines, etag, exists, reading):
            return PROCEED
        return NOT_MODIFIED if reading else FAILED
    if reading and _unchanged_since(fields, last_modified, now):
        return NOT_MODIFIED
    return PROCEED


def _matches(lines: tuple[str, ...], etag: EntityTag | None, exists: bool) -> bool:
    tags = parse_etags(lines)
    if tags is ANY:
        return exists
    if tags is None or etag is None:
        return False
    return any(strong_match(tag, etag) for tag in tags)


def _none_matches(
    lines: tuple[str, ...], etag: EntityTag | None, exists: bool, reading: bool
) -> bool:
    tags = parse_etags(lines)
    if tags is ANY:
        return not exists
    if tags is None:
        # A reader gets the whole answer; a writer asked for a protection that nobody understood.
        return reading
    return etag is None or not any(weak_match(tag, etag) for tag in tags)


def _changed_since(fields: Fields, last_modified: int | None, now: int) -> bool:
    date = _date(fields, "If-Unmodified-Since", now)
    return date is not None and last_modified is not None and last_modified > date


def _unchanged_since(fields: Fields, last_modified: int | None, now: int) -> bool:
    date = _date(fields, "If-Modified-Since", now)
    return date is not None and last_modified is not None and last_modified <= date


def _date(fields: Fields, name: str, now: int) -> int | None:
    """Return the date of a field; None when it is missing, twice there or no date.

    Sections 13.1.3 and 13.1.4: such a field is ignored.
    """
    lines = fields.get_all(name)
    return parse_date(lines[0], now) if len(lines) == 1 else None
