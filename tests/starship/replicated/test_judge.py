"""The judge as an ordinary object whose time and askers a test says: entries, votes, turns."""

from __future__ import annotations

import re
from typing import Any

import pytest

import vista
from apps.solidstate.objects.replicated import Execution, executing
from apps.starship.replicated import judge as judges
from apps.starship.replicated import requests
from apps.starship.replicated.judge import StarshipJudge
from vista import AccessDenied, BadValueError, Overloaded

A, B, C, D = (f"client-{letter}" for letter in "abcd")
INTERVAL = 5.0


class Court:
    """A judge, and what its time is."""

    def __init__(self, *words: str) -> None:
        self.now = 1_000.0
        self.judge = object.__new__(StarshipJudge)
        self.ask(A, "create", *(words or ("5", "42")))

    def ask(self, client: str, method: str, *args: Any) -> Any:
        """Have a client ask; what it is answered is a value."""
        token = executing.set(Execution(round(self.now * 1_000_000), bytes(32), client))
        try:
            result = getattr(self.judge, method)(*args)
        finally:
            executing.reset(token)
        return vista.decode_value(vista.encode_value(result))

    def tell(self, client: str, step: int, hash: str = "", **more: Any) -> Any:
        """Have a client report that it has computed a step."""
        return self.ask(client, "report", step + 1, 0, told(client, step, hash, **more))

    def close(self, client: str, step: int, hash: str = "h") -> Any:
        """Have a client close a step, having voted for the one before."""
        return self.ask(client, "close", step, step, 0, told(client, step - 1, hash))

    def play(self, *clients: str, hash: str = "h") -> int:
        """Have a step voted for by all and closed by the first; return its number."""
        step: int = self.judge.step
        for client in clients:
            self.tell(client, step - 1, hash)
        self.now += INTERVAL
        self.close(clients[0], step, hash)
        return step


def told(client: str, step: int, hash: str = "", **more: Any) -> dict[str, Any]:
    row = {"step": step, "hash": hash, "saved": 0, "heard": []}
    return {**row, "id": f"id of {client}", "name": f"name of {client}", "url": "", **more}


@pytest.fixture
def court() -> Court:
    return Court()


# --- entries -------------------------------------------------------------------------------


def test_an_entry_has_its_place_in_the_step_that_is_collected(court: Court) -> None:
    assert court.ask(A, "submit", "one", "", 7, [], 1, 0)[:2] == (1, 0)
    step, place, news = court.ask(B, "submit", "two", "", 8, [], 1, 0)
    assert (step, place) == (1, 1)
    assert news["rows"] == [[1, 0, ["one", "two"], None]]


def test_an_entry_that_is_sent_again_is_not_taken_again_whoever_sends_it(court: Court) -> None:
    court.ask(A, "submit", "one", "key", 7, [], 1, 0)
    court.play(A, B)
    assert court.ask(B, "submit", "one", "key", 7, [], 2, 0)[:2] == (1, 0)
    assert court.judge.entries == []


def test_nobody_has_an_entry_of_his_stand_for_that_of_another_captain(court: Court) -> None:
    court.ask(D, "submit", "nonsense", "key", 8, [], 1, 0)
    assert court.ask(A, "submit", "one", "key", 7, [], 1, 0)[1] == 1
    assert court.judge.entries == ["nonsense", "one"]


def test_a_key_is_forgotten_after_twenty_steps(court: Court) -> None:
    court.ask(A, "submit", "one", "key", 7, [], 1, 0)
    for _ in range(judges.KEY_STEPS + 1):
        court.play(A, B)
    assert court.judge.keys == {}
    assert court.judge.keys_of == {}


def test_one_server_cannot_take_the_room_of_the_others(court: Court) -> None:
    for _ in range(judges.ENTRIES_MAX):
        court.ask(A, "submit", "x", "", 7, [], 1, 0)
    with pytest.raises(Overloaded, match=r"^Too many orders for this step"):
        court.ask(A, "submit", "x", "", 7, [], 1, 0)
    assert court.ask(B, "submit", "x", "", 7, [], 1, 0)[1] == judges.ENTRIES_MAX


