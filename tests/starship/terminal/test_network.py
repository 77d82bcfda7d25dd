"""The threads that wait for the server."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager

from apps.starship.terminal.address import read_address
from apps.starship.terminal.network import POSTS_MAX, Network, News
from apps.starship.terminal.session import Fetch, Post
from apps.starship.terminal.site import Answered, Fetched, Site
from tests.starship.terminal.answering import Answering, answer
from tests.starship.terminal.example import example

ORDER = Post("order", {"ship": "Lexington", "command": "distress", "args": [], "key": "k"})


@contextmanager
def asking(url: str) -> Iterator[tuple[Network, int]]:
    """The threads for a server, of which only the one that asks is to be started; and the end of
    the pipe that wakes. The other one would take a prepared answer."""
    woken, wake = os.pipe()
    made = Network(Site(read_address(url)), wake)
    del made._threads[1:]
    try:
        yield made, woken
    finally:
        made.close(30.0)
        os.close(woken)
        os.close(wake)


def heard(made: Network, woken: int) -> list[News]:
    """What came, once it wakes."""
    assert select.select([woken], [], [], 30.0)[0], "nothing came"
    os.read(woken, 1)
    return made.news()


def fetch(ship: str) -> Fetch:
    return Fetch(ship, "", "300", only_scan=False)


def test_of_states_only_the_latest_that_was_wanted_is_asked_for() -> None:
    server = Answering([answer(200, example())])
    with asking(server.url) as (made, woken):
        made.ask(fetch("Early"))
        made.ask(fetch("Late"))
        made.start()
        assert heard(made, woken) == [Fetched(example())]
    server.close()
    assert b"ship=Late" in server.requests[0]


def test_what_is_sent_goes_before_what_is_asked_for() -> None:
    server = Answering([answer(200, {"ok": True}), answer(200, example())])
    with asking(server.url) as (made, woken):
        made.ask(fetch("Lexington"))
        made.ask(ORDER)
        made.start()
        found = heard(made, woken)
        if len(found) < 2:
            found += heard(made, woken)
    server.close()
    assert found == [Answered(ORDER, {"ok": True}), Fetched(example())]


def test_orders_that_wait_have_a_bound() -> None:
    # Nothing is started, so nothing is sent.
    with asking("127.0.0.1:1") as (made, _):
        taken = [made.ask(ORDER) for _ in range(POSTS_MAX + 5)]
        assert taken == [True] * POSTS_MAX + [False] * 5
        del made._threads[:]
