"""Sending the messages of a state variable to those for whom they are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import vista

DELIVERY_SECONDS = 10.0
"""How long receivers may take for some messages before the next ones are tried."""

_log = logging.getLogger("vista.solidstate")


def send_out(rows: Sequence[Sequence[Any]], name: str) -> tuple[list[int], list[int]]:
    """Send messages, and return the numbers of those delivered, and of those refused for good.

    ``rows`` are number, target, method and arguments of each, ``name`` what goes before its number
    in its key. What is in neither list is to be tried again.
    """
    done: list[int] = []
    refused: list[int] = []
    under_way: list[tuple[int, vista.Future]] = []
    wrong: dict[int, BaseException] = {}
    # All at once: many whose receivers do not answer hold up the others no longer than one.
    with vista.timeout(DELIVERY_SECONDS):
        for number, target, method, args in rows:
            try:
                sent = vista.future(target, method, *args, f"{name}/{number}")
                under_way.append((number, sent))
            except vista.NoSuchMethod as refusing:
                # A name that is none of a message, to whomever it is sent.
                wrong[number] = refusing
                refused.append(number)
            except vista.CallError as lacking:
                wrong[number] = lacking
            except vista.UsageError as unfit:
                # No target at all: else it would stay in the outbox for ever.
                wrong[number] = unfit
                done.append(number)
        for number, sent in under_way:
            error = sent.exception()
            if isinstance(error, (vista.NoSuchMethod, vista.AccessDenied, vista.ObjectDeleted)):
                refused.append(number)
            elif not isinstance(error, vista.CallError):
                # Also where it raised: the receiver has it, and does not want it.
                done.append(number)
            if error is not None:
                wrong[number] = error
    if wrong:
        # One line for all: there may be a thousand, each half minute.
        number, error = next(iter(wrong.items()))
        more = f", and {len(wrong) - 1} others" if len(wrong) > 1 else ""
        _log.warning("message %s/%d%s was not taken: %r", name, number, more, error)
    return done, refused
