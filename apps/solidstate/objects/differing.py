"""What differs between two states of a group, in words for the log of a replica that was wrong."""

from __future__ import annotations

from typing import Any

import vista
from apps.solidstate.objects.variables import Variable


def differences(ours: dict[str, Variable], theirs: dict[str, Variable]) -> list[str]:
    """Say what differs between two states, the first differing instance variable of each."""
    words = []
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            words.append(f"{name}: {'only here' if other is None else 'not here'}")
            continue
        first = _first_difference(mine.variables(), other.variables())
        if first:
            words.append(f"{name}: {first}")
    return words


def _first_difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in mine or name not in theirs:
            return f"variable {name} is {'there' if name in mine else 'not there'}"
        if not _equal(mine[name], theirs[name]):
            shown = vista.outline(mine[name], 60), vista.outline(theirs[name], 60)
            return f"variable {name} is {shown[0]}, and {shown[1]} elsewhere"
    return ""


def _equal(mine: Any, theirs: Any) -> bool:
    try:
        return vista.encode_value(mine) == vista.encode_value(theirs)
    except vista.NotAValueError:
        return False
