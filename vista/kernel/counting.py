"""Counters of one's own in the statistics of a node."""

from __future__ import annotations

from collections import defaultdict

from vista.kernel.node import kernel_here


def counters() -> defaultdict[str, float]:
    """Return counters of the calling code's node that are free to count in: numbers by name.

    What a class counts there is told by `vista.statistics` and by all that is made from it, also on
    other nodes. A name begins with that of the app or class, so that it is nobody else's. It is
    there when something was counted, and stays as long as the node: names that others choose must
    be bounded. Get them once, in ``create``, and keep them: counting then takes 40 ns. They belong
    to the thread of the node's loop: methods marked ``@native`` leave them alone.

    >>> vista.counters()["HarbourShipsMoored"] += 1
    """
    return kernel_here().counters.own
