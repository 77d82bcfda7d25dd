"""The channels a node has open, by number, and their statistics.

An IOobject keeps only the number, which is a value: so it can be described and encoded like any
object, and a channel can change hands inside its node (from a listener to the IOobject of a new
connection, from an ExecProcess to that of its standard output).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable

from vista.errors import BadValueError
from vista.kernel.kernel import Kernel
from vista.standard.channels import Channel

_SETTING = "channels"

_log = logging.getLogger(__name__)

Closing = Callable[[], Awaitable[object]]
"""Ends something that must not outlive its node."""


class ChannelTable:
    """The open channels of one node, and what else must not outlive it.

    A node that stops deletes no objects, but it cancels the tasks of its loop: one of them is this
    table's, and closes what is open.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._counters = kernel.counters
        self._channels: dict[int, Channel] = {}
        self._unclaimed: set[int] = set()
        self._number = 0
        self._endings: dict[Closing, None] = {}
        self._task = kernel.hub.loop.create_task(
            self._end_with_the_node(), context=contextvars.Context()
        )

    def __len__(self) -> int:
        return len(self._channels)

    def count(self, attribute: str) -> None:
        """Count one more of a statistics attribute, such as ``IOtotalFileReads``."""
        self._counters[attribute] += 1

    def add(self, channel: Channel) -> int:
        """Take in a channel nobody has yet and return its number; it leaves when it closes."""
        self._number += 1
        number = self._number
        self._channels[number] = channel
        self._unclaimed.add(number)
        channel.on_closed.append(lambda: self._remove(number))
        return number

    def claim(self, number: int) -> Channel:
        """Return a channel nobody has yet, for the one object that will have it.

        Raises `BadValueError` when there is none of this number or somebody has it.
        """
        if number not in self._unclaimed:
            raise BadValueError(f"no channel {number} waits for an object that takes it")
        self._unclaimed.remove(number)
        return self._channels[number]

    def find(self, number: int) -> Channel | None:
        """Return the open channel of this number, or None."""
        return self._channels.get(number)

    def at_end(self, ending: Closing) -> None:
        """Have ``ending`` called, and what it returns awaited, when the node stops."""
        self._endings[ending] = None

    def not_at_end(self, ending: Closing) -> None:
        """Take `at_end` back."""
        self._endings.pop(ending, None)

    def _remove(self, number: int) -> None:
        del self._channels[number]
        self._unclaimed.discard(number)

    async def _end_with_the_node(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            endings = [ending() for ending in self._endings]
            for outcome in await asyncio.gather(*endings, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    _log.error("something did not end with its node: %r", outcome)
            for channel in list(self._channels.values()):
                channel.close()


def channel_table(kernel: Kernel) -> ChannelTable:
    """Return the channel table of a node, made at its first use."""
    table = kernel.settings.get(_SETTING)
    if table is None:
        table = kernel.settings[_SETTING] = ChannelTable(kernel)
    assert isinstance(table, ChannelTable)
    return table
