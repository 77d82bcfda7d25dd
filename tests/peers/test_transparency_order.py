"""Who sends, in which order messages arrive and who waits for whom, wherever objects live."""

from __future__ import annotations

import random
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, until
from tests.peers.conftest import PlaceMaker
from tests.peers.places import Place
from tests.peers.travellers import (
    Annotator,
    Chamber,
    Traveller,
)
from vista.errors import (
    DeadlockError,
    Overloaded,
)

MIXED = 1_000


# --- from every kind of method -------------------------------------------------------------


WAYS = ["ask", "ask_later", "ask_async", "ask_native", "ask_native_later"]


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_method_sends_to_a_far_object(place: Place, way: str) -> None:
    counter = place.create(Counter, 3)
    assert vista.send(vista.create(Traveller), way, counter, "increment", 4) == 7


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_far_method_sends_to_a_near_object(place: Place, way: str) -> None:
    own = vista.create(Counter, 3)
    assert vista.send(place.create(Traveller), way, own, "increment", 4) == 7


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_method_gets_the_exception(place: Place, way: str) -> None:
    counter = place.create(Counter)
    with pytest.raises(TypeError):
        vista.send(vista.create(Traveller), way, counter, "increment", "no number")


def test_a_coroutine_gathers_calls(place: Place) -> None:
    counters = [place.create(Counter, number) for number in range(3)]
    assert vista.create(Traveller).ask_async_side_by_side(counters) == [0, 1, 2]


@pytest.mark.parametrize("way", ["ask_self", "ask_self_by_text"])
def test_an_object_sends_to_itself_by_its_id(place: Place, way: str) -> None:
    assert vista.send(place.create(Traveller), way, "introduce") == ["traveller", "fine"]


# --- who sent ------------------------------------------------------------------------------


def test_an_object_knows_who_sent_to_it(place: Place) -> None:
    traveller, own = place.create(Traveller), vista.create(Traveller)
    assert own.ask(traveller, "tell_sender") == own
    assert own.ask_async(traveller, "tell_sender") == own
    assert own.ask_later(traveller, "tell_sender") == own
    assert own.ask_native(traveller, "tell_sender") == own
    assert own.ask_native_later(traveller, "tell_sender") == own


def test_an_object_on_its_own_is_its_own_sender(place: Place) -> None:
    traveller = place.create(Traveller)
    assert traveller.ask_self("tell_sender") == traveller


def test_code_outside_is_no_sender(place: Place) -> None:
    traveller = place.create(Traveller)
    assert traveller.tell_sender() is None
    assert place.run(lambda: traveller.tell_sender()) is None


def test_a_post_has_no_sender(place: Place) -> None:
    traveller, own, journal = (
        place.create(Traveller),
        vista.create(Traveller),
        place.create(Journal),
    )
    own.tell(traveller, "note_sender", journal)
    assert until(journal.read) == [None]


def test_a_far_object_may_answer_its_sender(place: Place) -> None:
    traveller, own = place.create(Traveller), vista.create(Traveller, "near")
    sender = own.ask(traveller, "tell_sender")
    assert traveller.ask(sender, "introduce") == ["near", "fine"]


@pytest.mark.parametrize("user", ["operator", "anna", "Åsa Öberg"])
def test_an_object_knows_in_whose_name_it_runs(place: Place, user: str) -> None:
    traveller, own = place.create(Traveller), vista.create(Traveller)
    for way in ("ask", "ask_async", "ask_native", "ask_later"):
        work = lambda way=way: vista.send(own, way, traveller, "tell_user")  # noqa: E731
        assert place.run(work, user=user) == user
    assert place.run(lambda: traveller.ask(own, "tell_user"), user=user) == user


# --- order ---------------------------------------------------------------------------------


def test_a_call_does_not_overtake_the_senders_posts(place: Place) -> None:
    journal = place.create(Journal)

    def work() -> Any:
        for number in range(20):
            journal.write.post(number)
        journal.write("call")
        return journal.read()

    assert place.run(work) == [*range(20), "call"]


def test_large_messages_are_not_overtaken_by_small_ones(place: Place) -> None:
    journal = place.create(Journal)
    for number in range(5):
        journal.write.post([number, b"x" * 300_000])
        journal.write.post([number, b""])
    journal.write([5, b""])
    assert [number for number, _ in journal.read()] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]


