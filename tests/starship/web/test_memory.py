"""What a site remembers: notices, orders that were given, who was told of whom."""

from __future__ import annotations

from apps.starship.web.activity import CAPTAINS_MAX, Activity
from apps.starship.web.given import ALL_LEFT, SHIPS_MAX, Given, order_text
from apps.starship.web.memory import Memory


def test_what_is_taken_is_gone() -> None:
    memory = Memory[str](2, 10.0)
    memory.put("a", "one", 0.0)
    assert (memory.take("a", 1.0), memory.take("a", 1.0)) == ("one", None)


def test_the_oldest_is_forgotten() -> None:
    memory = Memory[int](2, 10.0)
    for number in range(3):
        memory.put(number, number + 1, 0.0)
    assert [memory.get(number, 0.0) for number in range(3)] == [None, 2, 3]


def test_what_is_kept_too_long_is_nothing() -> None:
    memory = Memory[int](2, 10.0)
    memory.put("a", 1, 0.0)
    assert (memory.get("a", 10.0), memory.get("a", 10.1)) == (1, None)


def test_orders_are_shown_until_their_step_is_there() -> None:
    given = Given()
    given.note("Gath", 8, 2, "speed 6.0")
    given.note("gath", 8, 1, "fire P1")
    assert given.of("GATH", 7) == (1, ("speed 6.0", "fire P1"))
    assert given.of("Gath", 8) == (ALL_LEFT, ())


def test_a_refusal_shows_no_order_and_says_how_many_are_left() -> None:
    given = Given()
    given.note("Gath", 8, 2, "")
    assert given.of("Gath", 7) == (2, ())


def test_the_next_step_begins_anew() -> None:
    given = Given()
    given.note("Gath", 8, 0, "speed 6.0")
    given.note("Gath", 9, 2, "fire P1")
    given.note("Gath", 8, 0, "late")
    assert given.of("Gath", 8) == (2, ("fire P1",))


def test_the_ships_are_bounded() -> None:
    given = Given()
    for number in range(SHIPS_MAX + 1):
        given.note(f"Ship-{number}", 1, 0, "")
    assert given.of("Ship-0", 0) == (ALL_LEFT, ())
    assert given.of("Ship-1", 0) == (0, ())


def test_an_order_is_written_as_captains_do() -> None:
    assert order_text("course_to", ("12", 3.5)) == "course_to 12 3.5"


def test_the_primary_is_told_now_and_then() -> None:
    activity = Activity(20.0)
    assert [activity.is_due(7, now) for now in (0.0, 19.9, 20.0, 30.0, 40.0)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert activity.is_due(8, 21.0)


def test_the_captains_are_bounded() -> None:
    activity = Activity(20.0)
    assert all(activity.is_due(number, 0.0) for number in range(CAPTAINS_MAX + 1))
    assert activity.is_due(0, 1.0) and not activity.is_due(CAPTAINS_MAX, 1.0)
