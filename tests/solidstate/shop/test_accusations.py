"""Who is said to lie, by whom, and for how long."""

from __future__ import annotations

from apps.solidstate.shop.accusations import (
    ACCUSED_SECONDS,
    ACCUSERS_MAX,
    WORDS_MAX,
    Accusations,
)


def heard(*machines: str, count: int = 1, at: float = 100.0) -> Accusations:
    """Machines that have counted further answers of replica 2."""
    made = Accusations()
    for machine in machines:
        made.hear(machine, {2: 0}, at - 1)
        made.hear(machine, {2: count}, at)
    return made


def test_a_replica_that_disagrees_more_than_before_is_accused() -> None:
    assert heard("a", "b").accusers(2, "c", 100.0) == ["a", "b"]


def test_what_a_machine_says_of_its_own_replica_does_not_count() -> None:
    assert heard("a", "b").accusers(2, "b", 100.0) == ["a"]


def test_others_are_not_accused() -> None:
    assert heard("a", "b").accusers(1, "c", 100.0) == []


def test_what_was_counted_before_the_first_look_accuses_nobody() -> None:
    made = Accusations()
    made.hear("a", {2: 50}, 100.0)
    made.hear("a", {2: 50}, 101.0)
    assert made.accusers(2, "c", 101.0) == []


def test_a_machine_that_began_anew_accuses_by_what_it_counted_since() -> None:
    made = heard("a", count=5)
    made.hear("a", {}, 300.0)
    made.hear("a", {2: 3}, 301.0)
    assert made.accusers(2, "c", 301.0) == ["a"]


def test_a_word_is_forgotten_after_a_while() -> None:
    made = heard("a", at=100.0)
    assert made.accusers(2, "c", 100.0 + ACCUSED_SECONDS) == ["a"]
    assert made.accusers(2, "c", 101.0 + ACCUSED_SECONDS) == []


def test_machines_without_end_are_not_remembered() -> None:
    made = Accusations()
    for number in range(ACCUSERS_MAX + 10):
        made.hear(number, {2: 1}, 1.0)
    assert len(made._counts) == ACCUSERS_MAX


def test_words_of_one_machine_without_end_are_not_remembered_and_push_out_no_others() -> None:
    made = heard("a", "b")
    for number in range(5_000):
        made.hear("c", {number: 1}, 100.0)
    assert sum(len(words) for words in made._said.values()) <= WORDS_MAX + 2
    assert made.accusers(2, "d", 100.0)[:2] == ["a", "b"]
