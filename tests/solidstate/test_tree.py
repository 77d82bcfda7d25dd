"""Hash trees: equal states have equal roots, others do not, and every blob can be checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.solidstate.pbft.canonical import MalformedMessage, digest_of, pack
from apps.solidstate.pbft.tree import FAN_OUT, Tree, missing_blobs, pages_of

COUNTS = [0, 1, 2, FAN_OUT - 1, FAN_OUT, FAN_OUT + 1, FAN_OUT**2, FAN_OUT**2 + 1]


def pages(count: int) -> list[bytes]:
    return [b"page %d" % number for number in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_all_pages_come_back_from_the_blobs(count: int) -> None:
    tree = Tree(pages(count))
    assert pages_of(tree.root, tree.blobs) == pages(count)


@pytest.mark.parametrize("count", COUNTS)
def test_blobs_are_named_by_their_digests(count: int) -> None:
    blobs = Tree(pages(count)).blobs
    assert all(digest_of(blob) == digest for digest, blob in blobs.items())


@pytest.mark.parametrize("count", COUNTS)
def test_fetching_what_is_missing_ends_with_the_whole_tree(count: int) -> None:
    tree = Tree(pages(count))
    source, here = tree.blobs, {}
    for _ in range(count + 10):
        missing = missing_blobs(tree.root, here, 7)
        if not missing:
            break
        assert len(missing) <= 7
        here.update({digest: source[digest] for digest in missing})
    assert pages_of(tree.root, here) == pages(count)


@given(st.lists(st.binary(max_size=4), max_size=80), st.lists(st.binary(max_size=4), max_size=80))
def test_a_tree_made_from_another_one_is_the_tree_made_anew(
    first: list[bytes], second: list[bytes]
) -> None:
    assert Tree(second, Tree(first)).root == Tree(second).root


@given(st.lists(st.binary(max_size=4), max_size=80), st.lists(st.binary(max_size=4), max_size=80))
def test_roots_are_equal_where_pages_are(first: list[bytes], second: list[bytes]) -> None:
    assert (Tree(first).root == Tree(second).root) == (first == second)


def test_only_changed_pages_and_what_is_above_them_are_new() -> None:
    before = Tree(pages(100))
    changed = list(before.pages)
    changed[50] = b"other"
    new = Tree(changed, before).blobs.keys() - before.blobs.keys()
    assert len(new) == 4  # the page, its node, the node above, the root


BAD_ROOTS = {
    "rubbish": b"rubbish",
    "no root": pack(["leaf", 1, b"x" * 32]),
    "negative": pack(["root", -1]),
    "too many pages": pack(["root", 2**40, b"x" * 32]),
    "no digest": pack(["root", 5]),
}


@pytest.mark.parametrize("name", BAD_ROOTS)
def test_a_blob_that_is_no_root_is_refused(name: str) -> None:
    root = BAD_ROOTS[name]
    with pytest.raises(MalformedMessage):
        missing_blobs(digest_of(root), {digest_of(root): root}, 5)


def test_a_node_of_the_wrong_size_is_refused() -> None:
    node = b"x" * 33
    root = pack(["root", 40, digest_of(node)])
    blobs = {digest_of(node): node, digest_of(root): root}
    with pytest.raises(MalformedMessage):
        missing_blobs(digest_of(root), blobs, 5)


def test_a_root_that_states_another_number_of_pages_is_refused() -> None:
    tree = Tree(pages(3))
    blobs = tree.blobs
    node = next(blob for blob in blobs.values() if len(blob) == 96)
    root = pack(["root", 4, digest_of(node)])
    with pytest.raises(MalformedMessage):
        pages_of(digest_of(root), {**blobs, digest_of(root): root})