def test_the_characters_of_one_server_in_a_step_have_a_bound(court: Court) -> None:
    for _ in range(judges.SERVER_CHARACTERS_MAX // requests.ENTRY_CHARACTERS_MAX):
        court.ask(A, "submit", "x" * requests.ENTRY_CHARACTERS_MAX, "", 7, [], 1, 0)
    with pytest.raises(Overloaded):
        court.ask(A, "submit", "x", "", 7, [], 1, 0)
    court.play(A, B)
    assert court.ask(A, "submit", "x", "", 7, [], 1, 0)[:2] == (2, 0)


@pytest.mark.parametrize(
    "args",
    [
        ("x" * 1_001, "", 7),
        ("x", "k" * 201, 7),
        (7, "", 7),
        ("x", "", 0),
        ("x", "", 2**62),
        ("\N{GRINNING FACE}", "", 7),
        ("x", "", "7"),
    ],
    ids=["long", "long key", "no text", "no captain", "large captain", "not ASCII", "text"],
)
def test_what_is_no_entry_is_refused(court: Court, args: tuple[Any, ...]) -> None:
    with pytest.raises(BadValueError):
        court.ask(A, "submit", *args, [], 1, 0)
    assert court.judge.entries == []


def test_a_server_that_is_behind_reads_in_pieces_what_it_has_not_read(court: Court) -> None:
    entries = [f"{number:04}" + "x" * 900 for number in range(200)]
    for number, entry in enumerate(entries):
        court.ask((A, B)[number % 2], "submit", entry, "", 7, [], 1, 0)
    court.play(A, B)
    step, count, found = 1, 0, []
    for _ in range(5):
        news = court.ask(C, "report", step, count, {})
        for at, first, rows, gone in news["rows"]:
            assert (at, first) == (step, count)
            found += rows
            count += len(rows)
            if gone is not None:
                step, count = step + 1, 0
    assert found == entries
    assert (step, news["more"]) == (2, False)


def test_entries_of_no_characters_do_not_make_an_answer_too_large(court: Court) -> None:
    for _ in range(3):
        for client in (C, D):
            for _ in range(judges.ENTRIES_MAX):
                court.ask(client, "submit", "", "", 7, [], 10**9, 0)
        court.play(A, B)
    told = court.tell(A, 0)
    assert sum(len(entries) for _, _, entries, _ in told["rows"]) == 4_998
    assert told["more"]


def test_captains_who_left_count_in_an_answer(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "ROWS_CHARACTERS_MAX", 3_000)
    court.tell(D, 0, heard=[[number, 0.0] for number in range(1, 301)])
    for _ in range(22):
        court.play(A, B)
    told = court.tell(A, 0)
    assert told["rows"][-1][0] == 18
    assert told["more"]


# --- steps ---------------------------------------------------------------------------------


def test_a_step_is_not_closed_before_its_time(court: Court) -> None:
    for client in (A, B):
        court.tell(client, 0, "h")
    court.now += INTERVAL - 0.01
    assert court.close(A, 1)["step"] == 1
    court.now += 0.02
    assert court.close(A, 1)["step"] == 2


def test_a_step_is_not_closed_before_the_one_before_is_committed(court: Court) -> None:
    court.tell(A, 0, "h")
    court.now += 10 * INTERVAL
    assert court.close(A, 1)["step"] == 1
    court.tell(B, 0, "h")
    assert court.close(A, 1)["step"] == 2


def test_who_has_not_computed_the_step_before_does_not_conduct(court: Court) -> None:
    for client in (A, B):
        court.tell(client, 0, "h")
    court.now += INTERVAL
    assert court.ask(C, "close", 1, 1, 0, told(C, -1))["step"] == 1


def test_the_conductor_goes_on_and_others_wait_for_it(court: Court) -> None:
    court.play(A, B, C)
    for client in (A, B, C):
        court.tell(client, 1, "h")
    court.now += INTERVAL
    assert court.close(B, 2)["step"] == 2
    assert court.close(A, 2)["step"] == 3
    assert court.judge.epoch == 1


def test_another_server_takes_the_turn_of_one_that_is_late(court: Court) -> None:
    court.play(A, B, C)
    for client in (A, B, C):
        court.tell(client, 1, "h")
    court.now += INTERVAL + court.judge.patience
    news = court.close(B, 2)
    assert (news["step"], news["conductor"], news["epoch"]) == (3, B, 2)
    assert news["reports"][0]["text"] == "server name of client-a was late and lost its turn"


def test_a_step_that_was_closed_already_is_not_closed_twice(court: Court) -> None:
    court.play(A, B)
    for client in (A, B):
        court.tell(client, 1, "h")
    court.now += 2 * INTERVAL
    assert court.close(A, 1)["step"] == 2


# --- votes ---------------------------------------------------------------------------------


def test_a_step_is_committed_when_more_servers_than_may_lie_tell_the_same(court: Court) -> None:
    assert court.tell(A, 0, "h")["committed"] == [-1, ""]
    assert court.tell(B, 0, "g")["committed"] == [-1, ""]
    assert court.tell(C, 0, "h")["committed"] == [0, "h"]


def test_two_liars_take_three_equal_votes() -> None:
    court = Court("5", "42", "liars=2")
    for client in (A, B):
        assert court.tell(client, 0, "h")["committed"] == [-1, ""]
    assert court.tell(C, 0, "h")["committed"] == [0, "h"]


def test_the_first_vote_of_a_server_counts(court: Court) -> None:
    court.tell(A, 0, "h")
    court.tell(A, 0, "g")
    assert court.tell(B, 0, "g")["committed"] == [-1, ""]
    assert court.tell(C, 0, "h")["committed"] == [0, "h"]


def test_who_votes_otherwise_is_named_and_loses_the_turn(court: Court) -> None:
    court.play(A, B, C)
    court.tell(A, 1, "other")
    for client in (B, C):
        court.tell(client, 1, "h")
    news = court.tell(B, 1)
    assert news["conductor"] == ""
    assert [row["kind"] for row in news["reports"]] == ["turn", "divergent"]
    assert "name of client-a has another state after step 1" in news["reports"][1]["text"]
    court.now += INTERVAL
    assert court.close(C, 2)["conductor"] == C


def test_who_votes_otherwise_after_the_others_is_named_too(court: Court) -> None:
    for client, hash in ((A, "h"), (B, "h"), (C, "g")):
        news = court.tell(client, 0, hash)
    assert [row["faults"] for row in news["servers"]] == [0, 0, 1]


def test_after_three_wrong_votes_a_server_has_no_vote_until_it_was_right_for_long() -> None:
    court = Court()
    for _ in range(judges.FAULTS_MAX):
        court.play(A, B)
        court.tell(D, court.judge.step - 1, "bad")
        for client in (A, B):
            news = court.tell(client, court.judge.step - 1, "h")
    assert {row["client"]: row["state"] for row in news["servers"]}[D] == "barred"
    step = court.judge.step
    court.play(A, B)
    court.tell(A, step, "h")
    assert court.tell(D, step, "h")["committed"] == [step - 1, "h"]
    for _ in range(judges.RIGHT_STEPS):
        step = court.play(A, B)
        court.tell(D, step - 1, "h")
    assert court.judge.servers[D]["faults"] == 0


# --- captains ------------------------------------------------------------------------------


def test_captains_of_whom_nothing_is_heard_at_any_server_have_left(court: Court) -> None:
    court.ask(A, "submit", "one", "", 7, [], 1, 0)
    court.ask(B, "submit", "two", "", 8, [], 1, 0)
    for _ in range(20):
        for client in (A, B):
            court.tell(client, court.judge.step - 1, "h", heard=[[8, 0.0]])
        step = court.play(A, B)
    assert [gone for _entries, gone in court.judge.log.values() if gone] == [[7]]
    assert step == 20


def test_a_captain_whose_pages_come_seldom_stays_for_three_of_them(court: Court) -> None:
    court.tell(A, 0, "h", heard=[[7, 100.0]])
    for _ in range(59):
        court.play(A, B)
    assert 7 in court.judge.captains[A]
    for _ in range(2):
        court.play(A, B)
    assert 7 not in court.judge.captains[A]


def test_captains_stay_while_the_game_is_not_there(court: Court) -> None:
    court.ask(A, "submit", "one", "", 7, [], 1, 0)
    court.play(A, B)
    court.now += 3_600.0
    court.play(A, B)
    assert 7 in court.judge.captains[A]


def test_a_server_that_invents_captains_sends_nobody_away(court: Court) -> None:
    court.ask(A, "submit", "one", "", 7, [], 1, 0)
    for first in range(1_000, 31_000, requests.HEARD_MAX):
        invented = [[first + number, 0.0] for number in range(requests.HEARD_MAX)]
        court.tell(D, 0, heard=invented)
    assert len(court.judge.captains[D]) == judges.CAPTAINS_MAX
    court.play(A, B)
    assert court.judge.log[1][1] == []
    assert 7 in court.judge.captains[A]


def test_a_captain_stays_while_one_server_hears_him_and_leaves_once(court: Court) -> None:
    court.ask(A, "submit", "one", "", 7, [], 1, 0)
    court.tell(B, 0, "h", heard=[[7, 60.0]])
    for _ in range(34):
        court.play(A, B)
    assert 7 not in court.judge.captains[A]
    for _ in range(4):
        court.play(A, B)
    assert [step for step, (_, gone) in court.judge.log.items() if gone == [7]] == [36]


def test_captains_at_a_server_have_a_bound_and_one_more_is_told(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "CAPTAINS_MAX", 2)
    for captain in (1, 2, 1):
        court.ask(A, "submit", "one", "", captain, [], 1, 0)
    with pytest.raises(Overloaded, match=r"^Too many captains at this server; go on at another"):
        court.ask(A, "submit", "one", "", 3, [], 1, 0)
    court.ask(B, "submit", "one", "", 3, [], 1, 0)
    assert len(court.judge.entries) == 4


def test_captains_who_leave_together_are_told_over_several_steps(court: Court) -> None:
    court.tell(D, 0, heard=[[number, 0.0] for number in range(1, 1_201)])
    for _ in range(25):
        court.play(A, B)
    gone = [len(gone) for _entries, gone in court.judge.log.values() if gone]
    assert gone == [judges.GONE_MAX, judges.GONE_MAX, 200]


# --- bounds --------------------------------------------------------------------------------


def test_entries_are_forgotten_when_servers_say_that_they_saved_what_came_of_them() -> None:
    court = Court()
    for _ in range(judges.KEY_STEPS + 10):
        court.play(A, B, C)
    assert court.judge.oldest == 1
    for client, saved in ((A, 5), (B, 10**9), (C, 8), (D, 6)):
        court.tell(client, court.judge.step - 1, "h", saved=saved)
    court.now += INTERVAL
    news = court.ask(A, "close", court.judge.step, 1, 0, told(A, court.judge.step - 1, saved=5))
    # One of the two that have saved most may lie.
    assert news["oldest"] == 9


def test_entries_are_forgotten_beyond_a_bound_whatever_servers_say(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "LOG_STEPS_MAX", 4)
    for _ in range(10):
        court.play(A, B)
    assert len(court.judge.log) == 4


@pytest.mark.parametrize(
    "more",
    [
        {"hash": "h" * 65}, {"hash": 5}, {"saved": "x"}, {"name": None}, {"heard": [[1]]},
        {"heard": [[0, 1.0]]}, {"heard": [[7, 1e9]]}, {"heard": [[7, 1.0]] * 2_001}, {"own": 1},
        {"saved": 2**62}, {"saved": -1}, {"step": 10**400}, {"step": -2}, {"hash": "\u00e9"},
    ],
    ids=[
        "long", "number", "text", "none", "short", "nobody", "seldom", "many", "more",
        "saved", "never saved", "step", "before", "accent",
    ],
)  # fmt: skip
def test_a_report_that_is_none_is_refused_and_changes_nothing(
    court: Court, more: dict[str, Any]
) -> None:
    with pytest.raises(BadValueError):
        court.ask(A, "report", 1, 0, {**told(A, 0), **more})
    assert court.judge.servers == {}
    assert court.judge.captains == {}


def test_a_game_has_so_many_servers_at_most(court: Court) -> None:
    for number in range(requests.SERVERS_MAX):
        court.tell(f"client-{number}", 0)
    with pytest.raises(Overloaded, match=r"^a game has 16 servers at most$"):
        court.tell("client-more", 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("0",), "interval is 0.05 to 60 seconds"),
        (("5", "42", "liars=0"), "liars is 1 to 3"),
        (("5", "42", "liars=1", "liars=2"), "liars is 1 to 3"),
        (("5", "42", "sample=3"), "sample: a game on SolidState has no such settings"),
        (("5", "42", "colour=red"), "a game has no setting 'colour'"),
    ],
)
def test_a_word_that_is_wrong_is_told_with_what_it_may_be(
    words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadValueError, match=re.escape(said)):
        Court(*words)


