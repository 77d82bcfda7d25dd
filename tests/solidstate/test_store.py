"""The reference service: what it answers, and that its pages are its state."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.store import KeyValueStore

CONTEXT = Context("ann", 1, 1, b"")


def do(store: KeyValueStore, *operation: object) -> object:
    return unpack(store.execute(pack(list(operation)), CONTEXT))


@pytest.fixture
def store() -> KeyValueStore:
    return KeyValueStore()


def test_put_answers_the_old_value(store: KeyValueStore) -> None:
    assert do(store, "put", "a", b"1") == ["ok", None]
    assert do(store, "put", "a", b"2") == ["ok", b"1"]


def test_get_answers_the_value_or_none(store: KeyValueStore) -> None:
    do(store, "put", "a", b"1")
    assert [do(store, "get", key) for key in ("a", "b")] == [["ok", b"1"], ["ok", None]]


def test_remove_answers_the_old_value_and_removes_it(store: KeyValueStore) -> None:
    do(store, "put", "a", b"1")
    assert [do(store, "remove", "a") for _ in range(2)] == [["ok", b"1"], ["ok", None]]


def test_list_answers_all_keys_in_order(store: KeyValueStore) -> None:
    for key in "cab":
        do(store, "put", key, b"1")
    assert do(store, "list") == ["ok", ["a", "b", "c"]]


@pytest.mark.parametrize("operation", [b"", b"\xc1", pack(["put", "a"]), pack(["put", 1, b""])])
def test_what_is_no_operation_is_answered(store: KeyValueStore, operation: bytes) -> None:
    assert unpack(store.execute(operation, CONTEXT)) == ["bad", "no such operation"]


def test_what_changes_something_is_not_read_only(store: KeyValueStore) -> None:
    assert store.execute_read_only(pack(["put", "a", b"1"])) is None
    assert store.execute_read_only(pack(["get", "a"])) == pack(["ok", None])


def test_pages_do_not_tell_in_which_order_keys_came() -> None:
    one, other = KeyValueStore(), KeyValueStore()
    for number in range(50):
        do(one, "put", f"key{number}", b"1")
        do(other, "put", f"key{49 - number}", b"1")
    assert one.snapshot() == other.snapshot()


def test_pages_that_did_not_change_are_the_same_objects(store: KeyValueStore) -> None:
    before = store.snapshot()
    do(store, "put", "a", b"1")
    after = store.snapshot()
    assert sum(old is not new for old, new in zip(before, after, strict=True)) == 1


def test_a_restored_store_answers_as_the_other_one(store: KeyValueStore) -> None:
    for number in range(50):
        do(store, "put", f"key{number}", b"%d" % number)
    other = KeyValueStore()
    other.restore(store.snapshot())
    assert do(other, "list") == do(store, "list")
    assert do(other, "get", "key7") == ["ok", b"7"]
