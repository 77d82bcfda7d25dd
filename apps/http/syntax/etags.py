"""Entity tags (RFC 9110, section 8.8.3): what they look like and when two of them match.

A strong tag changes with every byte of the representation, a weak one when its meaning does. Only
strong tags may join pieces of a representation, so ranges and writes ask for the strong match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

# entity-tag = [ %s"W/" ] DQUOTE *etagc DQUOTE; etagc leaves out controls, space and the quote.
_TAG = re.compile(r'(W/)?"([!\x23-\x7e\x80-\xff]*)"')
# Lists may have empty elements, which are skipped (section 5.6.1.2).
_GAP = re.compile(r"[ \t,]*")
_SEPARATOR = re.compile(r"[ \t]*(?:,|$)")

STEADY_NS = 1_000_000_000
"""How long a file must have rested, in nanoseconds, before its modification time tells two states
of it apart: file systems write times in steps of up to 10 ms, old ones in whole seconds."""


@dataclass(frozen=True, slots=True)
class EntityTag:
    """One entity tag: its opaque characters without the quotes, and whether it is weak.

    >>> str(EntityTag("v1", weak=True))
    'W/"v1"'
    """

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


class AnyTag(Enum):
    """The value ``*`` of If-Match and If-None-Match: whatever the tag is."""

    ANY = auto()


ANY = AnyTag.ANY


def strong_match(one: EntityTag, other: EntityTag) -> bool:
    """Tell whether both tags are strong and the same (section 8.8.3.2)."""
    return one == other and not one.weak


def weak_match(one: EntityTag, other: EntityTag) -> bool:
    """Tell whether the tags are the same but for their weakness (section 8.8.3.2)."""
    return one.opaque == other.opaque


def parse_etag(text: str) -> EntityTag | None:
    """Return the tag that is the whole of ``text``; None when it is not one tag.

    >>> parse_etag('"v1"')
    EntityTag(opaque='v1', weak=False)
    """
    match = _TAG.fullmatch(text)
    return None if match is None else EntityTag(match[2], match[1] is not None)


def parse_etags(lines: Iterable[str]) -> tuple[EntityTag, ...] | AnyTag | None:
    """Return the tags of a list, given as the values of all its field lines.

    ``ANY`` for the value ``*``; None when any part of the list is neither a tag nor a gap, since a
    list that was half understood must not decide about a write. Commas may stand inside a tag.

    >>> [str(tag) for tag in parse_etags(['"a", W/"b"', '"c,d"'])]
    ['"a"', 'W/"b"', '"c,d"']
    """
    text = ",".join(lines)
    if tag := parse_etag(text):  # as nearly all clients send it
        return (tag,)
    if text.strip(" \t") == "*":
        return ANY
    tags: list[EntityTag] = []
    position = _skip(_GAP, text, 0)
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None or not _SEPARATOR.match(text, match.end()):
            return None
        tags.append(EntityTag(match[2], match[1] is not None))
        position = _skip(_GAP, text, match.end())
    return tuple(tags) or None


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None  # the pattern matches nothing, too
    return match.end()


def file_etag(inode: int, size: int, modified_ns: int, now_ns: int) -> EntityTag:
    """Return the tag of a file as it was when it was looked at.

    ``modified_ns`` and ``now_ns`` are nanoseconds since 1970. The inode tells a file from the one
    that replaced it with its time kept. While the file is younger than a second, a second change
    within the same step of the file system's clock would leave no trace (RFC 9110, section 8.8.1):
    the tag is weak then, and another one than the file gets once it has rested, so that a copy
    taken in between is fetched anew.

    >>> str(file_etag(7, 1024, 0, 5_000_000_000))
    '"7-400-0"'
    """
    opaque = f"{inode:x}-{size:x}-{modified_ns:x}"
    if now_ns - modified_ns < STEADY_NS:
        return EntityTag(f"{opaque}-young", weak=True)
    return EntityTag(opaque)


def file_etag_text(inode: int, size: int, modified_ns: int, now_ns: int) -> str:
    """Return `file_etag` as it stands in a field, in a third of the time.

    >>> file_etag_text(7, 1024, 0, 5_000_000_000), file_etag_text(7, 1024, 0, 1)
    ('"7-400-0"', 'W/"7-400-0-young"')
    """
    if now_ns - modified_ns < STEADY_NS:
        return f'W/"{inode:x}-{size:x}-{modified_ns:x}-young"'
    return f'"{inode:x}-{size:x}-{modified_ns:x}"'