def test_all_that_the_judge_holds_are_values(court: Court) -> None:
    court.ask(A, "submit", "one", "key", 7, [], 1, 0)
    court.play(A, B)
    held = vars(court.judge)
    assert vista.decode_value(vista.encode_value(held)) == held


# --- badges --------------------------------------------------------------------------------


def submit(court: Court, client: str, badge: list[Any], captain: int = 7) -> Any:
    return court.ask(client, "submit", "one", "", captain, badge, 1, 0)


def badge(secret: str, client: str) -> list[Any]:
    return requests.badge_of(secret, client, (A, B, C, D))


def test_a_captain_goes_to_any_server_with_his_secret(court: Court) -> None:
    for client in (A, B, A, C):
        submit(court, client, badge("secret", client))
    assert len(court.judge.entries) == 4


def test_a_server_where_a_captain_never_was_cannot_order_in_his_name(court: Court) -> None:
    submit(court, A, badge("secret", A))
    stolen = [court.judge.badges[7][B], {}]
    for tried in ([], ["", {}], badge("other", B), badge("secret", A), stolen):
        with pytest.raises(AccessDenied, match=r"^This server does not know you"):
            submit(court, B, tried)
    assert len(court.judge.entries) == 1


def test_a_server_that_knows_a_captain_may_let_him_to_one_that_came_later(court: Court) -> None:
    submit(court, A, requests.badge_of("secret", A, (A, B)))
    with pytest.raises(AccessDenied):
        submit(court, C, badge("secret", C))
    submit(court, A, badge("secret", A))
    submit(court, C, badge("secret", C))
    assert len(court.judge.entries) == 3


