"""Who of the captains is there: the primary is told, not too often, and never waited for."""

from __future__ import annotations

from collections import OrderedDict

import vista

CAPTAINS_MAX = 4_096
"""Captains who are remembered; a server has 1,000 streams."""
PRIMARY = "StarshipPrimary"


class Activity:
    """When the primary was told last of each captain that he is there."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told: OrderedDict[int, float] = OrderedDict()

    def is_due(self, captain: int, now: float) -> bool:
        """Tell whether the primary is to be told again, and take it that it will be."""
        if now - self._told.get(captain, -self._seconds) < self._seconds:
            return False
        self._told[captain] = now
        self._told.move_to_end(captain)
        if len(self._told) > CAPTAINS_MAX:
            self._told.popitem(last=False)
        return True


def tell_primary(captain: int, interval: int | None) -> None:
    """Tell the primary that a captain is there; a link that is lost is nobody's mistake.

    ``interval`` is after how many seconds his pages come again by themselves, if he chose it.
    """
    try:
        # In flight and not waited for.
        vista.future(vista.service(PRIMARY), "captain_active", captain, interval or None)
    except vista.VistaError:
        return
