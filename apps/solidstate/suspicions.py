"""Who of a group is suspected, of what and by whom, in words: from what its machines tell.

Three kinds: a primary that was too late for enough members, a replica that was caught, and one that
answered a proxy otherwise than was proven. Any machine may be faulty and make its own up, so who
says it stands in each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.solidstate.objects.showing import view_of
from apps.solidstate.pbft.membership import epoch_of

_LEFT = re.compile(r"view (\d{1,20}) is left")
_KINDS = {"suspect": "was too late as primary", "faulty": "was caught lying"}

Row = Mapping[str, Any]


def suspicions(told: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """Return a line for each member of a group that is suspected of something.

    ``told`` is what the machines of the pool tell, ``rows`` what of it is of the group's replicas.
    """
    epoch, members = _group_of_the_day(rows)
    said: dict[tuple[int, str], list[tuple[float, str]]] = {}
    for row in rows:
        for at, kind, words, number in row["reports"]:
            whom = _late(words, epoch, members) if kind == "suspect" else number
            if kind in _KINDS and whom in members:
                said.setdefault((whom, kind), []).append((at, str(row["id"])))
    shown = [_reported(*about, found) for about, found in sorted(said.items())]
    group = rows[0]["group"] if rows else ""
    return shown + [_disagreed(*one) for one in _liars(told, group, members)]


def _group_of_the_day(rows: Sequence[Row]) -> tuple[int, list[int]]:
    """Return the number and the members of the latest epoch that a replica tells of."""
    running = [row for row in rows if row["runs"]]
    newest = max(running, key=lambda row: int(row["epoch"]), default=None)
    if newest is None:
        return 0, []
    return newest["epoch"], [one for one in newest["members"] if type(one) is int]


def _late(words: str, epoch: int, members: Sequence[int]) -> int | None:
    """Return the primary of the view that a replica left; None where it is not known any more."""
    found = _LEFT.match(words)
    if found is None or not members or epoch_of(int(found[1])) != epoch:
        return None
    return members[view_of(int(found[1])) % len(members)]


def _reported(whom: int, kind: str, found: Sequence[tuple[float, str]]) -> str:
    last = datetime.fromtimestamp(max(at for at, _ in found), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    numbers = ", ".join(sorted({number for _, number in found}, key=int))
    return f"replica {whom} {_KINDS[kind]}, by the word of {numbers}; the last time {last}"


def _liars(
    told: Sequence[Row], group: str, members: Sequence[int]
) -> Iterable[tuple[int, dict[str, int]]]:
    """Yield who answered otherwise than was proven, with how often the proxy of each node says."""
    found: dict[int, dict[str, int]] = {}
    for machine in told:
        proxies = machine.get("proxies")
        proxy = proxies.get(group) if isinstance(proxies, dict) else None
        counts = proxy.get("disagreed") if isinstance(proxy, dict) else None
        for number, count in counts.items() if isinstance(counts, dict) else ():
            if type(number) is int and type(count) is int and number in members and count > 0:
                found.setdefault(number, {})[machine["node"]] = count
    yield from sorted(found.items())


def _disagreed(whom: int, counts: Mapping[str, int]) -> str:
    times = ", ".join(
        f"{node} ({count} {'time' if count == 1 else 'times'})"
        for node, count in sorted(counts.items())
    )
    return f"replica {whom} answered otherwise than was proven, by the word of {times}"
