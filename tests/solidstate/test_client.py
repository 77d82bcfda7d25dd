"""The client: OSDI 1999, section 4.1, and whom it does not believe."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.canonical import digest_of, pack, unpack
from apps.solidstate.pbft.effects import Answer
from apps.solidstate.pbft.events import Ask, Received, Tick
from apps.solidstate.pbft.messages import Reply, Request
from tests.solidstate.lab import ROOT, Lab, sent
from vista import LocalProtocolError


class Desk:
    """One client that is asked for something, and the replies a test gives it."""

    def __init__(self, read_only: bool = False, **settings: object) -> None:
        self.lab = Lab(**settings)
        self.client = self.lab.clients["ann"]
        effects = self.client.handle(Ask(pack(["get", "a"]), read_only), 1000.0)
        self.requests: list[Request] = sent(effects, Request)
        self.timestamp = self.requests[0].timestamp

    def reply(
        self,
        replica: int,
        result: bytes = b"right",
        full: bool = True,
        view: int = 0,
        **changes: object,
    ) -> list[Answer]:
        """Have a replica reply; return the answers that come of it."""
        fields: dict[str, object] = {
            "view": view,
            "client": "ann",
            "timestamp": self.timestamp,
            "ordered": True,
            "result_digest": digest_of(result),
            "result": result if full else None,
        }
        reply = Reply(**{**fields, **changes})  # type: ignore[arg-type]
        effects = self.client.handle(Received(replica, reply), 1000.0)
        return [effect for effect in effects if isinstance(effect, Answer)]


def reads_ordered(
    desk: Desk, replica: int, result: bytes = b"x", **changes: object
) -> list[Request]:
    """Have a replica answer a read; return the requests that the client sends for it."""
    full = bool(changes.pop("full", True))
    fields: dict[str, object] = {"result_digest": digest_of(result), **changes}
    told = result if full else None
    reply = Reply(0, "ann", desk.timestamp, ordered=False, result=told, **fields)  # type: ignore[arg-type]
    return sent(desk.client.handle(Received(replica, reply), 1000.0), Request)[:1]


def chosen_for_reads(desk: Desk, start: float, answering: set[int]) -> set[int]:
    """Have forty reads go unanswered, and be ordered; return whom each then chose for the next."""
    chosen: set[int] = set()
    for now in map(float, range(int(start), int(start) + 40)):
        (ordered,) = {one.timestamp for one in sent(desk.client.handle(Tick(), now), Request)}
        for member in answering:
            reply = Reply(0, "ann", ordered, True, digest_of(b"x"), b"x")
            desk.client.handle(Received(member, reply), now)
        asked = sent(desk.client.handle(Ask(pack(["get", "a"]), True), now), Request)
        chosen.add(asked[0].replier)
    return chosen


def test_4_1_a_request_goes_to_the_primary_first() -> None:
    assert len(Desk().requests) == 1


def test_4_1_f_plus_1_equal_replies_make_a_result() -> None:
    desk = Desk()
    assert desk.reply(1) == []
    (answer,) = desk.reply(2)
    assert answer.result == b"right"
    assert not desk.client.busy


def test_4_1_replies_of_one_replica_count_once() -> None:
    desk = Desk()
    assert [desk.reply(1) for _ in range(3)] == [[], [], []]


def test_a_digest_and_one_full_result_are_enough() -> None:
    desk = Desk()
    assert desk.reply(1, full=False) == []
    assert len(desk.reply(2)) == 1


def test_digests_without_a_full_result_are_not_enough() -> None:
    desk = Desk()
    assert [desk.reply(number, full=False) for number in range(4)] == [[]] * 4


def test_a_full_result_that_is_not_of_its_digest_is_dropped() -> None:
    desk = Desk()
    assert desk.reply(0, b"right", full=False) == []
    assert desk.reply(1, b"wrong", result_digest=digest_of(b"right")) == []
    assert len(desk.reply(2)) == 1


@pytest.mark.parametrize("changes", [{"timestamp": 1}, {"client": "bob"}, {"ordered": False}])
def test_replies_to_something_else_do_not_count(changes: dict[str, object]) -> None:
    desk = Desk()
    assert [desk.reply(number, **changes) for number in range(4)] == [[]] * 4  # type: ignore[arg-type]


def test_4_1_without_a_result_in_time_the_request_goes_to_all() -> None:
    desk = Desk()
    again = desk.client.handle(Tick(), 1000.6)
    assert sent(again, Request) == desk.requests * 4


def test_the_wait_doubles_up_to_its_most() -> None:
    desk = Desk()
    now, waits = 1000.0, []
    for _ in range(7):
        waits.append(round(desk.client.next_deadline() - now, 6))
        now = desk.client.next_deadline()
        desk.client.handle(Tick(), now)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_the_view_is_one_that_f_plus_1_replicas_reached() -> None:
    desk = Desk()
    desk.reply(0, view=999)
    (answer,) = desk.reply(1, view=2)
    assert answer.view == 2


def test_the_next_request_goes_to_the_primary_of_the_view_it_learnt() -> None:
    desk = Desk()
    desk.reply(0, view=2)
    desk.reply(1, view=2)
    (effect,) = desk.client.handle(Ask(b"x"), 1001.0)
    assert effect.to == 2  # type: ignore[union-attr]


def test_a_second_request_at_the_same_time_is_refused() -> None:
    desk = Desk()
    with pytest.raises(LocalProtocolError, match=r"one thing at a time"):
        desk.client.handle(Ask(b"x"), 1000.0)


def test_timestamps_grow_also_when_the_clock_does_not() -> None:
    desk = Desk()
    desk.reply(0)
    desk.reply(1)
    (effect,) = desk.client.handle(Ask(b"x"), 900.0)
    assert effect.message.timestamp == desk.timestamp + 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("faults", "limit"), [(0, 2), (1, 2), (2, 3), (3, 4), (9, 4)])
def test_the_wait_limit_is_between_f_plus_1_and_all(faults: int, limit: int) -> None:
    assert Desk().client.raise_wait_limit(faults) == limit


def test_a_raised_wait_limit_holds_until_the_first_retransmission() -> None:
    desk = Desk()
    desk.client.raise_wait_limit(3)
    assert [desk.reply(number) for number in range(3)] == [[], [], []]
    answers = [one for one in desk.client.handle(Tick(), 1001.0) if isinstance(one, Answer)]
    assert len(answers) == 1


def test_a_fast_read_goes_to_all_and_takes_2f_plus_1() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    assert len(desk.requests) == 4
    assert [desk.reply(number, ordered=False) for number in (0, 1)] == [[], []]
    assert len(desk.reply(2, ordered=False)) == 1


def test_with_fast_reads_writes_take_2f_plus_1_as_well() -> None:
    desk = Desk(fast_reads=True)
    assert [desk.reply(number) for number in (0, 1)] == [[], []]
    assert len(desk.reply(2)) == 1


def test_with_fast_reads_an_administrator_believes_f_plus_1() -> None:
    lab = Lab(fast_reads=True)
    client = lab.clients[ROOT]
    (request,) = sent(client.handle(Ask(b"change"), 1000.0), Request)
    reply = Reply(0, ROOT, request.timestamp, True, digest_of(b"done"), b"done")
    assert client.handle(Received(0, reply), 1000.0) == []
    (answer,) = client.handle(Received(1, reply), 1000.0)
    assert isinstance(answer, Answer) and answer.result == b"done"


def test_a_fast_read_without_equal_answers_is_ordered() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    (request,) = sent(desk.client.handle(Tick(), 1000.6), Request)
    assert not request.read_only and request.timestamp > desk.timestamp


def test_a_fast_read_whose_answers_can_no_longer_agree_is_ordered_at_once() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    assert reads_ordered(desk, 0, b"old") == []
    (request,) = reads_ordered(desk, 1, b"new") or reads_ordered(desk, 2, b"newest")
    assert not request.read_only and request.timestamp > desk.timestamp


def test_a_fast_read_is_not_ordered_while_one_answer_differs_and_another_is_to_come() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    asked = [reads_ordered(desk, number, b"new") for number in (0, 1)]
    assert [*asked, reads_ordered(desk, 3, b"old")] == [[], [], []]
    assert len(desk.reply(2, b"new", ordered=False)) == 1


def test_a_fast_read_that_nobody_gave_in_full_is_ordered_when_all_have_answered() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    asked = [reads_ordered(desk, number, b"new", full=False) for number in range(3)]
    assert asked == [[], [], []]
    (request,) = reads_ordered(desk, 3, b"old")
    assert not request.read_only


def test_replicas_that_do_not_read_have_a_read_ordered_at_once() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    refusal: dict[str, object] = {"result_digest": b"", "full": False}
    assert reads_ordered(desk, 0, **refusal) == []
    (request,) = reads_ordered(desk, 1, **refusal)
    assert not request.read_only


def test_refusals_to_read_are_no_equal_answers() -> None:
    desk = Desk(read_only=True, fast_reads=True, replicas=7)
    assert reads_ordered(desk, 0, result_digest=b"", full=False) == []
    assert [desk.reply(number, ordered=False) for number in range(1, 5)] == [[]] * 4
    assert len(desk.reply(5, ordered=False)) == 1


def test_who_left_a_read_without_its_result_is_not_chosen_until_it_is_heard() -> None:
    desk = Desk(read_only=True, fast_reads=True)
    silent = desk.requests[0].replier
    others = set(range(4)) - {silent}
    assert silent not in chosen_for_reads(desk, 1001.0, others)
    assert chosen_for_reads(desk, 1041.0, {*others, silent}) == {*others, silent}


def test_one_answers_a_fast_read_in_full_and_the_others_by_its_digest() -> None:
    lab = Lab(fast_reads=True, reply_digest_bytes=1)
    lab.ask("ann", "put", "a", b"1")
    told: list[bool] = []

    def hear(sender: object, to: object, message: object) -> bool:
        if isinstance(message, Reply) and not message.ordered:
            told.append(message.result is not None)
        return False

    lab.drops = hear
    lab.ask("bob", "get", "a", read_only=True)
    assert sorted(told) == [False, False, False, True]
    assert [unpack(one) for one in lab.answers["bob"]] == [["ok", b"1"]]


def test_a_fast_read_in_a_group_gives_what_was_written() -> None:
    lab = Lab(fast_reads=True)
    lab.ask("ann", "put", "a", b"1")
    lab.ask("bob", "get", "a", read_only=True)
    assert [unpack(one) for one in lab.answers["bob"]] == [["ok", b"1"]]
    assert lab.executed() == [1] * 4


def test_a_read_that_changes_something_is_ordered_at_once() -> None:
    lab = Lab(fast_reads=True)
    lab.ask("ann", "put", "a", b"1", read_only=True)
    assert [unpack(one) for one in lab.answers["ann"]] == [["ok", None]]


@pytest.mark.parametrize("liar", range(4))
def test_a_lying_replier_is_worked_round(liar: int) -> None:
    lab = Lab(reply_digest_bytes=1)
    lab.drops = lambda sender, to, message: sender == liar and isinstance(message, Reply)
    for number in range(8):
        lab.ask("ann", "put", f"key{number}", b"1")
        lab.pass_time(1.5)
    assert len(lab.answers["ann"]) == 8


def test_a_primary_that_crashes_costs_two_timeouts_at_most() -> None:
    lab = Lab()
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "a", b"2")
    assert len(lab.answers["ann"]) == 1
    lab.pass_time(2 * lab.config.view_seconds)
    assert [unpack(one) for one in lab.answers["ann"]] == [["ok", None], ["ok", b"1"]]
    assert lab.views()[1:] == [1] * 3


# --- who answers otherwise -----------------------------------------------------------------


def test_an_answer_that_differs_from_the_proven_one_is_counted() -> None:
    desk = Desk()
    desk.reply(3, b"wrong")
    desk.reply(1)
    assert desk.client.disagreed == {}
    desk.reply(2)
    assert desk.client.disagreed == {3: 1}


def test_an_answer_that_comes_after_the_proof_is_compared_with_it() -> None:
    desk = Desk()
    desk.reply(1)
    desk.reply(2)
    desk.reply(0)
    desk.reply(3, b"wrong")
    assert desk.client.disagreed == {3: 1}


@pytest.mark.parametrize(
    "changes", [{"tentative": True}, {"ordered": False}, {"client": "ben"}, {"timestamp": 1}]
)
def test_answers_in_which_good_replicas_may_differ_are_not_counted(
    changes: dict[str, object],
) -> None:
    desk = Desk()
    desk.reply(1)
    desk.reply(2)
    desk.reply(3, b"wrong", **changes)
    assert desk.client.disagreed == {}


def test_where_one_answer_is_a_proof_nobody_can_tell_who_is_wrong() -> None:
    desk = Desk(crash_only=True, replicas=3)
    desk.reply(1)
    desk.reply(2, b"another")
    assert desk.client.disagreed == {}


def test_somebody_who_is_no_replica_is_not_counted() -> None:
    desk = Desk()
    desk.reply(1)
    desk.reply(2)
    desk.reply(77, b"wrong")
    assert desk.client.disagreed == {}
