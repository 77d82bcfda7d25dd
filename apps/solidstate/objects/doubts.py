"""Answers of which too few are equal: which call it is that servers answer otherwise, each.

Two rules. It is looked at where a portion had to be asked for again, as all answer in full then, so
what is answered in time costs nothing. At most f servers lie, so where enough have answered and
none is believed, the class of the variable does not do the same everywhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import vista
from apps.solidstate.objects.differing import in_a_line
from apps.solidstate.objects.wishes import Wish
from apps.solidstate.pbft.canonical import MalformedMessage, unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Effect, Send
from apps.solidstate.pbft.messages import Reply, Request

ASKED_AGAIN = 2
"""How often a portion was asked for again when it is said that answers differ: a server that was
late at first has answered by then."""

_log = logging.getLogger("vista.solidstate")


class Doubts:
    """Looks at the answers to what a client asks for in vain, and tells the log of them once.

    ``group`` is the name of the group, ``open`` tells whether something was asked for in vain that
    nothing was said of yet.
    """

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group
        self.open = False
        self._number = 0
        self._times = 0
        self._told: dict[int, Sequence[bytes]] = {}

    def note(self, effects: Iterable[Effect]) -> None:
        """Take note of what the client asks for again."""
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, Request):
                number = effect.message.timestamp
                if number != self._number:
                    self.open, self._number, self._times, self._told = True, number, 0, {}
                self._times += 1
                break

    def hear(self, sender: object, message: object, asked: Sequence[Wish]) -> None:
        """Take an answer to what was ``asked`` for, if it is one."""
        if not isinstance(message, Reply) or message.timestamp != self._number:
            return
        if not self._client.busy:
            self.open = False
        elif isinstance(sender, int) and message.result is not None and message.ordered:
            try:
                self._told[sender] = unpack(message.result)
            except MalformedMessage:
                self._told[sender] = ()
            members = len(self._client.membership.members)
            # All but those who may be silent for good.
            enough = members - (members - 1) // 3
            if len(self._told) >= enough and self._times >= ASKED_AGAIN:
                self._tell(asked, enough)
                self.open = False

    def _tell(self, asked: Sequence[Wish], enough: int) -> None:
        for place, wish in enumerate(asked):
            told = {
                number: results[place]
                for number, results in sorted(self._told.items())
                if place < len(results)
            }
            if len(told) < enough or max(Counter(told.values()).values()) >= enough:
                continue
            _log.error(
                "group %s: no answer to %s is proven, as replicas give different ones (%s); its "
                "class does not do the same everywhere, and whoever asks by this node waits",
                self._group,
                f"{wish.variable}.{wish.method}" if wish.method else "a request",
                ", ".join(f"replica {one}: {_shown(result)}" for one, result in told.items()),
            )
            break


def _shown(result: Any) -> str:
    """Return a result of a faulty server, or of one that is not, in words."""
    try:
        return in_a_line(vista.decode_value(result)[1])
    except (vista.VistaError, TypeError, IndexError, KeyError):
        return "no result"