def test_a_thousand_mixed_messages_of_each_sender_arrive_in_order(place: Place) -> None:
    journal, dice = place.create(Journal), random.Random(place.world.seed)

    def send_all(name: str) -> None:
        calls = []
        for number in range(MIXED // 2):
            how = dice.choice(["post", "post", "future", "call"])
            if how == "post":
                journal.write.post([name, number])
            elif how == "future":
                calls.append(journal.write.future([name, number]))
            else:
                journal.write([name, number])
        vista.gather(*calls)

    started = [place.near.spawn(send_all, name) for name in ("one", "other")]
    vista.gather(*started)
    until(lambda: len(journal.read()) == MIXED)
    entries = journal.read()
    for name in ("one", "other"):
        assert [number for who, number in entries if who == name] == list(range(MIXED // 2))


def test_a_coroutine_that_sends_side_by_side_keeps_its_order(place: Place) -> None:
    journal, pen = place.create(Journal), vista.create(Annotator)
    pen.write_all(journal, 30)
    assert journal.read() == list(range(30))


# --- one at a time -------------------------------------------------------------------------


def test_a_thread_that_waits_lets_the_next_one_in(place: Place) -> None:
    chamber, gate = place.create(Chamber), vista.create(Gate)
    waiting = chamber.visit.future("first", gate)
    until(lambda: gate.count() == 1)
    assert chamber.enter("second") == "second"
    gate.open()
    waiting.result()
    assert chamber.look() == ["first", "second", "first again"]


def test_an_exclusive_method_keeps_others_out(place: Place) -> None:
    chamber, gate = place.create(Chamber), vista.create(Gate)
    keeping = chamber.keep.future("first", gate)
    until(lambda: gate.count() == 1)
    second = chamber.enter.future("second")
    until(lambda: chamber.look() == ["first"])
    gate.open()
    vista.gather(keeping, second)
    assert chamber.look() == ["first", "first again", "second"]


def test_messages_that_wait_run_in_the_order_they_came(place: Place) -> None:
    chamber, gate = place.create(Chamber), vista.create(Gate)
    keeping = chamber.keep.future("first", gate)
    until(lambda: gate.count() == 1)
    calls = [chamber.enter.future(str(number)) for number in range(20)]
    gate.open()
    vista.gather(keeping, *calls)
    assert chamber.look()[2:] == [str(number) for number in range(20)]


def test_a_call_comes_back_into_its_own_chain(place: Place) -> None:
    own, other = vista.create(Chamber), place.create(Chamber)
    assert own.call_back(other, "enter", "back") == "back"
    assert other.call_back(own, "enter", "back") == "back"


def test_a_call_comes_back_into_its_own_chain_through_a_third_node(place: Place) -> None:
    own, other, third = (
        vista.create(Chamber),
        place.create(Chamber),
        vista.create(Chamber, at=place.third()),
    )
    assert own.call(other, "call_back", third, "enter", "back") == "back"
    assert own.call_back(other, "call", third, "look") == []


def test_a_preemptable_method_comes_back_into_what_its_chain_keeps(place: Place) -> None:
    own, other = vista.create(Chamber), place.create(Chamber)
    assert own.keep_and_call_back(other, "look") == []


@pytest.mark.parametrize("first", ["near", "far"])
def test_a_call_back_into_what_its_chain_keeps_is_a_deadlock(place: Place, first: str) -> None:
    own, other = vista.create(Chamber), place.create(Chamber)
    if first == "far":
        own, other = other, own
    with pytest.raises(DeadlockError, match=r"Chamber\.enter.*kept by this chain"):
        own.keep_and_call_back(other, "enter", "never")
    assert own.enter("after") == "after"


def test_a_deadlock_through_a_third_node_is_found(place: Place) -> None:
    own, other, third = (
        vista.create(Chamber),
        place.create(Chamber),
        vista.create(Chamber, at=place.third()),
    )
    with pytest.raises(DeadlockError, match="kept by this chain"):
        own.keep_and_call(other, "call", third, "call", own, "enter", "never")


def test_who_gets_a_deadlock_may_go_on(place: Place) -> None:
    own, other = vista.create(Chamber), place.create(Chamber)
    assert own.keep_and_call(other, "call_and_survive", own, "enter", "never") == "survived"


# --- chains and bounds ---------------------------------------------------------------------


def test_a_long_chain_to_and_fro_ends(place: Place) -> None:
    own, other = vista.create(Chamber), place.create(Chamber)
    assert own.bounce_until(other, 50) == 50


def test_endless_calls_to_and_fro_end_by_a_bound(make_place: PlaceMaker) -> None:
    # A slow network takes half a minute for as many calls as may wait for one another, and may be
    # silent meanwhile for longer than a link usually is.
    place = make_place(call_seconds=300.0, loss_seconds=25.0)
    own, other = vista.create(Chamber), place.create(Chamber)
    with pytest.raises(Overloaded, match="a chain of"):
        own.bounce(other)
    assert own.bounce_until(other, 3) == 3


def test_endless_calls_of_an_object_to_itself_end_by_a_bound(place: Place) -> None:
    chamber = place.create(Chamber)
    with pytest.raises(Overloaded, match="a chain of"):
        chamber.bounce(chamber)


def test_a_post_to_a_full_mailbox_is_refused_here_and_counted_there(make_place: Any) -> None:
    place = make_place(mailbox_messages_max=10)
    chamber, gate = place.create(Chamber), vista.create(Gate)
    keeping = chamber.keep.future("first", gate)
    until(lambda: gate.count() == 1)
    before = place.far.call(vista.statistics)
    refused = 0
    for number in range(15):
        try:
            chamber.enter.post(str(number))
        except Overloaded:
            refused += 1
    # What is lost elsewhere, nobody here can know when he sends.
    lost = 0 if not place.hops else 5
    until(
        lambda: (
            place.far.call(vista.statistics)["posts_lost"] - before["posts_lost"] == lost
            and place.far.call(vista.statistics)["overloads"] - before["overloads"] == 5
        )
    )
    assert refused == 5 - lost
    gate.open()
    keeping.result()
    until(lambda: chamber.look()[2:] == [str(number) for number in range(10)])


def test_a_full_mailbox_refuses_calls(make_place: Any) -> None:
    place = make_place(mailbox_messages_max=10)
    chamber, gate = place.create(Chamber), vista.create(Gate)
    keeping = chamber.keep.future("first", gate)
    until(lambda: gate.count() == 1)
    calls = [chamber.enter.future(str(number)) for number in range(10)]
    with pytest.raises(Overloaded, match="mailbox_messages_max"):
        chamber.enter.future("late").result()
    with pytest.raises(Overloaded, match="mailbox_messages_max"):
        chamber.enter("later")
    gate.open()
    vista.gather(keeping, *calls)
    assert len(chamber.look()) == 12
