"""What a primary counts, for `vista.statistics` and the pages that are made from it."""

from __future__ import annotations

from collections.abc import MutableMapping

from apps.starship.game.conductor import Conductor
from apps.starship.game.events import Committed
from apps.starship.game.pool import READY


def count_step(
    count: MutableMapping[str, float], done: Committed, conductor: Conductor, now: float
) -> None:
    """Take note of a step that was committed; ``now`` in seconds on the conductor's clock.

    Sums: ``StarshipSteps``, ``StarshipStepSeconds`` (from the closing of admission until the step
    is safe), ``StarshipUnitsDeferred``. As they are at the moment: ``StarshipShips``,
    ``StarshipPlayers``, ``StarshipServers`` (those that get work), ``StarshipUnitsLate`` and
    ``StarshipUnitsLost`` of the servers there are.
    """
    ships = [t for t in done.state.objects.values() if t.kind == "starship" and t.alive]
    hands = conductor.pool.hands.values()
    count["StarshipSteps"] += 1
    count["StarshipStepSeconds"] += max(0.0, now - conductor.began)
    count["StarshipUnitsDeferred"] += len(done.deferred)
    count["StarshipShips"] = len(ships)
    count["StarshipPlayers"] = sum(ship.meta.captain is not None for ship in ships)
    count["StarshipServers"] = sum(hand.state == READY for hand in hands)
    count["StarshipUnitsLate"] = sum(hand.late for hand in hands)
    count["StarshipUnitsLost"] = sum(hand.lost for hand in hands)
