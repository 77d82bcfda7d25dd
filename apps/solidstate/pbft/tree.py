"""Hash trees over the pages of a state (TOCS 2002, section 5.3).

Pages and nodes are blobs, named by their digests. A node is the digests of its children one after
the other; the root blob says how many pages there are, which fixes the shape. So whoever knows a
root can check every blob that comes from anybody, and two trees share the blobs of equal pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

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

    Nor are any where ``leaves`` has their digests, which somebody has checked.
    ``root`` names the tree; ``pages`` are the pages.
    """

    def __init__(
        self,
        pages: Sequence[bytes],
        before: Tree | None = None,
        leaves: list[bytes] | None = None,
    ) -> None:
        self.pages = list(pages)
        self._leaves = _leaf_digests(self.pages, before) if leaves is None else leaves
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
    return [blobs[digest] for digest in _leaves_of(root, blobs)]


def _leaves_of(root: bytes, blobs: Mapping[bytes, bytes]) -> list[bytes]:
    count = _page_count(blobs[root])
    level = _top(blobs[root])
    for _ in _widths(count):
        level = [child for digest in level for child in _children(blobs[digest])]
    if len(level) != count:
        raise MalformedMessage(f"a tree of {len(level)} pages says that it has {count}")
    return level


def tree_of(root: bytes, blobs: Mapping[bytes, bytes]) -> Tree:
    """Return the tree of ``root``, all of whose blobs are in ``blobs`` and were checked.

    Raises `MalformedMessage` when they make no tree of the number of pages the root states.
    """
    leaves = _leaves_of(root, blobs)
    return Tree([blobs[digest] for digest in leaves], leaves=leaves)


class Part:
    """A tree of which ``root`` is known, and blobs come one after the other.

    ``known`` are the blobs that are here already, which are taken from there and never wanted;
    ``blobs`` has what belongs to the tree and is here.
    """

    def __init__(self, root: bytes, known: Sequence[Mapping[bytes, bytes]]) -> None:
        self.root = root
        self.blobs: dict[bytes, bytes] = {}
        self._known = known
        # A page may be the same bytes as a node: so each has the heights at which it is wanted.
        self._wanted: dict[bytes, set[int]] = {}
        self._unasked: dict[bytes, None] = {}
        self._want(root, _ROOT)

    @property
    def whole(self) -> bool:
        """Whether nothing is wanted any more."""
        return not self._wanted

    def take(self, most: int) -> tuple[bytes, ...]:
        """Return up to ``most`` digests that are wanted and that nobody was asked for."""
        taken = tuple(islice(self._unasked, most))
        for digest in taken:
            del self._unasked[digest]
        return taken

    def put_back(self, digests: Iterable[bytes]) -> None:
        """Have digests asked for again, as far as they are still wanted."""
        self._unasked.update((digest, None) for digest in digests if digest in self._wanted)

    def add(self, blob: bytes) -> bytes | None:
        """Take a blob if it is wanted, whoever it is from; return its digest, None if it is not.

        Raises `MalformedMessage` for a node that is none: then the root names no tree.
        """
        digest = digest_of(blob)
        heights = self._wanted.pop(digest, None)
        if heights is None:
            return None
        self._unasked.pop(digest, None)
        self.blobs[digest] = blob
        for height in heights:
            for child, below in _below(blob, height):
                self._want(child, below)
        return digest

    def _want(self, digest: bytes, height: int) -> None:
        """Take a blob from what is known, and all below it; want what is not there."""
        todo = [(digest, height)]
        while todo:
            digest, height = todo.pop()
            blob = self._find(digest)
            if blob is not None:
                self.blobs[digest] = blob
                todo += _below(blob, height)
            else:
                self._wanted.setdefault(digest, set()).add(height)
                self._unasked[digest] = None

    def _find(self, digest: bytes) -> bytes | None:
        for blobs in (self.blobs, *self._known):
            blob = blobs.get(digest)
            if blob is not None:
                return blob
        return None


_ROOT = -1
"""The height of a root blob, which says how high the tree is; pages have 0."""


def _below(blob: bytes, height: int) -> list[tuple[bytes, int]]:
    """The digests below a blob of a tree, with their heights."""
    if height == _ROOT:
        top = len(_widths(_page_count(blob)))
        return [(digest, top) for digest in _top(blob)]
    return [(child, height - 1) for child in _children(blob)] if height else []


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
