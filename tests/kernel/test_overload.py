"""Queues are bounded: who sends more than an object can take is refused."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Journal, until
from vista.errors import Overloaded


def post_until_refused(node: vista.Node, method: Any) -> None:
    """Post to a method of an object in one turn, until that is refused."""

    def flood() -> None:
        with pytest.raises(Overloaded):
            for _ in range(1000):
                method.post()

    node.call(flood)


# --- bounded queues -------------------------------------------------------------------------


def test_posts_beyond_the_mailbox_bound_are_refused(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=100)
    counter = vista.create(Counter)

    def flood() -> int:
        for count in range(1000):
            try:
                counter.increment.post()
            except Overloaded:
                return count
        return -1

    # The one that stands ready to run is not in the mailbox.
    assert node.call(flood) == 101
    until(lambda: counter.get() == 101)


def test_calls_in_flight_beyond_the_mailbox_bound_are_refused(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=100)
    counter = vista.create(Counter)

    def flood() -> int:
        calls = []
        with pytest.raises(Overloaded, match="mailbox_messages_max"):
            for _ in range(1000):
                calls.append(counter.increment.future())
        return len(vista.gather(*calls))

    assert node.call(flood) == 101


def test_a_send_beyond_the_mailbox_bound_is_refused(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=100)
    counter = vista.create(Counter)

    def flood() -> None:
        for _ in range(101):
            counter.increment.post()
        with pytest.raises(Overloaded):
            counter.increment()

    node.call(flood)
    until(lambda: counter.get() == 101)


def test_preemptable_posts_beyond_the_bound_are_refused(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=100)
    journal = vista.create(Journal)
    post_until_refused(node, journal.read)
    assert journal.read() == []


def test_an_overload_is_counted(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=10)
    counter = vista.create(Counter)
    post_until_refused(node, counter.increment)
    assert vista.statistics()["overloads"] == 1


def test_an_object_that_was_overloaded_takes_messages_again(make_node: Any) -> None:
    node = make_node(mailbox_messages_max=10)
    counter = vista.create(Counter)
    post_until_refused(node, counter.increment)
    until(lambda: counter.get() == 11)
    counter.increment.post()
    until(lambda: counter.get() > 11)
    assert counter.get() == 12
