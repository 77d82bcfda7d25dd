"""What a step changed, for those who show it: objects made, objects gone, attributes by group."""

from __future__ import annotations

from typing import Any, NamedTuple

from apps.starship.rules.objects import GROUPS, Group
from apps.starship.rules.state import State


class Differences(NamedTuple):
    """``made`` and ``gone`` are numbers of objects; ``changed`` has their attributes by group."""

    made: tuple[int, ...]
    gone: tuple[int, ...]
    changed: dict[int, dict[str, dict[str, Any]]]


def differences(before: State, after: State) -> Differences:
    """Return what is different in the state after a step. What is the same is not looked into."""
    old = {thing.meta.id: thing for thing in before.objects.values()}
    new = {thing.meta.id: thing for thing in after.objects.values()}
    changed: dict[int, dict[str, dict[str, Any]]] = {}
    for number, thing in new.items():
        known = old.get(number)
        if known is None or known is thing:
            continue
        groups: dict[str, dict[str, Any]] = {}
        for name in GROUPS:
            group: Group = getattr(thing, name)
            if group is not getattr(known, name):
                found = group.changes(getattr(known, name))
                if found:
                    groups[name] = found
        if groups:
            changed[number] = groups
    return Differences(
        tuple(sorted(new.keys() - old.keys())), tuple(sorted(old.keys() - new.keys())), changed
    )
