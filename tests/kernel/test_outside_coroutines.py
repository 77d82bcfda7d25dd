"""Coroutines and the outside: other OS threads, other nodes, other loops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Journal, until
from vista.errors import WrongContextError


class Asker(vista.Object):
    """Asks from a coroutine."""

    async def ask_in_an_os_thread(self, target: vista.Ref) -> Any:
        return await asyncio.to_thread(target.increment)

    async def post_from_an_os_thread(self, target: vista.Ref) -> None:
        await asyncio.to_thread(target.write.post, "posted")

    async def call_in_flight_from_an_os_thread(self, target: vista.Ref) -> Any:
        return await asyncio.to_thread(lambda: target.increment.future().result())


def test_an_os_thread_started_by_a_coroutine_may_send(real_node: vista.Node) -> None:
    assert vista.create(Asker).ask_in_an_os_thread(vista.create(Counter)) == 1


def test_an_os_thread_started_by_a_coroutine_may_post(real_node: vista.Node) -> None:
    journal = vista.create(Journal)
    vista.create(Asker).post_from_an_os_thread(journal)
    assert until(journal.read) == ["posted"]


def test_an_os_thread_started_by_a_coroutine_may_call_in_flight(real_node: vista.Node) -> None:
    assert vista.create(Asker).call_in_flight_from_an_os_thread(vista.create(Counter)) == 1


@pytest.mark.parametrize("style", ["call", "post", "future"])
def test_a_coroutine_that_would_block_its_node_for_another_is_refused(style: str) -> None:
    with vista.Node("first"):
        counter = vista.create(Counter)
        with vista.Node("second") as second:

            async def use() -> None:
                if style == "call":
                    counter.increment()
                elif style == "post":
                    counter.increment.post()
                else:
                    counter.increment.future()

            with pytest.raises(WrongContextError):
                second.call(lambda: vista.wait(use()))
        assert counter.get() == 0
