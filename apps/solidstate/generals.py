"""``python -m apps.solidstate.generals``: the Byzantine Generals problem, played on one machine.

Lamport, Shostak and Pease, "The Byzantine Generals Problem" (1982): a commander sends an order to
his lieutenants; some of the generals are traitors. All loyal lieutenants must come to the same
order (IC1), and to the commander's if he is loyal (IC2). With oral messages that takes more than 3m
generals for m traitors and m + 1 rounds; with signed ones any number.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import perm

from apps.solidstate.generals_play import (
    Game,
    GamePlan,
    play_oral,
    play_signed,
    split_in_three,
)
from vista import BadValueError

GENERALS_MAX = 10
"""Generals of one game: what each hears grows as their number to the power of the rounds."""

RELAYED_MAX = 100_000
"""Messages of one game."""


def oral_messages(generals: int, depth: int) -> int:
    """Return how many messages OM(m) takes: (n - 1) + (n - 1)(n - 2) + ... of m + 1 products.

    >>> oral_messages(7, 2)
    156
    """
    return sum(perm(generals - 1, length) for length in range(1, depth + 2))


@dataclass(frozen=True)
class Verdict:
    """What came of a game: whether IC1 and IC2 hold. IC2 demands nothing of a traitor's orders."""

    same: bool
    obeyed: bool

    @property
    def holds(self) -> bool:
        """Whether both hold."""
        return self.same and self.obeyed


def judge(game: Game) -> Verdict:
    """Return whether the loyal lieutenants of a game agree, and with a loyal commander."""
    plan = game.plan
    loyal = {game.decisions[one] for one in plan.lieutenants if one not in plan.traitors}
    return Verdict(len(loyal) <= 1, 0 in plan.traitors or loyal <= {plan.order})


def name_of(general: int) -> str:
    """Return what a general is called: the commander has the number 0."""
    return "C" if general == 0 else f"L{general}"


def report(game: Game) -> list[str]:
    """Return the lines that show a game: who said what to whom, and what came of it."""
    plan = game.plan
    lines = [
        f"{plan.generals} generals, {_traitors(plan)}, "
        f"{'signed messages SM' if game.signed else 'oral messages OM'}({plan.depth})",
        f"the commander's order is {plan.order}"
        + ("; he is a traitor and tells others otherwise" if 0 in plan.traitors else ""),
    ]
    for number, heard in enumerate(game.rounds, 1):
        lines += ["", f"Round {number}: {_count(len(heard))}", *_table(plan, heard)]
    return [*lines, "", *_ending(game)]


def _traitors(plan: GamePlan) -> str:
    names = ", ".join(name_of(one) + "*" for one in sorted(plan.traitors))
    return f"traitors: {names}" if names else "no traitors"


def _count(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages} messages"


def _table(plan: GamePlan, heard: dict[tuple[tuple[int, ...], int], str]) -> list[str]:
    """One row for each way an order came, one column for each who heard it."""
    paths = sorted({path for path, _ in heard})
    width = max(len(_path(plan, path)) for path in paths)
    columns = [_label(plan, one) for one in plan.lieutenants]
    rows = [f"{'told by'.ljust(max(width, 7))}  " + " ".join(one.rjust(4) for one in columns)]
    for path in paths:
        cells = [heard.get((path, one), "-")[:1].upper() for one in plan.lieutenants]
        named = _path(plan, path).ljust(max(width, 7))
        rows.append(f"{named}  " + " ".join(one.rjust(4) for one in cells))
    return [row.rstrip() for row in rows]


def _label(plan: GamePlan, general: int) -> str:
    return name_of(general) + ("*" if general in plan.traitors else "")


def _path(plan: GamePlan, path: tuple[int, ...]) -> str:
    return " ".join(_label(plan, one) for one in path)


def _ending(game: Game) -> list[str]:
    plan, verdict = game.plan, judge(game)
    decisions = [f"{_label(plan, one)} {game.decisions[one]}" for one in plan.lieutenants]
    lines = [f"decisions: {', '.join(decisions)}", f"in all {_count(game.messages)}"]
    if not game.signed:
        sums = " + ".join(
            f"{perm(plan.generals - 1, length):,}" for length in range(1, plan.depth + 2)
        )
        lines.append(f"by the formula {sums} = {oral_messages(plan.generals, plan.depth):,}")
    lines.append(f"IC1, all loyal lieutenants do the same: {'yes' if verdict.same else 'NO'}")
    said = "yes" if verdict.obeyed else "NO"
    lines.append(
        "IC2 demands nothing: the commander is a traitor"
        if 0 in plan.traitors
        else f"IC2, they obey the loyal commander: {said}"
    )
    return lines


