"""What a proxy takes for a read, and what it asks for together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from apps.solidstate.objects.operations import raised, read_raised, read_told, told
from apps.solidstate.objects.wishes import (
    METHODS_MAX,
    NAMES_MAX,
    ORDERED_MAX,
    Beliefs,
    Wish,
    Wishes,
)

CHANGED = told(1, 0)
READABLE = told(1, 0, readable=True)
READ = read_told(1, ("1", 5))
RAISED = raised(ValueError("x"), 0)


def believing(method: str = "get", variable: str = "cart") -> Beliefs:
    """Beliefs of somebody who was told that a method reads."""
    made = Beliefs()
    made.note(variable, method, False, READABLE)
    return made


# --- beliefs -------------------------------------------------------------------------------


def test_what_nothing_is_known_of_is_ordered() -> None:
    assert not Beliefs().reads("cart", "get")


def test_what_the_group_said_reads_is_read_the_next_time() -> None:
    assert believing().reads("cart", "get")


@pytest.mark.parametrize("result", [CHANGED, RAISED], ids=["changed", "raised"])
def test_of_what_changes_something_or_raises_nothing_is_believed(result: bytes) -> None:
    beliefs = Beliefs()
    beliefs.note("cart", "add", False, result)
    assert not beliefs.reads("cart", "add")


def test_a_reader_of_one_variable_is_tried_with_others() -> None:
    assert believing(variable="cart").reads("another", "get")


def test_a_variable_where_the_name_is_no_readers_is_tried_once() -> None:
    beliefs = believing()
    beliefs.note("another", "get", True, CHANGED)
    assert not beliefs.reads("another", "get")
    assert beliefs.reads("cart", "get")


def test_a_method_that_changes_something_since_is_ordered() -> None:
    beliefs = believing()
    beliefs.note("cart", "get", True, CHANGED)
    assert not beliefs.reads("cart", "get")


@pytest.mark.parametrize("result", [READABLE, RAISED], ids=["returned", "raised"])
def test_reads_that_had_to_be_ordered_are_tried_less_and_less_often(result: bytes) -> None:
    beliefs, tries = believing(), []
    for number in range(1_000):
        if beliefs.reads("cart", "get"):
            tries.append(number)
            beliefs.note("cart", "get", True, result)
    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[:3] == [2, 4, 8]
    assert gaps[-1] == ORDERED_MAX + 1


@pytest.mark.parametrize(
    "result", [READ, read_raised(KeyError("x"), ("1", 5))], ids=["ok", "error"]
)
def test_a_read_that_was_answered_ends_the_pauses(result: bytes) -> None:
    beliefs = believing()
    for _ in range(3):
        beliefs.note("cart", "get", True, READABLE)
    beliefs.note("cart", "get", True, result)
    beliefs.note("cart", "get", True, READABLE)
    asked = [beliefs.reads("cart", "get") for _ in range(9)]
    assert asked.index(True) <= 7
    beliefs.note("cart", "get", True, result)
    beliefs.note("cart", "get", True, READABLE)
    assert [beliefs.reads("cart", "get") for _ in range(2)] == [False, True]


def test_what_is_known_has_bounds() -> None:
    beliefs = Beliefs()
    for number in range(METHODS_MAX + 10):
        beliefs.note(f"v{number}", f"m{number}", False, READABLE)
    assert len(beliefs._methods) == METHODS_MAX
    assert len(beliefs._names) == NAMES_MAX
    assert beliefs.reads(f"v{METHODS_MAX}", f"m{METHODS_MAX}")


def test_a_name_that_no_variable_can_have_is_not_tried() -> None:
    assert not believing().reads("x" * 201, "get")


def test_calls_that_change_something_take_no_room() -> None:
    beliefs = Beliefs()
    beliefs.note("cart", "add", False, CHANGED)
    assert not beliefs._methods


# --- portions ------------------------------------------------------------------------------


def waiting(*rows: str, operations_max: int = 4, bytes_max: int = 100) -> Wishes:
    """Wishes that came in this order: ``r`` or ``w``, and the variable."""
    made = Wishes(operations_max, bytes_max)
    for number, row in enumerate(rows):
        made.add(Wish(number, row.encode(), row[1:], "m", row[0] == "r"))
    return made


def portions(wishes: Wishes) -> list[str]:
    """All portions: whether they are ordered, and who is in them."""
    found = []
    while len(wishes):
        portion = wishes.take()
        tried = {one.tried for one in portion}
        assert len(tried) == 1
        found.append(("r" if tried.pop() else "w") + "".join(str(one.user) for one in portion))
    return found


def test_reads_go_together_and_are_not_ordered() -> None:
    assert portions(waiting("ra", "rb", "ra")) == ["r012"]


def test_changes_go_together() -> None:
    assert portions(waiting("wa", "wb")) == ["w01"]


def test_reads_pass_changes_of_other_variables() -> None:
    assert portions(waiting("wa", "rb", "rc")) == ["r12", "w0"]


def test_no_read_passes_a_change_of_its_variable() -> None:
    assert portions(waiting("wa", "ra", "rb")) == ["r2", "w01"]


def test_few_reads_go_along_with_many_changes() -> None:
    assert portions(waiting("wa", "wa", "rb")) == ["w012"]


def test_who_changes_something_waits_for_one_portion_of_reads() -> None:
    wishes = waiting("wa", "rb", "rb", "rb", "rb", "rb", "rb")
    first, second = wishes.take(), wishes.take()
    assert [one.user for one in first] == [1, 2, 3, 4]
    assert [one.user for one in second] == [0, 5, 6]


def test_reads_without_changes_follow_one_another() -> None:
    assert portions(waiting(*["ra"] * 6)) == ["r0123", "r45"]


def test_a_portion_has_a_bound_of_operations_and_bytes() -> None:
    assert portions(waiting(*["wa"] * 5)) == ["w0123", "w4"]
    assert portions(waiting("w" * 60, "w" * 60)) == ["w0", "w1"]
    assert portions(waiting("r" * 60, "r" * 60)) == ["r0", "r1"]


def test_one_that_is_larger_than_the_bound_goes_by_itself() -> None:
    assert portions(waiting("w" * 200, "wa")) == ["w0", "w1"]


def test_reads_are_looked_for_among_two_portions() -> None:
    wishes = waiting(*["wa"] * 8, *["rb"] * 20)
    assert [one.user for one in wishes.take()] == [0, 1, 2, 3]


def test_what_is_given_up_is_in_no_portion_and_counts_for_none() -> None:
    wishes = waiting("wa")
    read = Wish(1, b"ra", "a", "m", True)
    wishes.add(read)
    wishes.discard(read)
    wishes.add(Wish(2, b"rb", "b", "m", True))
    wishes.add(Wish(3, b"wb", "b", "m"))
    # One read and two changes: it goes along with them.
    assert portions(wishes) == ["w023"]


def test_what_was_taken_is_given_up_without_effect() -> None:
    wishes = waiting("ra", "ra", operations_max=1)
    [taken] = wishes.take()
    wishes.discard(taken)
    assert portions(wishes) == ["r1"]


def test_nothing_is_lost_and_nobody_passes_a_change_of_the_same_variable() -> None:
    rows = ["ra", "wb", "rb", "ra", "wa", "rc", "ra", "rb", "wc", "rc", "rc", "ra"]
    wishes = waiting(*rows, operations_max=3)
    taken = []
    while len(wishes):
        taken += [one.user for one in wishes.take()]
    assert sorted(taken) == list(range(len(rows)))
    for place, user in enumerate(taken):
        for later in taken[place + 1 :]:
            same = rows[user][1:] == rows[later][1:]
            assert not (same and later < user and rows[later][0] == "w")
