"""The machines of a pool as they say they are, for the administrator of a group.

Any of them may be faulty. So what one says counts for itself alone, and only while no other one
says the same of itself: a machine can neither come nor leave in the place of another one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any, TypeVar

import vista
from apps.solidstate.errors import PoolError
from apps.solidstate.objects.mail import pool_service

MACHINE_SECONDS = 5.0
"""How long a machine of the pool has to say who it is; then it is taken for one that is down."""

Key = TypeVar("Key")

Machine = tuple[vista.Ref, dict[str, Any]]
"""A member of the pool, and what it offers."""

_OFFERED = {
    "node": str, "client": str, "client_key": bytes, "charter": str, "live": int | None,
    "replica_key": bytes, "administrator": str, "administrator_key": bytes,
}  # fmt: skip

_log = logging.getLogger("vista.solidstate")


def find_machines(pool: str, group: str) -> dict[str, list[Machine]]:
    """Return the machines of a pool that answer, by the names they say they have."""
    name = pool_service(pool)
    ids = sorted({row.object for row in vista.services() if row.name == name})
    found: dict[str, list[Machine]] = {}
    for id, offer in answers_of([(id, id) for id in ids], "offer", group):
        if is_offer(offer):
            found.setdefault(offer["node"], []).append((vista.ref_of(id), offer))
        else:
            _log.warning("machine %s of pool %s does not say who it is", id, pool)
    return found


def answers_of(
    targets: Sequence[tuple[Key, Any]], method: str, *args: Any
) -> list[tuple[Key, Any]]:
    """Return what machines answer to a message, each with what its place is known by.

    Those that do not answer in time, or take no question, are left out; all are asked at once.
    """
    asked: list[tuple[Key, vista.Future]] = []
    with vista.timeout(MACHINE_SECONDS):
        for key, target in targets:
            # One that reads nothing has its link filled, and keeps no other one from being asked.
            with contextlib.suppress(vista.CallError):
                asked.append((key, vista.future(target, method, *args)))
        return [(key, answer.result()) for key, answer in asked if answer.exception() is None]


def only_one(node: str, machines: Mapping[str, Sequence[Machine]]) -> Machine:
    """Return the machine of a name. Raises `PoolError` where several say they are it."""
    found = machines[node]
    if len(found) > 1:
        raise PoolError(
            f"{len(found)} machines of the pool say that they are {node!r}: stop all but one, or "
            f"name a replica that is to leave by its number"
        )
    return found[0]


def live_number(
    node: str, numbers: Container[int], machines: Mapping[str, Sequence[Machine]]
) -> int | None:
    """Return the replica that a machine runs, None where it is down or runs none of ``numbers``.

    Raises `PoolError` where another one says that it runs the same.
    """
    number = only_one(node, machines)[1]["live"] if node in machines else None
    if number is None or number not in numbers:
        return None
    offers = [offer for found in machines.values() for _, offer in found]
    same = sorted(offer["node"] for offer in offers if offer["live"] == number)
    if len(same) > 1:
        raise PoolError(
            f"{' and '.join(same)} say that they are replica {number}, and one lies: name the "
            f"replica that is meant by its number"
        )
    return int(number)


def is_offer(offer: Any) -> bool:
    """Tell whether a machine says who it is in words that are understood."""
    return (
        isinstance(offer, dict)
        and offer.keys() >= {*_OFFERED, "creator"}
        and all(isinstance(offer[name], kind) for name, kind in _OFFERED.items())
    )
