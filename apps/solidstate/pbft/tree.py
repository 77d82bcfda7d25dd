"""Hash trees over the pages of a state (TOCS 2002, section 5.3).

Pages and nodes are blobs, named by their digests. A node is the digests of its children one after
the other; the root blob says how many pages there are, which fixes the shape. So whoever knows a
root can check every blob that comes from anybody, and two trees share the blobs of equal pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from apps.solidstate.pbft.canonical import (
    DIGEST_BYTES,
    MalformedMessage,
    digest_of,
    pack,
    unpack,
)

FAN_OUT = 32
"""Children of a node."""

PAGES_MAX = FAN_OUT**5
"""Pages of one state."""


class Tree:
    """The hash tree of a list of pages; pages that ``before`` has as well are not digested.

    ``root`` names the tree; ``pages`` are the pages.
    """

    def __init__(self, pages: Sequence[bytes], before: Tree | None = None) -> None:
        self.pages = list(pages)
        self._leaves = _leaf_digests(self.pages, before)
        self._nodes: list[bytes] = []
        level = self._leaves
        while len(level) > 1:
            nodes = [b"".join(level[at : at + FAN_OUT]) for at in range(0, len(level), FAN_OUT)]
            self._nodes += nodes
            level = [digest_of(node) for node in nodes]
        self._nodes.append(pack(["root", len(self.pages), *level]))
        self.root = digest_of(self._nodes[-1])

    @cached_property
    def blobs(self) -> Mapping[bytes, bytes]:
        """All pages and nodes by their digests."""
        found = {digest_of(node): node for node in self._nodes}
        found.update(zip(self._leaves, self.pages, strict=True))
        return found


def _leaf_digests(pages: list[bytes], before: Tree | None) -> list[bytes]:
    old = before.pages if before is not None else []
    digests = before._leaves[: len(pages)] if before is not None else []
    for place, page in enumerate(pages):
        if place >= len(digests):
            digests.append(digest_of(page))
        elif page is not old[place]:
            digests[place] = digest_of(page)
    return digests


def missing_blobs(root: bytes, blobs: Mapping[bytes, bytes], most: int) -> list[bytes]:
    """Return the digests of up to ``most`` blobs that the tree of ``root`` lacks in ``blobs``.

    Raises `MalformedMessage` when a blob of the tree is none: then the root names no tree.
    """
    found: dict[bytes, None] = {}
    for digest in _walk(root, blobs):
        found[digest] = None
        if len(found) == most:
            break
    return list(found)


def _walk(root: bytes, blobs: Mapping[bytes, bytes]) -> Iterator[bytes]:
    if root not in blobs:
        yield root
        return
    level = _top(blobs[root])
    for width in _widths(_page_count(blobs[root])):
        below: list[bytes] = []
        for digest in level:
            if digest in blobs:
                below += _children(blobs[digest])
            else:
                yield digest
        if len(below) > width:
            raise MalformedMessage("a node of the tree has too many children")
        level = below
    yield from (digest for digest in level if digest not in blobs)


def pages_of(root: bytes, blobs: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the pages of the tree of ``root``, all of whose blobs are in ``blobs``.

    Raises `MalformedMessage` when they make no tree of the number of pages the root states.
    """
    count = _page_count(blobs[root])
    level = _top(blobs[root])
    for _ in _widths(count):
        level = [child for digest in level for child in _children(blobs[digest])]
    if len(level) != count:
        raise MalformedMessage(f"a tree of {len(level)} pages says that it has {count}")
    return [blobs[digest] for digest in level]


def _page_count(root: bytes) -> int:
    match unpack(root):
        case ["root", int(count), *_] if 0 <= count <= PAGES_MAX:
            return count
    raise MalformedMessage("not the root of a tree")


def _top(root: bytes) -> list[bytes]:
    match unpack(root):
        case ["root", 0]:
            return []
        case ["root", int(count), bytes(digest)] if 0 < count <= PAGES_MAX:
            return [digest]
    raise MalformedMessage("not the root of a tree")


def _widths(count: int) -> list[int]:
    """How many digests stand below each level of nodes, from the top, for a number of pages."""
    widths = []
    while count > 1:
        widths.append(count)
        count = -(-count // FAN_OUT)
    return widths[::-1]


def _children(node: bytes) -> list[bytes]:
    if not node or len(node) % DIGEST_BYTES or len(node) > FAN_OUT * DIGEST_BYTES:
        raise MalformedMessage("not a node of a tree")
    return [node[at : at + DIGEST_BYTES] for at in range(0, len(node), DIGEST_BYTES)]
