"""The checker of histories finds those that can have happened and refuses those that cannot."""

from __future__ import annotations

from random import Random

import pytest

from apps.solidstate.simulator.linearizability import Operation, apply, linearization

INFINITE = float("inf")


def put(value: str, answer: str | None, begin: float, end: float, client: str = "a") -> Operation:
    old = None if answer is None else answer.encode()
    return Operation(client, ("put", "k", value.encode()), old, begin, end)


def get(answer: str | None, begin: float, end: float, client: str = "b") -> Operation:
    return Operation(client, ("get", "k"), None if answer is None else answer.encode(), begin, end)


GOOD = {
    "nothing": [],
    "one after the other": [put("1", None, 0, 1), get("1", 2, 3)],
    "a read at the same time sees it": [put("1", None, 0, 5), get("1", 1, 2)],
    "a read at the same time does not see it": [put("1", None, 0, 5), get(None, 1, 2)],
    "a write that was never answered is seen": [put("1", None, 0, INFINITE), get("1", 5, 6)],
    "a write that was never answered is not seen": [put("1", None, 0, INFINITE), get(None, 5, 6)],
    "two writes in the order that answers say": [put("1", "2", 0, 5), put("2", None, 0, 5, "b")],
    "a key that was removed": [
        put("1", None, 0, 1),
        Operation("a", ("remove", "k"), b"1", 2, 3),
        Operation("a", ("list",), (), 4, 5),
    ],
    "a list": [put("1", None, 0, 1), Operation("a", ("list",), ("k",), 2, 3)],
}

BAD = {
    "a stale read": [put("1", None, 0, 1), get(None, 2, 3)],
    "a value nobody wrote": [get("1", 0, 1)],
    "a value from later": [get("1", 0, 1), put("1", None, 2, 3)],
    "new, then old again": [put("1", None, 0, 9), get("1", 1, 2), get(None, 3, 4)],
    "a lost update": [put("1", None, 0, 1), put("2", None, 2, 3)],
    "a write that happened twice": [put("1", None, 0, 1), put("2", "1", 2, 3), get("1", 4, 5)],
    "two readers that disagree on the order": [
        put("1", None, 0, 9),
        put("2", None, 0, 9, "b"),
        get("1", 10, 11),
    ],
    "a list without what was written": [
        put("1", None, 0, 1),
        Operation("a", ("list",), (), 2, 3),
    ],
    "removed twice": [
        put("1", None, 0, 1),
        Operation("a", ("remove", "k"), b"1", 2, 3),
        Operation("b", ("remove", "k"), b"1", 4, 5),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_can_have_happened_is_ordered(name: str) -> None:
    assert linearization(GOOD[name]) is not None


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_cannot_have_happened_is_refused(name: str) -> None:
    assert linearization(BAD[name]) is None


def _draw(random: Random) -> list[Operation]:
    """A history made by executing operations at points between their beginnings and ends."""
    done = []
    state: frozenset[tuple[str | bytes | None, str | bytes | None]] = frozenset()
    free = dict.fromkeys("abc", 0.0)
    point = 0.0
    for number in range(15):
        client = random.choice("abc")
        key = random.choice("kl")
        call: tuple[str | bytes | None, ...] = random.choice(
            (("put", key, b"%d" % number), ("get", key), ("remove", key))
        )
        point = max(point, free[client]) + random.random()
        begin = random.uniform(free[client], point)
        end = point + random.random() * 2
        free[client] = end
        state, answer = apply(state, call)
        done.append(Operation(client, call, answer, begin, end))  # type: ignore[arg-type]
    return done


def test_drawn_histories_that_happened_are_ordered(rounds: int) -> None:
    for seed in range(100 * rounds):
        history = _draw(Random(seed))
        order = linearization(history)
        assert order is not None and len(order) == len(history)


def test_drawn_histories_with_an_answer_nobody_can_have_got_are_refused(rounds: int) -> None:
    for seed in range(100 * rounds):
        random = Random(seed)
        history = _draw(random)
        place = random.randrange(len(history))
        one = history[place]
        history[place] = Operation(one.client, one.call, b"never written", one.begin, one.end)
        assert linearization(history) is None


def test_the_order_found_keeps_the_order_of_what_did_not_overlap(rounds: int) -> None:
    for seed in range(100 * rounds):
        order = linearization(_draw(Random(seed)))
        assert order is not None
        for place, later in enumerate(order):
            assert all(later.end >= earlier.begin for earlier in order[:place])
