"""The Byzantine generals, theorem by theorem of the paper of 1982, and the lecture's examples."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from apps.solidstate import generals
from apps.solidstate.generals import heard_by, judge, oral_messages, report, thirds
from apps.solidstate.generals_play import ORDERS, Game, GamePlan, Path, play_oral, play_signed
from tests.house.source import ROOT
from vista import BadValueError

PLACEMENTS = [
    (count, frozenset(traitors))
    for count, most in ((4, 1), (5, 1), (7, 2))
    for size in range(most + 1)
    for traitors in combinations(range(count), size)
]


def named(value: object) -> str:
    return "-".join(map(str, sorted(value))) if isinstance(value, frozenset) else str(value)


class Whims:
    """Traitors who tell anybody anything, by a seed; as the same they always tell the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, plan: GamePlan, path: Path, to: int, order: str) -> str:
        return Random(f"{self._seed} {path} {to}").choice(ORDERS)


def test_om_0_everybody_does_as_told() -> None:
    game = play_oral(GamePlan(5, 0, frozenset(), "attack"))
    assert set(game.decisions.values()) == {"attack"} and game.messages == 4


@pytest.mark.parametrize(("count", "traitors"), PLACEMENTS, ids=named)
@pytest.mark.parametrize("order", ORDERS)
def test_theorem_1_om_works_with_more_than_3m_generals(
    count: int, traitors: frozenset[int], order: str
) -> None:
    plan = GamePlan(count, (count - 1) // 3, traitors, order)
    assert judge(play_oral(plan)).holds
    for seed in range(10):
        assert judge(play_oral(plan, Whims(seed))).holds


@pytest.mark.parametrize("count", [3, 4, 6])
@pytest.mark.parametrize("order", ORDERS)
def test_theorem_2_sm_works_with_any_number_of_traitors(count: int, order: str) -> None:
    for size in range(count - 1):
        for traitors in combinations(range(count), size):
            plan = GamePlan(count, max(size, 1), frozenset(traitors), order)
            for seed in range(3):
                assert judge(play_signed(plan, Whims(seed))).holds
            assert judge(play_signed(plan)).holds


def test_too_few_rounds_are_not_enough() -> None:
    # The lecture's seven generals: comparing notes once works with one traitor only.
    traitors = frozenset({0, 6})
    assert not judge(play_oral(GamePlan(7, 1, traitors, "attack"))).same
    assert judge(play_oral(GamePlan(7, 2, traitors, "attack"))).holds


def test_signed_messages_take_rounds_as_well() -> None:
    # The commander signs two orders, and the last lieutenant keeps one of them back for the end.
    def keep_back(plan: GamePlan, path: Path, to: int, order: str) -> str:
        if path == (0,):
            return "retreat" if to == 3 else "attack"
        return order if to == 1 else ("attack" if order == "retreat" else "retreat")

    traitors = frozenset({0, 3})
    assert not judge(play_signed(GamePlan(4, 1, traitors, "attack"), keep_back)).same
    assert judge(play_signed(GamePlan(4, 2, traitors, "attack"), keep_back)).same


@pytest.mark.parametrize("traitors", [1, 2])
def test_section_2_with_3m_generals_two_games_look_the_same(traitors: int) -> None:
    first, second, last = thirds(traitors)
    for one in range(traitors, 2 * traitors):
        assert heard_by(first, one) == heard_by(second, one)
    for one in range(2 * traitors, 3 * traitors):
        assert heard_by(second, one) == heard_by(last, one)


@pytest.mark.parametrize("traitors", [1, 2])
def test_section_2_the_three_games_differ_in_what_must_be_done(traitors: int) -> None:
    first, second, last = (game.plan for game in thirds(traitors))
    assert (first.order, last.order) == ("attack", "retreat")
    assert 0 in second.traitors and not {0} & (first.traitors | last.traitors)
    assert {len(plan.traitors) for plan in (first, second, last)} == {traitors}
    assert first.traitors | second.traitors | last.traitors == set(range(3 * traitors))


@pytest.mark.parametrize("traitors", [1, 2])
def test_section_2_om_loses_one_of_the_games(traitors: int) -> None:
    assert not all(judge(game).holds for game in thirds(traitors))


@pytest.mark.parametrize(
    ("count", "depth", "expected"), [(2, 0, 1), (4, 1, 9), (7, 2, 156), (10, 3, 3609), (5, 0, 4)]
)
def test_om_takes_the_messages_of_the_formula(count: int, depth: int, expected: int) -> None:
    assert oral_messages(count, depth) == expected
    assert play_oral(GamePlan(count, depth, frozenset(), "attack")).messages == expected


def test_each_round_of_om_multiplies_the_messages() -> None:
    game = play_oral(GamePlan(7, 2, frozenset({1}), "attack"))
    assert [len(heard) for heard in game.rounds] == [6, 6 * 5, 6 * 5 * 4]


def test_sm_without_traitors_passes_each_order_on_once() -> None:
    game = play_signed(GamePlan(5, 3, frozenset(), "attack"))
    assert [len(heard) for heard in game.rounds] == [4, 4 * 3, 0, 0]


def test_a_signed_order_cannot_be_changed_on_its_way() -> None:
    game = play_signed(GamePlan(5, 3, frozenset({2, 3}), "attack"))
    assert {order for heard in game.rounds for order in heard.values()} == {"attack"}


def test_as_many_votes_for_the_one_as_for_the_other_are_the_default() -> None:
    game = play_oral(GamePlan(3, 1, frozenset({2}), "attack"))
    assert heard_by(game, 1) == {(0,): "attack", (0, 2): "retreat"}
    assert game.decisions[1] == "retreat"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (GamePlan(1, 0, frozenset(), "attack"), r"1 generals: a commander and a lieutenant"),
        (GamePlan(4, 3, frozenset(), "attack"), r"a depth of 3: with 4 generals"),
        (GamePlan(4, -1, frozenset(), "attack"), r"a depth of -1"),
        (GamePlan(4, 1, frozenset({4}), "attack"), r"traitor 4 is no general: they are 0 to 3"),
    ],
    ids=["one", "deep", "negative", "stranger"],
)
def test_a_game_that_cannot_be_played_is_refused(plan: GamePlan, words: str) -> None:
    with pytest.raises(BadValueError, match=words):
        plan.validate()


