"""The algorithms of the Byzantine generals: OM(m) with oral messages, SM(m) with signed ones.

A general is a number, the commander 0. An order comes by a path: (0, 2, 3) is what 3 says that 2
said that the commander said. Traitors lie by a rule, so that a game can be drawn and repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vista import BadValueError

ORDERS = ("attack", "retreat")
DEFAULT = "retreat"
"""What a lieutenant does who heard nothing, or as much for the one as for the other."""

Path = tuple[int, ...]
Heard = dict[tuple[Path, int], str]
"""What the members heard in one round: by the path it came and who heard it."""

Lie = Callable[["GamePlan", Path, int, str], str]
"""What the last of a path, who is a traitor, tells somebody instead of an order."""


@dataclass(frozen=True)
class GamePlan:
    """A game: how many generals, the m of the algorithm, who is a traitor, the order."""

    generals: int
    depth: int
    traitors: frozenset[int]
    order: str

    @property
    def lieutenants(self) -> range:
        """The numbers of the lieutenants."""
        return range(1, self.generals)

    def validate(self) -> None:
        """Raise `BadValueError` for a game that cannot be played."""
        if self.generals < 2:
            raise BadValueError(f"{self.generals} generals: a commander and a lieutenant at least")
        if not 0 <= self.depth <= self.generals - 2:
            raise BadValueError(
                f"a depth of {self.depth}: with {self.generals} generals an order passes 0 to "
                f"{self.generals - 2} of them on its way"
            )
        strangers = sorted(self.traitors - set(range(self.generals)))
        if strangers:
            raise BadValueError(
                f"traitor {strangers[0]} is no general: they are 0 to {self.generals - 1}"
            )


@dataclass
class Game:
    """A game that was played: what was heard in each round, and what everybody decided."""

    plan: GamePlan
    signed: bool
    rounds: list[Heard] = field(default_factory=list)
    decisions: dict[int, str] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """How many messages were sent."""
        return sum(len(heard) for heard in self.rounds)


def half_a_lie(plan: GamePlan, path: Path, to: int, order: str) -> str:
    """Tell one half the truth and the other half the opposite, as the lectures draw it.

    The lower half hears the truth from a commander, and lies from a lieutenant.
    """
    lower = to <= plan.generals // 2
    return order if lower == (path == (0,)) else _opposite(order)


def split_in_three(plan: GamePlan, path: Path, to: int, order: str) -> str:
    """Lie so that a third of the generals cannot tell which other third does.

    Of 3m generals the first m stand with the commander. To the second third everything looks as if
    he had said attack, to the last one as if he had said retreat (section 2 of the paper).
    """
    third = plan.generals // 3
    first = next((one for one in (*path, to) if one >= third), None)
    return order if first is None else ORDERS[first >= 2 * third]


def _opposite(order: str) -> str:
    return ORDERS[1 - ORDERS.index(order)]


def play_oral(plan: GamePlan, lie: Lie = half_a_lie) -> Game:
    """Play OM(m) (section 3 of the paper): everybody tells everybody what everybody told him.

    Returns the game; all loyal lieutenants decide the same if there are more than 3m generals for m
    traitors.
    """
    game = Game(plan, signed=False)
    held: dict[Path, dict[int, str]] = {(): {0: plan.order}}
    for _ in range(plan.depth + 1):
        heard: Heard = {}
        for path, speakers in held.items():
            for speaker, order in speakers.items():
                for to in plan.lieutenants:
                    if to not in path and to != speaker:
                        way = (*path, speaker)
                        lies = speaker in plan.traitors
                        heard[way, to] = lie(plan, way, to, order) if lies else order
        game.rounds.append(heard)
        held = {}
        for (path, to), order in heard.items():
            held.setdefault(path, {})[to] = order
    everything: Heard = {key: order for heard in game.rounds for key, order in heard.items()}
    for one in plan.lieutenants:
        game.decisions[one] = _value(plan, everything, (0,), one)
    return game


def _value(plan: GamePlan, heard: Heard, path: Path, me: int) -> str:
    """What a lieutenant takes the last of a path to have said: the majority of what all say."""
    if len(path) > plan.depth:
        return heard[path, me]
    votes = Counter({heard[path, me]: 1})
    for other in plan.lieutenants:
        if other != me and other not in path:
            votes[_value(plan, heard, (*path, other), me)] += 1
    (first, most), *rest = votes.most_common()
    return DEFAULT if rest and rest[0][1] == most else first


def play_signed(plan: GamePlan, lie: Lie = half_a_lie) -> Game:
    """Play SM(m) (section 4): orders are signed by all who pass them on, and cannot be changed.

    A traitor who commands signs different orders; one who is a lieutenant can only keep an order
    from some. Nobody passes on what he has passed on before. Returns the game; all loyal
    lieutenants decide the same, however many traitors there are up to m.
    """
    game = Game(plan, signed=True)
    seen: dict[int, set[str]] = {one: set() for one in plan.lieutenants}
    speaking: list[tuple[Path, str]] = [((0,), plan.order)]
    for _ in range(plan.depth + 1):
        heard: Heard = {}
        for path, order in speaking:
            for to, told in _tellings(plan, path, order, lie):
                heard[path, to] = told
        game.rounds.append(heard)
        speaking = []
        for (path, to), order in heard.items():
            if order not in seen[to]:
                seen[to].add(order)
                speaking.append(((*path, to), order))
    for one, orders in seen.items():
        # The choice of the paper: the only order there is, or else the agreed default.
        game.decisions[one] = next(iter(orders)) if len(orders) == 1 else DEFAULT
    return game


def _tellings(plan: GamePlan, path: Path, order: str, lie: Lie) -> Iterator[tuple[int, str]]:
    """Whom the last of a path tells what: only a commander can sign another order."""
    speaker = path[-1]
    for to in plan.lieutenants:
        if to in path:
            continue
        told = lie(plan, path, to, order) if speaker in plan.traitors else order
        if speaker == 0 or told == order:
            yield to, told
