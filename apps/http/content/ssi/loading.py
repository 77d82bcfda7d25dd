"""What a page asks of the world: files, objects and what is known of them, through one interface.

A path is the segments of an address after the first slash, decoded, as in
`apps.http.syntax.targets.Target`: ``("docs", "a.html")``. It has no dot segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from apps.http.content.ssi.errors import DirectiveError
from apps.http.errors import RequestRejected
from apps.http.syntax.targets import split_path

Path = tuple[str, ...]

_UNFIT = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
# The rest of what an address may not have, the rules for targets refuse.
_VISIBLE = re.compile(r"[!-~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Document:
    """What stands at a path, or what an object answered.

    ``processed`` tells whether its own directives are to be carried out. ``modified`` is when it
    was changed, in seconds since 1970, if anybody knows. ``expires`` is until when it is good, in
    the same unit: None for what is good until it changes.
    """

    text: str
    processed: bool = False
    modified: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """A file as the disk knows it: its size in bytes and when it was changed, in seconds."""

    size: int
    modified: float


class Loader(Protocol):
    """Gets what a page asks for. Its methods may wait; all raise `LoadFailed` for what they refuse.

    It answers for who may see what: a page shows whatever it hands out to everybody who sees the
    page. It is asked at the moment a thing is put in, so that it can note which state of it the
    page shows.
    """

    def load(self, path: Path, query: str) -> Document:
        """Return what stands at a path. ``query`` is as written after the question mark."""

    def look(self, path: Path) -> Facts:
        """Return what is known of the file at a path."""

    def call(self, name: str, method: str, arguments: tuple[str, ...]) -> Document:
        """Return what a method of an object answers; its ``expires`` None stands for at once."""


def place_file(name: str, page: Path) -> Path:
    """Return the path of a file that is named from the directory of a page, without any decoding.

    Raises `DirectiveError` for a name that begins with a slash or leads upwards: what may lie
    elsewhere is named by ``virtual``.
    """
    segments = tuple(name.split("/"))
    if not name or "" in segments or not {".", ".."}.isdisjoint(segments):
        raise DirectiveError(
            "file names a file in or below the directory of its page, without . and ..; use "
            f"virtual for others, not {name[:80]!r}"
        )
    if _UNFIT.search(name):
        raise DirectiveError(f"file has a backslash or a control character: {name[:80]!r}")
    return (*page[:-1], *segments)


def place_virtual(address: str, page: Path) -> tuple[Path, str]:
    """Return the path and the query of an address, relative to that of a page.

    Dot segments are removed and percent signs decoded by the rules for the targets of requests, so
    an address means the same in a page as in a browser. Raises `DirectiveError` for one that is
    malformed or names another server.
    """
    text, _, query = address.partition("?")
    if not text:
        raise DirectiveError("virtual needs the address of a document")
    if text.startswith("//") or ":" in text.partition("/")[0]:
        raise DirectiveError(f"virtual names a place on this server, not {address[:80]!r}")
    if "#" in address or not _VISIBLE.fullmatch(address):
        raise DirectiveError(
            f"virtual must be percent-encoded and has no fragment, not {address[:80]!r}"
        )
    if not text.startswith("/"):
        folders = "".join(f"{quote(segment, safe='', errors='replace')}/" for segment in page[:-1])
        text = f"/{folders}{text}"
    try:
        return split_path(text.encode("ascii")), query
    except RequestRejected as error:
        raise DirectiveError(f"virtual: {error.explain}") from error


def show(path: Path) -> str:
    """Return a path as people write it.

    >>> show(("docs", "a.html"))
    '/docs/a.html'
    """
    return "/" + "/".join(path)
