"""What a step made and what is gone after it, for those who keep an object for each."""

from __future__ import annotations

from typing import NamedTuple

from apps.starship.rules.state import State


class Differences(NamedTuple):
    """``made`` and ``gone`` are numbers of objects."""

    made: tuple[int, ...]
    gone: tuple[int, ...]


def differences(before: State, after: State) -> Differences:
    """Return which objects a step made, and which are gone after it."""
    old = {thing.meta.id for thing in before.objects.values()}
    new = {thing.meta.id for thing in after.objects.values()}
    return Differences(tuple(sorted(new - old)), tuple(sorted(old - new)))