def thirds(traitors: int) -> list[Game]:
    """Return three games of 3m generals, played by OM(m), of which no algorithm can win all.

    In each another third are the traitors. The second third hears the same in the first two games,
    and the last third hears the same in the last two.
    """
    count = 3 * traitors
    games = []
    for liars, order in ((2, "attack"), (0, "attack"), (1, "retreat")):
        numbers = frozenset(range(liars * traitors, (liars + 1) * traitors))
        games.append(play_oral(GamePlan(count, traitors, numbers, order), split_in_three))
    return games


def heard_by(game: Game, general: int) -> dict[tuple[int, ...], str]:
    """Return what a general heard, by the path it came."""
    return {
        path: order for heard in game.rounds for (path, to), order in heard.items() if to == general
    }


def impossible(traitors: int) -> list[str]:
    """Return the lines that show why 3m generals are too few for m traitors."""
    lines = []
    for number, game in enumerate(thirds(traitors), 1):
        lines += [f"Game {number}", *report(game), ""]
    second = _names(range(traitors, 2 * traitors))
    last = _names(range(2 * traitors, 3 * traitors))
    one = traitors == 1
    hear, they, attack, retreat = (
        ("hears", "it", "attacks", "retreats") if one else ("hear", "they", "attack", "retreat")
    )
    lose = f"{3 * traitors} generals of whom {traitors} may be {'a traitor' if one else 'traitors'}"
    return [
        *lines,
        f"{second} {hear} the same in games 1 and 2. In game 1 {they} must attack, for that is",
        f"what a loyal commander says; so {they} {attack} in game 2.",
        f"{last} {hear} the same in games 2 and 3. In game 3 {they} must retreat, for the same",
        f"reason; so {they} {retreat} in game 2. There they are all loyal, and do not do the same:",
        f"whatever the algorithm is, {lose} lose one.",
    ]


def _names(generals: range) -> str:
    return ", ".join(name_of(one) for one in generals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; return 0 if the loyal generals agree, else 1."""
    options = _parser().parse_args(arguments)
    try:
        if options.impossible:
            if not 1 <= 3 * options.impossible <= GENERALS_MAX:
                raise BadValueError(f"1 to {GENERALS_MAX // 3} traitors can be shown")
            print("\n".join(impossible(options.impossible)))
            return 0
        game = _play(options)
    except BadValueError as error:
        print(f"generals: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(game)))
    return 0 if judge(game).holds else 1


def _play(options: argparse.Namespace) -> Game:
    traitors = frozenset(options.traitors)
    depth = len(traitors) if options.depth is None else options.depth
    plan = GamePlan(options.generals, depth, traitors, options.order)
    plan.validate()
    if plan.generals > GENERALS_MAX or oral_messages(plan.generals, depth) > RELAYED_MAX:
        raise BadValueError(
            f"at most {GENERALS_MAX} generals and {RELAYED_MAX:,} messages can be shown"
        )
    return play_signed(plan) if options.signed else play_oral(plan)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.solidstate.generals", description=__doc__)
    parser.add_argument("--generals", type=int, default=4, metavar="N", help="how many (4)")
    parser.add_argument(
        "--traitors",
        type=_numbers,
        default=(3,),
        metavar="A,B",
        help="their numbers, 0 being the commander, or none (3)",
    )
    parser.add_argument(
        "--depth", type=int, metavar="M", help="the m of OM(m) or SM(m) (as many as traitors)"
    )
    parser.add_argument("--signed", action="store_true", help="signed messages, not oral ones")
    parser.add_argument("--order", choices=("attack", "retreat"), default="attack")
    parser.add_argument(
        "--impossible", type=int, metavar="M", help="show why 3M generals with M traitors fail"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers, nor none") from error


if __name__ == "__main__":
    sys.exit(main())
