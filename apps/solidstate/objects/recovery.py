"""Replicas that start anew from time to time: proactive recovery (Castro and Liskov, TOCS 2002).

Two rules. One replica at a time, and none while another is not well. What a replica has in memory
is thrown away, and its state is what its disk has and the group has proven; the process goes on.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import vista
from apps.solidstate.errors import SolidStateError
from vista import BadValueError

HOURS_LEAST = 0.01
"""The shortest round: a start of a replica takes some seconds where its state is small."""

HOURS_MOST = 24.0 * 366
"""The longest one."""

_POOL = "SolidState/pool/"

_log = logging.getLogger("vista.solidstate")


class RecoverReplicas(vista.Object, namespace="SolidState"):
    """Has each replica of a group start again from its disk, one after the other, for ever.

    rc line: ``RecoverReplicas carts``, or ``RecoverReplicas carts 6``, behind the line
    ``CreateReplicasOnServers`` that founds the group

    ``create(group, hours=24)``: each replica has its turn once in so many hours, from 0.01 to 8784.
    One whose turn comes while another is not well keeps it. What was wrong in a replica's memory,
    by a fault of the machine or of somebody who is inside, is gone then; what its disk holds is
    checked by its digests and compared with the state that the group has proven.
    """

    def create(self, group: str, hours: float = 24.0) -> None:
        """Begin with the first round."""
        if not HOURS_LEAST <= hours <= HOURS_MOST:
            raise BadValueError(f"hours are {HOURS_LEAST} to {HOURS_MOST}, not {hours}")
        self.group = group
        self.hours = hours
        self.last = -1
        self.rounds = 0
        self._members = 1
        self._deleted = False
        self._user = vista.current_user()
        find_administrator(group)
        self._take_turn_later()

    def delete(self) -> None:
        """Have no replica start anew from here on."""
        self._deleted = True
        with contextlib.suppress(vista.CallError):
            self._timer.delete_yourself()

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Have the next replica start anew; the object's own timer sends it."""
        if timer != self._timer or vista.current_user() != self._user:
            # Others would put the next turn off with each message.
            return
        try:
            self._members = self._take_turn(self._members)
        except (SolidStateError, vista.CallError) as error:
            _log.warning("no replica of %s is started anew: %s", self.group, error)
        finally:
            self._take_turn_later()

    def _take_turn_later(self) -> None:
        # No thread that sleeps: a node that stops would wait for it.
        if not self._deleted:
            seconds = self.hours * 3600.0 / self._members
            self._timer = vista.create("TimerEvent", vista.self_ref(self), seconds)

    def _take_turn(self, count: int) -> int:
        """Have the next one start anew; return how many there are, ``count`` where it is over."""
        if self._deleted:
            return count
        administrator = find_administrator(self.group)
        members: list[int] = administrator.describe_group()["members"]
        later = [number for number in members if number > self.last]
        number = later[0] if later else members[0]
        told: dict[str, Any] = administrator.renew(str(number))
        _log.info("%s: %s", self.group, told["words"])
        self.rounds += not later
        self.last = number
        return len(members)


def find_administrator(group: str) -> vista.Ref:
    """Return the administrator of a group that was founded on this node.

    Raises `BadValueError` where none was, and `AccessDenied`.
    """
    here = vista.id_of(vista.here()).node
    members = [
        row.object
        for row in vista.services()
        if row.name.startswith(_POOL) and row.object.node == here
    ]
    for id in sorted(members):
        found = vista.send(id, "get_status")["proxies"]
        if group in found:
            made: vista.Ref = vista.send(id, "get_administrator", group)
            return made
    raise BadValueError(f"no group {group!r} was founded on this node")