DRAWN = """\
4 generals, traitors: C*, oral messages OM(1)
the commander's order is attack; he is a traitor and tells others otherwise

Round 1: 3 messages
told by    L1   L2   L3
C*          A    A    R

Round 2: 6 messages
told by    L1   L2   L3
C* L1       -    A    A
C* L2       A    -    A
C* L3       R    R    -

decisions: L1 attack, L2 attack, L3 attack
in all 9 messages
by the formula 3 + 6 = 9
IC1, all loyal lieutenants do the same: yes
IC2 demands nothing: the commander is a traitor
"""


def test_a_game_is_drawn_round_by_round(capsys: pytest.CaptureFixture[str]) -> None:
    assert generals.main(["--traitors", "0"]) == 0
    assert capsys.readouterr().out == DRAWN


def test_the_page_shows_the_game_that_is_played() -> None:
    page = (ROOT / "docs" / "solidstate.rst").read_text("utf-8")
    assert all(line.strip() in page for line in DRAWN.splitlines())


def test_the_command_says_when_the_loyal_do_not_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert generals.main(["--generals", "3", "--traitors", "2"]) == 1
    assert "IC2, they obey the loyal commander: NO" in capsys.readouterr().out


def test_the_command_plays_with_signed_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert generals.main(["--generals", "3", "--traitors", "0", "--signed"]) == 0
    assert "signed messages SM(1)" in capsys.readouterr().out


def test_the_command_shows_why_3m_are_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    assert generals.main(["--impossible", "1"]) == 0
    assert "L1 hears the same in games 1 and 2. In game 1 it must" in capsys.readouterr().out
    assert generals.main(["--impossible", "2"]) == 0
    assert "L2, L3 hear the same in games 1 and 2. In game 1 they" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--generals 1", "a commander and a lieutenant"),
        ("--generals 3 --traitors 9", "traitor 9 is no general"),
        ("--generals 11", "at most 10 generals"),
        ("--generals 10 --traitors none --depth 7", "100,000 messages"),
        ("--impossible 4", "1 to 3 traitors can be shown"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    words: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generals.main(words.split()) == 2
    assert expected in capsys.readouterr().err


def test_traitors_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generals.main(["--traitors", "brutus"])
    assert "'brutus' is no list of numbers, nor none" in capsys.readouterr().err


def test_a_game_without_traitors_says_so() -> None:
    game: Game = play_oral(GamePlan(3, 0, frozenset(), "attack"))
    assert report(game)[0] == "3 generals, no traitors, oral messages OM(0)"
