"""The replicated key-value store, and the mapping that stands for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.services.store import KEYS_MAX, LISTED_MAX, ReplicatedStore, StoreMapping
from tests.solidstate.services.executed import Executed
from vista.testing import SimulatedNode, World


@pytest.fixture
def store() -> Executed:
    return Executed(ReplicatedStore)


def test_put_get_remove_and_list(store: Executed) -> None:
    assert store.call("put", "pears", 3) is None
    assert store.call("put", "apples", 1) is None
    assert store.call("put", "pears", 4) == 3
    assert store.call("get", "pears") == 4
    assert store.call("get", "plums", 0) == 0
    assert store.call("list") == ["apples", "pears"]
    assert store.call("remove", "pears") == 4
    assert store.call("remove", "pears") is None
    assert store.call("count") == 1


def test_put_if_compares_with_what_is_there(store: Executed) -> None:
    assert store.call("put_if", "leader", None, "ann") is True
    assert store.call("put_if", "leader", None, "bob") is False
    assert store.call("put_if", "leader", "ann", "bob") is True
    assert store.call("get", "leader") == "bob"


@pytest.mark.parametrize("key", [5, None, "k" * 1_001], ids=["number", "none", "long"])
def test_a_key_that_is_none_is_refused(store: Executed, key: object) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a key is a text of 1000 characters at most"):
        store.call("put", key, 1)
    assert store.call("count") == 0


@pytest.mark.parametrize("method", ["get", "has", "remove", "remove_key"])
@pytest.mark.parametrize("key", [5, ["tea"]], ids=["number", "list"])
def test_what_is_no_key_is_told_whatever_is_asked_of_it(
    store: Executed, method: str, key: object
) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a key is a text of 1000 characters at most"):
        store.call(method, key)


def test_a_store_has_a_bound(store: Executed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.solidstate.services.store.KEYS_MAX", 2)
    store.call("put", "a", 1)
    store.call("put", "b", 1)
    with pytest.raises(vista.BadValueError, match=r"^a store has room for 2 keys: remove some$"):
        store.call("put", "c", 1)
    assert store.call("put", "a", 2) == 1


# --- the mapping ---------------------------------------------------------------------------


@pytest.fixture
def node() -> Iterator[SimulatedNode]:
    with World(5) as world:
        yield world.node()


def test_the_mapping_is_one(node: SimulatedNode) -> None:
    def use() -> None:
        mapping = StoreMapping(vista.create(ReplicatedStore))
        mapping["tea"] = 4
        mapping["nothing"] = None
        mapping.update({"milk": 2})
        assert mapping["nothing"] is None
        assert dict(mapping) == {"milk": 2, "nothing": None, "tea": 4}
        assert ("tea" in mapping, "coffee" in mapping, 5 in mapping) == (True, False, False)
        assert mapping.pop("tea") == 4
        assert (mapping.pop("tea", 0), mapping.pop(5, 0)) == (0, 0)  # type: ignore[call-overload]
        assert mapping.setdefault("salt", 1) == 1
        assert (mapping.setdefault("salt", 9), mapping.setdefault("nothing", 9)) == (1, None)
        assert mapping.swap("salt", 1, 2)
        assert not mapping.swap("salt", 1, 3)
        del mapping["nothing"]
        assert sorted(mapping.items()) == [("milk", 2), ("salt", 2)]
        assert mapping.popitem() == ("milk", 2)
        mapping.clear()
        assert len(mapping) == 0
        with pytest.raises(KeyError, match=r"the store is empty"):
            mapping.popitem()
        with pytest.raises(KeyError, match=r"^'tea'$"):
            mapping.pop("tea")

    node.call(use)


@pytest.mark.parametrize("key", ["tea", 5, "t" * 1_001], ids=["text", "number", "long"])
@pytest.mark.parametrize("action", ["get", "delete"])
def test_a_key_that_is_not_there_is_a_key_error(node: SimulatedNode, action: str, key: Any) -> None:
    def use() -> None:
        mapping = StoreMapping(vista.create(ReplicatedStore))
        assert mapping.get(key, "none") == "none"
        if action == "get":
            mapping[key]
        else:
            del mapping[key]

    with pytest.raises(KeyError, match=rf"^{key!r}$"):
        node.call(use)


def test_a_long_store_is_gone_through_in_portions(node: SimulatedNode) -> None:
    count = 2 * LISTED_MAX + 1

    def use() -> list[str]:
        ref = vista.create(ReplicatedStore)
        for number in range(count):
            ref.put.post(f"{number:05}", number)
        return list(StoreMapping(ref))

    assert node.call(use) == [f"{number:05}" for number in range(count)]


def test_long_keys_are_listed_in_shorter_portions(node: SimulatedNode) -> None:
    keys = sorted([f"{number:04}".ljust(1_000, "\u20ac") for number in range(150)])

    def use() -> tuple[list[str], int]:
        ref = vista.create(ReplicatedStore)
        for key in keys:
            ref.put.post(key, 1)
        return list(StoreMapping(ref)), len(ref.list())

    found, first = node.call(use)
    assert found == keys
    assert first == 66


def test_the_empty_key_alone_is_listed_once(node: SimulatedNode) -> None:
    def use() -> list[str]:
        mapping = StoreMapping(vista.create(ReplicatedStore))
        mapping[""] = 1
        return list(mapping)

    assert node.call(use) == [""]


@pytest.mark.parametrize(
    ("method", "args"), [("put", ["k"]), ("put_if", ["k", None])], ids=["put", "put_if"]
)
def test_a_value_that_no_answer_holds_is_refused(
    store: Executed, method: str, args: list[object]
) -> None:
    store.call("put", "k", "x" * 249_900)
    assert len(store.call("get", "k")) == 249_900
    with pytest.raises(vista.BadValueError, match=r"^a value has 250000 bytes at most"):
        store.call(method, *args, "x" * 250_000)


def test_a_full_store_is_listed_within_the_lines_of_a_call(store: Executed) -> None:
    store.looks = False
    vars(store.service)["items"].update(dict.fromkeys(map("{:06}".format, range(KEYS_MAX)), 1))
    assert store.call("list", "999997") == ["999998", "999999"]
    assert len(store.call("list")) == LISTED_MAX


def test_a_list_behind_what_is_no_text_is_refused(store: Executed) -> None:
    with pytest.raises(vista.BadValueError, match=r"^keys are listed behind a text"):
        store.call("list", 5)


@pytest.mark.parametrize("most", ["all", 2.5, None], ids=repr)
def test_a_list_of_what_is_no_count_is_refused(store: Executed, most: object) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a whole number of keys is listed, not"):
        store.call("list", "", most)