def test_a_liar_does_not_change_the_badge_of_a_captain(court: Court) -> None:
    submit(court, A, badge("secret", A))
    with pytest.raises(AccessDenied):
        submit(court, D, ["", {B: requests.lock_of("mine"), D: requests.lock_of("mine")}])
    submit(court, B, badge("secret", B))


def test_badges_of_one_server_push_out_only_its_own(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "BADGES_MAX", 2)
    submit(court, A, badge("secret", A), captain=100)
    for captain in (1, 2):
        submit(court, D, badge(f"secret {captain}", D), captain=captain)
    for _ in range(19):
        court.play(A, B)
    submit(court, D, badge("secret 3", D), captain=3)
    assert sorted(court.judge.badges) == [2, 3, 100]


def test_the_badge_of_a_captain_who_is_there_is_not_pushed_out(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "BADGES_MAX", 3)
    for captain in (1, 2, 3):
        submit(court, A, badge(f"secret {captain}", A), captain=captain)
    with pytest.raises(Overloaded, match=r"^Too many captains at this server; go on at another"):
        submit(court, A, badge("secret 4", A), captain=4)
    for _ in range(19):
        for client in (A, B):
            court.tell(client, court.judge.step - 1, "h", heard=[[1, 0.0], [3, 0.0]])
        court.play(A, B)
    submit(court, A, badge("secret 4", A), captain=4)
    assert sorted(court.judge.badges) == [1, 3, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        5, ["a"], ["a", []], [5, {}], ["a" * 65, {}], ["a", {"b": 5}],
        ["a", dict.fromkeys("abcdefghijklmnopq", "b")],
    ],
    ids=["number", "short", "list", "token", "long", "lock", "many"],
)  # fmt: skip
def test_what_is_no_badge_is_refused(court: Court, wrong: Any) -> None:
    with pytest.raises(BadValueError):
        submit(court, A, wrong)
    assert court.judge.badges == {}
