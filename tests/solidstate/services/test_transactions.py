"""Transactions: snapshots, conflicts, leases, what is forgotten, and the context manager."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vista
from apps.solidstate.errors import ConflictError, ExpiredError, StateTooLargeError
from apps.solidstate.services.transactions import (
    OPEN_MAX,
    WRITES_MAX,
    Transaction,
    TransactionalStore,
    transact,
)
from tests.solidstate.services.executed import Executed
from vista.testing import SimulatedNode, World


class ThriftyStore(TransactionalStore):
    """A store whose answers hold two values."""

    def read(self, transaction: str, keys: Sequence[str]) -> dict[str, Any]:
        if len(keys) > 2:
            raise StateTooLargeError("too many")
        return super().read(transaction, keys)


@pytest.fixture
def store() -> Executed:
    made = Executed(TransactionalStore)
    made.call("commit", made.call("begin"), {"ann": 10, "bob": 20})
    return made


def test_a_transaction_reads_the_state_in_which_it_began(store: Executed) -> None:
    reader = store.call("begin")
    store.call("commit", store.call("begin"), {"ann": 11, "carl": 1})
    assert store.call("read", reader, ["ann", "bob", "carl"]) == {"ann": 10, "bob": 20}
    assert store.call("get", "ann") == 11


def test_of_two_that_write_one_key_the_first_wins(store: Executed) -> None:
    first, second = store.call("begin"), store.call("begin")
    store.call("commit", first, {"ann": 11})
    with pytest.raises(ConflictError, match=r"^written by another transaction meanwhile: ann;"):
        store.call("commit", second, {"ann": 12, "bob": 1})
    assert (store.call("get", "ann"), store.call("get", "bob")) == (11, 20)


def test_two_that_write_different_keys_both_commit(store: Executed) -> None:
    first, second = store.call("begin"), store.call("begin")
    store.call("commit", first, {"ann": 11})
    store.call("commit", second, {"bob": 21})
    assert (store.call("get", "ann"), store.call("get", "bob")) == (11, 21)


def test_what_was_read_counts_where_it_is_asked_for(store: Executed) -> None:
    skewed, serial = store.call("begin"), store.call("begin")
    store.call("commit", store.call("begin"), {"bob": 21})
    store.call("commit", skewed, {"x": 1})
    with pytest.raises(ConflictError, match=r"meanwhile: bob;"):
        store.call("commit", serial, {"y": 1}, ["bob"])
    assert store.call("get", "y") is None


def test_a_key_that_was_removed_and_made_again_conflicts(store: Executed) -> None:
    late = store.call("begin")
    store.call("commit", store.call("begin"), {"ann": None})
    store.call("commit", store.call("begin"), {"ann": 10})
    with pytest.raises(ConflictError, match=r"meanwhile: ann;"):
        store.call("commit", late, {"ann": 5})


def test_a_key_that_was_removed_conflicts_while_somebody_may_ask(store: Executed) -> None:
    late = store.call("begin")
    store.call("commit", store.call("begin"), {"ann": None})
    with pytest.raises(ConflictError, match=r"meanwhile: ann;"):
        store.call("commit", late, {"ann": 5})
    assert store.call("count") == 1


@pytest.mark.parametrize("end", ["commit", "abort", "lease"])
def test_a_transaction_that_is_over_is_refused(store: Executed, end: str) -> None:
    id = store.call("begin", 5.0)
    if end == "commit":
        store.call("commit", id, {})
    elif end == "abort":
        store.call("abort", id)
        store.call("abort", id)
    else:
        store.time += 6.0
    with pytest.raises(ExpiredError, match=r"^the transaction is over"):
        store.call("commit", id, {"ann": 1})
    assert store.call("get", "ann") == 10


def test_old_versions_are_forgotten_when_nobody_reads_them(store: Executed) -> None:
    reader = store.call("begin", 5.0)
    for number in range(200):
        store.call("commit", store.call("begin"), {"ann": number})
    assert store.call("read", reader, ["ann"]) == {"ann": 10}
    history = vars(store.service)["history"]
    assert len(history["ann"][0]) <= 20
    store.time += 6.0
    store.call("commit", store.call("begin"), {"bob": None})
    assert history == {"ann": ([201], [199])}
    assert vars(store.service)["crowded"] == {}
    assert vars(store.service)["ends"] != []


@pytest.mark.parametrize(
    ("method", "args", "words"),
    [
        ("begin", [0.5], "a lease is 1.0 to 3600.0 seconds"),
        ("begin", ["long"], "a lease is 1.0 to 3600.0 seconds"),
        ("commit", [{5: 1}], "a key is a text"),
        ("commit", [{"k" * 1_001: 1}], "a key is a text"),
        ("commit", [{}, ["x"] * 10_001], "a transaction takes 10000 keys at once"),
        ("commit", [["ann"]], "writes are values by their keys"),
        ("commit", [{}, 5], "keys are a list of texts"),
        ("read", ["ann"], "keys are a list of texts"),
        ("read", [5], "keys are a list of texts"),
        ("read", [[5]], "a key is a text"),
        ("get", [["ann"]], "a key is a text"),
    ],
    ids=[
        "short",
        "no-number",
        "key",
        "long-key",
        "many",
        "list",
        "unchanged",
        "text",
        "number",
        "no-key",
        "keys",
    ],
)
def test_bad_input_is_refused(store: Executed, method: str, args: list[Any], words: str) -> None:
    given = args if method in ("begin", "get") else [store.call("begin"), *args]
    with pytest.raises(vista.BadValueError, match=f"^{words}"):
        store.call(method, *given)
    assert store.call("count") == 2


def test_a_value_that_no_answer_holds_is_refused_and_nothing_is_written(store: Executed) -> None:
    store.call("commit", store.call("begin"), {"ann": "x" * 249_900})
    assert len(store.call("read", store.call("begin"), ["ann"])["ann"]) == 249_900
    id = store.call("begin")
    with pytest.raises(vista.BadValueError, match=r"^a value has 250000 bytes at most.* of carl$"):
        store.call("commit", id, {"bob": 1, "carl": "x" * 250_000})
    assert (store.call("get", "bob"), store.call("get", "carl")) == (20, None)


@pytest.mark.parametrize("id", [["x"], 5, None], ids=repr)
def test_what_is_no_transaction_is_over(store: Executed, id: object) -> None:
    store.call("abort", id)
    with pytest.raises(ExpiredError, match=r"^the transaction is over"):
        store.call("read", id, ["ann"])


# --- bounds --------------------------------------------------------------------------------


def test_keys_that_have_a_value_are_counted(store: Executed) -> None:
    store.call("commit", store.call("begin"), {"ann": None, "carl": 1, "dan": None})
    assert store.call("count") == 2
    store.call("commit", store.call("begin"), {"ann": 3, "carl": 2})
    assert store.call("count") == 3
    assert sorted(vars(store.service)["history"]) == ["ann", "bob", "carl"]


def test_a_full_store_is_read_and_written_where_there_are_keys(
    store: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.transactions.KEYS_MAX", 2)
    id = store.call("begin")
    assert store.call("read", id, ["carl"]) == {}
    store.call("commit", id, {"ann": 1, "bob": 2}, ["carl"])
    id = store.call("begin")
    with pytest.raises(vista.BadValueError, match=r"^a store has room for 2 keys"):
        store.call("commit", id, {"ann": 1, "carl": 2})
    assert store.call("get", "ann") == 1


def test_transactions_that_are_over_leave_nothing_for_long(
    store: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.transactions.OPEN_MAX", 3)
    kept = store.call("begin", 60.0)
    for _ in range(50):
        store.call("abort", store.call("begin", 3_600.0))
        assert len(vars(store.service)["ends"]) <= 7
    store.time += 61.0
    with pytest.raises(ExpiredError, match=r"^the transaction is over"):
        store.call("commit", kept, {"ann": 1})


def test_a_commit_of_everything_there_is_takes_no_more_lines_than_it_may() -> None:
    store = Executed(TransactionalStore)
    store.looks = False
    # Somebody reads each of many versions, and all keys are written each time.
    keys = [f"{number}" for number in range(WRITES_MAX)]
    for number in range(20):
        store.call("begin")
        id = store.call("begin")
        store.call("commit", id, dict.fromkeys(keys, number), keys)
    # Then nobody reads any of them.
    store.time += 61.0
    for number in range(3):
        store.call("commit", store.call("begin"), {"x": number})
    assert vars(store.service)["crowded"] == {}
    assert store.call("count") == WRITES_MAX + 1


def test_many_open_transactions_take_no_more_lines_than_they_may(store: Executed) -> None:
    store.looks = False
    for number in range(OPEN_MAX - 1):
        store.call("begin")
        vars(store.service)["version"] += number % 2
    keys = [f"{number}" for number in range(WRITES_MAX)]
    store.call("commit", store.call("begin"), dict.fromkeys(keys, 1), keys)
    store.time += 61.0
    for _ in range(3):
        store.call("abort", "")
    assert vars(store.service)["open"] == {}


# --- the context manager -------------------------------------------------------------------


@pytest.fixture
def node() -> Iterator[SimulatedNode]:
    with World(5) as world:
        yield world.node()


def test_a_block_commits_at_its_end(node: SimulatedNode) -> None:
    def use() -> tuple[Any, ...]:
        ref = vista.create(TransactionalStore)
        with Transaction(ref) as accounts:
            accounts["ann"] = 10
            accounts["carl"] = 1
            assert ref.get("ann") is None
        with Transaction(ref) as accounts:
            accounts.fetch(["ann", "bob"])
            accounts["ann"] = accounts["ann"] - 4
            accounts["bob"] = accounts.get("bob", 0) + 4
            assert (accounts["ann"], "bob" in accounts) == (6, True)
            del accounts["carl"]
        return ref.get("ann"), ref.get("bob"), ref.get("carl"), ref.count()

    assert node.call(use) == (6, 4, None, 2)


def test_a_block_that_raises_writes_nothing(node: SimulatedNode) -> None:
    def use() -> tuple[Any, ...]:
        ref = vista.create(TransactionalStore)
        with pytest.raises(KeyError, match=r"^'bob'$"), Transaction(ref) as accounts:
            accounts["ann"] = 1
            accounts["bob"]
        return ref.get("ann"), ref.count()

    assert node.call(use) == (None, 0)


def test_more_is_fetched_than_one_answer_holds(node: SimulatedNode) -> None:
    def use() -> list[int]:
        ref = vista.create(ThriftyStore)
        with Transaction(ref) as accounts:
            for name in "abcdefg":
                accounts[name] = name * 3
        with Transaction(ref) as accounts:
            accounts.fetch("abcdefgh")
            return [len(accounts.get(name, "")) for name in "abcdefgh"]

    assert node.call(use) == [3] * 7 + [0]


def test_what_a_block_raises_is_told_though_the_store_is_gone(node: SimulatedNode) -> None:
    def use() -> None:
        ref = vista.create(TransactionalStore)
        with Transaction(ref):
            vista.delete(ref)
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match=r"^mine"):
        node.call(use)


def test_work_that_was_late_is_done_again(node: SimulatedNode) -> None:
    def use() -> tuple[Any, int]:
        ref = vista.create(TransactionalStore)
        tries = []

        def work(accounts: Transaction) -> int:
            tries.append(1)
            if len(tries) < 3:
                with Transaction(ref) as other:
                    other["ann"] = len(tries)
            accounts["ann"] = accounts.get("ann", 0) + 100
            return len(tries)

        result = transact(ref, work)
        return ref.get("ann"), result

    assert node.call(use) == (102, 3)


def test_work_that_is_always_late_raises_the_conflict(node: SimulatedNode) -> None:
    def use() -> None:
        ref = vista.create(TransactionalStore)

        def work(accounts: Transaction) -> None:
            with Transaction(ref) as other:
                other["ann"] = other.get("ann", 0) + 1
            accounts["ann"] = 5

        transact(ref, work, attempts=3)

    with pytest.raises(ConflictError, match=r"meanwhile: ann;"):
        node.call(use)


@pytest.mark.parametrize("serializable", [False, True])
def test_two_blocks_that_read_what_the_other_writes(
    node: SimulatedNode, serializable: bool
) -> None:
    def use() -> None:
        ref = vista.create(TransactionalStore)
        with Transaction(ref, serializable=serializable) as one:
            one["ann"] = one.get("bob", 0) + 1
            with Transaction(ref, serializable=serializable) as other:
                other["bob"] = other.get("ann", 0) + 1

    if serializable:
        with pytest.raises(ConflictError, match=r"meanwhile: bob;"):
            node.call(use)
    else:
        node.call(use)


# --- against a model -----------------------------------------------------------------------

_STEP = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["begin", "read", "commit", "strict"]),
    st.sampled_from(["a", "b"]),
    st.one_of(st.none(), st.integers(0, 3)),
)


@settings(max_examples=100)
@given(st.lists(_STEP, max_size=40))
def test_a_store_does_what_whole_copies_do(steps: list[tuple[int, str, str, int | None]]) -> None:
    store = Executed(TransactionalStore)
    now: dict[str, int] = {}
    written: dict[str, int] = {}
    open: dict[int, tuple[str, dict[str, int], int]] = {}
    clock = 0
    for who, step, key, value in steps:
        if step == "begin" or who not in open:
            open[who] = store.call("begin"), dict(now), clock
            continue
        id, snapshot, began = open[who]
        if step == "read":
            expected = {key: snapshot[key]} if key in snapshot else {}
            assert store.call("read", id, [key]) == expected
            continue
        other = "b" if key == "a" else "a"
        unchanged = [other] if step == "strict" else []
        late = any(written.get(one, -1) >= began for one in [key, *unchanged])
        del open[who]
        try:
            store.call("commit", id, {key: value}, unchanged)
        except ConflictError:
            assert late
            continue
        assert not late
        written[key] = clock
        clock += 1
        if value is None:
            now.pop(key, None)
        else:
            now[key] = value
        assert {one: store.call("get", one) for one in "ab"} == {o: now.get(o) for o in "ab"}
