"""What differs between two states of a group, in words for the log of a replica that was wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import vista
from apps.solidstate.objects.variables import Variable
from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.sessions import PAGES

DIFFERENCES_MAX = 10
"""State variables of which it is said what differs, where two whole states are compared."""


DEPTH_MAX = 20
"""Containers in one another that are gone into for what differs, where it is not seen from outside.
"""

_BREAK = re.compile(r"\n *")


class PageDifference(NamedTuple):
    """What differs between two states: ``words``, and the class of the variable, if it is one."""

    words: str
    class_name: str


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
            return _is(f"variable {name}", mine[name], theirs[name])
    return ""


def _equal(mine: Any, theirs: Any) -> bool:
    try:
        return vista.encode_value(mine) == vista.encode_value(theirs)
    except vista.NotAValueError:
        return False


# --- states as pages -----------------------------------------------------------------------


def page_differences(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[PageDifference]:
    """Say what differs between two states that are given by all of their pages, at least one thing.

    The first differing instance variable of each of the first `DIFFERENCES_MAX` state variables;
    where there is none, what a client was answered. Raises what decoding pages raises that are none
    of a state.
    """
    mine, other = _rows_in(ours[PAGES + 1 :]), _rows_in(theirs[PAGES + 1 :])
    found: list[PageDifference] = []
    for name in sorted(mine.keys() | other.keys()):
        here, there = mine.get(name), other.get(name)
        if here is None or there is None:
            kind, _ = here or there or ("", [])
            lacking = "only here" if there is None else "not here"
            found.append(PageDifference(f"{name}: {lacking}", kind))
        elif here != there:
            found.append(PageDifference(f"{name}: {_difference_of(here[1], there[1])}", here[0]))
        if len(found) == DIFFERENCES_MAX:
            break
    return found or [_answered_otherwise(ours[1 : PAGES + 1], theirs[1 : PAGES + 1])]


def _rows_in(pages: Sequence[bytes]) -> dict[str, tuple[str, list[bytes]]]:
    """Return the name of the class and the pages of each state variable."""
    found: dict[str, tuple[str, list[bytes]]] = {}
    at = 1
    for name, class_name, _, _, count in vista.decode_value(pages[0])[3] if pages else ():
        found[str(name)] = str(class_name[1]), list(pages[at : at + count])
        at += count
    return found


def _difference_of(mine: list[bytes], theirs: list[bytes]) -> str:
    """Say in what the pages of one state variable differ; see `Variable.pages`."""
    rows = vista.decode_value(b"".join(mine)), vista.decode_value(b"".join(theirs))
    (counts, outbox, answers, variables), (_, outbox_there, answers_there, there) = rows
    found = _first_difference(variables, there)
    if found:
        return found
    if not _equal(outbox, outbox_there):
        return _is("what it wants sent", outbox[1], outbox_there[1])
    kept = {key: vista.decode_value(result) for key, result in answers_there}
    for key, result in answers:
        if not _equal(known := vista.decode_value(result), kept.get(key)):
            return _is(f"the answer to the request {key!r}", known, kept.get(key))
    return _is("how often and when it was called", counts, rows[1][0])


def _answered_otherwise(mine: Sequence[bytes], theirs: Sequence[bytes]) -> PageDifference:
    """Say which client was answered otherwise; the state variables are equal."""
    there = {row[0]: row for page in theirs for row in unpack(page)}
    for name, at, result in (row for page in mine for row in unpack(page)):
        other = there.get(name)
        if other is not None and at == other[1] and result != other[2]:
            for one, two in zip(unpack(result), unpack(other[2]), strict=False):
                if one != two:
                    shown = vista.decode_value(one)[1], vista.decode_value(two)[1]
                    return PageDifference(_is(f"what {name} was answered", *shown), "")
    return PageDifference("what clients were answered differs", "")


def _is(what: str, mine: Any, theirs: Any) -> str:
    """Say what is here and elsewhere, of what lies deeper where both look the same from outside."""
    shown, other = in_a_line(mine), in_a_line(theirs)
    for _ in range(DEPTH_MAX):
        if shown != other or (inner := _first_inside(mine, theirs)) is None:
            break
        place, mine, theirs = inner
        what += place
        shown, other = in_a_line(mine), in_a_line(theirs)
    return f"{what} is {shown}, and {other} elsewhere"


def _first_inside(mine: Any, theirs: Any) -> tuple[str, Any, Any] | None:
    """Return where two containers of one kind differ first, and what each has there."""
    if type(mine) is not type(theirs):
        return None
    places: list[tuple[str, Any, Any]]
    length: tuple[str, Any, Any]
    if isinstance(mine, list | tuple):
        places = [(f"[{at}]", *both) for at, both in enumerate(zip(mine, theirs, strict=False))]
        length = (" in length", len(mine), len(theirs))
    elif isinstance(mine, dict):
        common = [key for key in mine if key in theirs]
        places = [(f"[{in_a_line(key)}]", mine[key], theirs[key]) for key in common]
        length = (" in its keys", [*mine.keys() - theirs.keys()], [*theirs.keys() - mine.keys()])
    else:
        return None
    return next((one for one in places if not _equal(one[1], one[2])), length)


def in_a_line(value: Any) -> str:
    """Return the beginning of a value in words, in one line."""
    return _BREAK.sub(" ", vista.outline(value, 60))
