"""A checker of histories: whether what clients saw can have happened one thing after the other.

After Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of states
already seen of Lowe, "Testing for Linearizability" (2017). It searches an order of the operations
that keeps the order of those which did not overlap, and in which a store that knows nothing of
replication answers what the clients were answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Word = str | bytes | None


@dataclass(frozen=True)
class Operation:
    """What one client did: a call, its answer, and when it began and ended.

    ``call`` is ("put", key, value), ("get", key), ("remove", key) or ("list",); ``answer`` the old
    value, the value, or a tuple of keys. ``end`` is infinite for what was never answered: it may
    have happened at any time since, or not at all.
    """

    client: str
    call: tuple[Word, ...]
    answer: Word | tuple[str, ...]
    begin: float
    end: float


State = frozenset[tuple[Word, Word]]


def apply(state: State, call: tuple[Word, ...]) -> tuple[State, Word | tuple[Word, ...]]:
    """Return the state after a call and the answer to it."""
    content = dict(state)
    match call:
        case ("put", key, value):
            old = content.get(key)
            content[key] = value
            return frozenset(content.items()), old
        case ("remove", key):
            old = content.pop(key, None)
            return frozenset(content.items()), old
        case ("get", key):
            return state, content.get(key)
        case ("list",):
            return state, tuple(sorted(str(key) for key in content))
    raise AssertionError(f"no such call: {call}")


def linearization(history: Sequence[Operation]) -> list[Operation] | None:
    """Return one order in which ``history`` can have happened, None where there is none."""
    operations = sorted(history, key=lambda operation: operation.begin)
    done = sum(1 << place for place, one in enumerate(operations) if one.end < float("inf"))
    seen: set[tuple[int, State]] = set()
    # Each frame: the operations taken so far, the state after them, what may come next.
    empty: State = frozenset()
    stack = [(0, empty, iter(_next(operations, 0)))]
    order: list[int] = []
    while stack:
        taken, state, choices = stack[-1]
        if taken & done == done:
            return [operations[place] for place in order]
        for place in choices:
            after, answer = apply(state, operations[place].call)
            unanswered = operations[place].end == float("inf")
            key = (taken | 1 << place, after)
            if (unanswered or answer == operations[place].answer) and key not in seen:
                seen.add(key)
                order.append(place)
                stack.append((key[0], after, iter(_next(operations, key[0]))))
                break
        else:
            stack.pop()
            if order:
                order.pop()
    return None


def _next(operations: Sequence[Operation], taken: int) -> list[int]:
    """The places that may come next: those which began before any other one left had ended."""
    left = [place for place in range(len(operations)) if not taken >> place & 1]
    ends = min((operations[place].end for place in left), default=0.0)
    return [place for place in left if operations[place].begin <= ends]
