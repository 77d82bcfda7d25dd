"""``python -m tests.starship.rules.alone``: a galaxy that is left alone, and whether it lives.

All that is counted is printed; the exit code is 1 when a race is gone, a ship is stuck, fleets do
not come and go, missions are not done, or there are more ships than may be. 5,000 steps take a
minute of one processor.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from apps.starship.display.fleets import fleets_of
from apps.starship.rules.arithmetic import UNIT, dist
from apps.starship.rules.creating import new_game
from apps.starship.rules.state import State
from apps.starship.rules.step import advance
from apps.starship.rules.theme import RACES
from tests.starship.rules.galaxy import THEME

PLACE = 20 * UNIT
"""Who stays within so far of where it was has not moved: a dock is as wide."""
STUCK_STEPS = 400
"""So long nobody stays anywhere: a ship with 1 of hull is whole at its starbase in 30 steps, and
goes on when the last enemy has left, who has a time limit of 300 steps at most."""


class Galaxy:
    """A galaxy left alone: `advance` it, and read what was counted.

    ``least`` and ``most`` are the fewest ships of a race and the most ships of all there ever were;
    ``lost`` are ships, ``done`` missions by kind; ``joined`` and ``left`` count ships that came to
    a fleet or were in one no longer, though they live; ``stood`` is the longest that one stayed
    in its place, in steps, and ``stander`` its name.
    """

    def __init__(self, seed: int) -> None:
        self.state = new_game(seed, THEME)
        self.least, self.most, self.lost = sys.maxsize, 0, 0
        self.done: Counter[str] = Counter()
        self.joined = self.left = 0
        self.stood, self.stander = 0, ""
        self._since: dict[int, tuple[int, int, int]] = {}
        self._members: set[str] = set()

    def advance(self, steps: int) -> None:
        """Let the galaxy go on."""
        for _ in range(steps):
            before, self.state = self.state, advance(self.state)
            self._count(before, self.state)

    def wrong(self) -> list[str]:
        """Return what a galaxy that lives has not, in words; nothing is wrong with one that does.

        After fewer than some hundred steps there is always something.
        """
        settings = self.state.settings
        bound = settings.starships_max - settings.human_reserve
        claims = {
            f"a race had {self.least} ships": self.least >= 3,
            f"there were {self.most} ships": self.most <= bound,
            f"{self.stander} stood for {self.stood} steps": self.stood < STUCK_STEPS,
            f"{self.joined} ships joined a fleet": self.joined >= self.state.step // 20,
            f"{self.left} ships left a fleet": self.left >= self.state.step // 20,
            f"{self.done.total()} missions were done": self.done.total() >= self.state.step // 20,
            f"of {len(self.done)} kinds": len(self.done) >= min(8, self.state.step // 100),
            f"{self.lost} ships were lost": self.state.step < 30 * self.lost < 6 * self.state.step,
        }
        return [words for words, holds in claims.items() if not holds]

    def _count(self, before: State, after: State) -> None:
        view = after.view()
        ships = [view.of.get((race, "starship"), []) for race in RACES]
        self.least = min(self.least, *map(len, ships))
        self.most = max(self.most, sum(t.kind == "starship" for t in after.objects.values()))
        living = {made.name: made for own in ships for made in own}
        self._count_fleets({n for row in fleets_of(view) for n in row["ships"]}, set(living))
        for made in after.objects.values():
            old = before.objects.get(made.name)
            self.lost += made.kind == "starship" and made.tac.dead_at == after.step
            if old is not None and old.com.missions_done < made.com.missions_done:
                self.done[old.com.mission.kind if old.com.mission else "?"] += 1
        standing = {}
        for made in living.values():
            x, y, step = self._since.get(made.meta.id, (made.nav.x, made.nav.y, after.step))
            if dist(made.nav.x - x, made.nav.y - y) > PLACE:
                x, y, step = made.nav.x, made.nav.y, after.step
            standing[made.meta.id] = (x, y, step)
            if after.step - step > self.stood:
                self.stood, self.stander = after.step - step, made.name
        self._since = standing

    def _count_fleets(self, members: set[str], living: set[str]) -> None:
        self.joined += len(members - self._members)
        self.left += len((self._members - members) & living)
        self._members = members


def main(arguments: Sequence[str] | None = None) -> int:
    """Leave the galaxies of some seeds alone; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.starship.rules.alone")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many (1)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first one (1)")
    parser.add_argument("--steps", type=int, default=5_000, metavar="N", help="for each (5000)")
    options = parser.parse_args(arguments)
    failed = 0
    for seed in range(options.first, options.first + options.seeds):
        galaxy = Galaxy(seed)
        galaxy.advance(options.steps)
        wrong = galaxy.wrong()
        failed += bool(wrong)
        print(
            f"seed {seed}: {galaxy.least} ships of a race at least, {galaxy.most} of all at most,"
            f" {galaxy.lost} lost; {galaxy.joined} joined and {galaxy.left} left a fleet;"
            f" {galaxy.stander} stood for {galaxy.stood} steps; missions: {dict(galaxy.done)};"
            f" wrong: {', '.join(wrong) or 'nothing'}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
