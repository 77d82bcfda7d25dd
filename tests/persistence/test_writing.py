"""What is written when: the `Writer` by itself, told what happened and what time it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vista.persistence.store import Batch, Row
from vista.persistence.writing import (
    Changed,
    Done,
    Effect,
    Event,
    Failed,
    Passed,
    Refused,
    Safe,
    Wanted,
    Write,
    Writer,
)

DELAY = 0.5


def make(objects_max: int = 100, bytes_max: int = 1000) -> Writer:
    """A writer whose pauses end at four seconds."""
    return Writer(DELAY, objects_max, bytes_max, 4.0)


def row(key: bytes, data: bytes = b"data", durable: bool = False) -> Row:
    """A row of an object."""
    return Row(key, 0, durable, (), b"", data)


def changed(key: bytes, data: bytes = b"data", durable: bool = False) -> Changed:
    """The event that an object has another state."""
    return Changed(key, row(key, data, durable), durable)


def batches(effects: list[Effect]) -> list[Batch]:
    """The batches to be written."""
    return [effect.batch for effect in effects if isinstance(effect, Write)]


def keys(effects: list[Effect]) -> list[bytes]:
    """The keys of the rows to be written."""
    return [one.key for batch in batches(effects) for one in batch.rows]


def test_a_change_waits_for_others_until_the_delay_is_over() -> None:
    writer = make()
    assert writer.handle(changed(b"a"), 0.0) == []
    assert writer.handle(changed(b"b"), 0.4) == []
    assert writer.next_deadline() == DELAY
    assert keys(writer.handle(Passed(), 0.5)) == [b"a", b"b"]
    assert writer.next_deadline() is None


def test_a_durable_change_is_written_at_once_with_what_waits() -> None:
    writer = make()
    writer.handle(changed(b"a"), 0.0)
    (batch,) = batches(writer.handle(changed(b"b", durable=True), 0.1))
    assert [one.key for one in batch.rows] == [b"a", b"b"]
    assert batch.durable


def test_of_several_states_only_the_last_is_written() -> None:
    writer = make()
    writer.handle(changed(b"a", b"1"), 0.0)
    writer.handle(changed(b"a", b"2"), 0.1)
    (batch,) = batches(writer.handle(Passed(), 1.0))
    assert [one.data for one in batch.rows] == [b"2"]


def test_an_object_that_goes_is_removed_and_not_written() -> None:
    writer = make()
    writer.handle(changed(b"a"), 0.0)
    writer.handle(Changed(b"a", None, False), 0.1)
    assert batches(writer.handle(Passed(), 1.0)) == [Batch((), (b"a",), False)]


def test_one_batch_is_under_way_at_a_time() -> None:
    writer = make()
    writer.handle(changed(b"a", durable=True), 0.0)
    assert writer.handle(changed(b"b", durable=True), 0.1) == []
    assert writer.next_deadline() is None
    safe, write = writer.handle(Done(), 0.2)
    assert safe == Safe((b"a",), 1)
    assert keys([write]) == [b"b"]


def test_a_state_later_than_the_batch_is_not_safe_with_it() -> None:
    writer = make()
    writer.handle(changed(b"a", b"1", durable=True), 0.0)
    writer.handle(changed(b"a", b"2", durable=True), 0.1)
    assert writer.number_of(b"a") == 2
    safe, _ = writer.handle(Done(), 0.2)
    assert safe == Safe((b"a",), 1)
    assert writer.number_of(b"a") == 2
    writer.handle(Done(), 0.3)
    assert writer.number_of(b"a") is None
    assert writer.is_idle


def test_changes_up_to_a_number_are_safe_however_often_the_object_changes_on() -> None:
    writer = make()
    writer.handle(changed(b"a", b"1", durable=True), 0.0)
    number = writer.last_number
    writer.handle(changed(b"a", b"2"), 0.1)
    assert not writer.is_safe_up_to(number)
    writer.handle(Done(), 0.2)
    assert writer.is_safe_up_to(number)
    assert not writer.is_safe_up_to(writer.last_number)


def test_a_later_state_stands_for_the_earlier_ones_that_wait_with_it() -> None:
    writer = make()
    writer.handle(changed(b"b", durable=True), 0.0)
    writer.handle(changed(b"a", b"1"), 0.0)
    number = writer.last_number
    writer.handle(changed(b"a", b"2"), 0.1)
    writer.handle(Done(), 0.2)
    assert not writer.is_safe_up_to(number)


def test_what_failed_is_not_safe_by_a_later_state_that_waits() -> None:
    writer = make()
    writer.handle(changed(b"a", b"1", durable=True), 0.0)
    number = writer.last_number
    writer.handle(changed(b"a", b"2"), 0.1)
    writer.handle(Failed("full"), 0.2)
    assert not writer.is_safe_up_to(number)


def test_nobody_waits_for_a_change_that_is_not_durable() -> None:
    writer = make()
    writer.handle(changed(b"a"), 0.0)
    assert writer.number_of(b"a") is None


def test_a_change_after_a_durable_one_that_waits_is_waited_for_too() -> None:
    writer = make()
    writer.handle(changed(b"x", durable=True), 0.0)
    writer.handle(changed(b"a", durable=True), 0.0)
    writer.handle(changed(b"a"), 0.0)
    assert writer.number_of(b"a") == 3


def test_a_batch_is_bounded_in_objects_and_the_rest_follows() -> None:
    writer = make(objects_max=2)
    for key in (b"a", b"b", b"c"):
        writer.handle(changed(key), 0.0)
    assert keys(writer.handle(Passed(), 1.0)) == [b"a", b"b"]
    assert keys(writer.handle(Done(), 1.1)) == [b"c"]


def test_a_batch_is_bounded_in_bytes_but_takes_one_object_in_any_case() -> None:
    writer = make(bytes_max=10)
    writer.handle(changed(b"a", bytes(50)), 0.0)
    writer.handle(changed(b"b", bytes(5)), 0.0)
    assert keys(writer.handle(Passed(), 1.0)) == [b"a"]
    assert keys(writer.handle(Done(), 1.0)) == [b"b"]


def test_what_failed_is_tried_again_after_pauses_that_double() -> None:
    writer = make()
    writer.handle(changed(b"a"), 0.0)
    now, pauses = 0.5, []
    for _ in range(6):
        assert keys(writer.handle(Passed(), now)) == [b"a"]
        assert writer.handle(Failed("full"), now) == [Refused((b"a",), 1, "full")]
        due = writer.next_deadline()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_what_failed_is_tried_again_at_once_when_somebody_needs_it() -> None:
    writer = make()
    writer.handle(changed(b"a", durable=True), 0.0)
    writer.handle(Failed("full"), 0.1)
    assert keys(writer.handle(Wanted(b"a"), 0.2)) == [b"a"]


def test_a_later_state_takes_the_place_of_one_that_failed() -> None:
    writer = make()
    writer.handle(changed(b"a", b"1", durable=True), 0.0)
    writer.handle(changed(b"a", b"2", durable=True), 0.1)
    refused, write = writer.handle(Failed("full"), 0.2)
    assert refused == Refused((b"a",), 1, "full")
    assert [one.data for one in batches([write])[0].rows] == [b"2"]


def test_an_object_that_cannot_be_written_holds_up_no_other() -> None:
    writer = make()
    writer.handle(changed(b"x"), 0.0)
    writer.handle(changed(b"bad"), 0.0)
    writer.handle(changed(b"y"), 0.0)
    written, now = [], 0.5
    effects = writer.handle(Passed(), now)
    for _ in range(20):
        batch = batches(effects)
        if not batch:
            due = writer.next_deadline()
            assert due is not None
            now = due
            effects = writer.handle(Passed(), now)
            continue
        names = [one.key for one in batch[0].rows]
        if b"bad" in names:
            effects = writer.handle(Failed("too large"), now)
        else:
            written += names
            effects = writer.handle(Done(), now)
    assert sorted(written) == [b"x", b"y"]


def test_two_that_cannot_be_written_are_not_tried_without_end() -> None:
    writer = make()
    writer.handle(changed(b"a", durable=True), 0.0)
    writer.handle(changed(b"b", durable=True), 0.0)
    tried, effects = 0, writer.handle(Failed("full"), 0.0)
    while batches(effects):
        tried += 1
        assert tried < 10
        effects = writer.handle(Failed("full"), 0.0)
    assert writer.next_deadline() is not None


def test_a_flush_writes_everything_at_once() -> None:
    writer = make(objects_max=1)
    writer.handle(changed(b"a"), 0.0)
    writer.handle(changed(b"b"), 0.0)
    assert keys(writer.handle(Wanted(None), 0.1)) == [b"a"]
    assert keys(writer.handle(Done(), 0.1)) == [b"b"]


def test_at_the_end_everything_not_known_to_be_safe_is_returned() -> None:
    writer = make(objects_max=2)
    writer.handle(changed(b"a", b"1", durable=True), 0.0)
    for key in (b"b", b"c", b"d"):
        writer.handle(changed(key), 0.0)
    left = writer.take_all()
    assert [[one.key for one in batch.rows] for batch in left] == [[b"a", b"b"], [b"c", b"d"]]
    assert writer.is_idle


EVENTS = st.lists(
    st.one_of(
        st.builds(
            changed, st.sampled_from([b"a", b"b", b"c"]), st.binary(max_size=4), st.booleans()
        ),
        st.builds(Changed, st.sampled_from([b"a", b"b"]), st.none(), st.booleans()),
        st.builds(Wanted, st.sampled_from([b"a", b"b", None])),
        st.just(Done()),
        st.just(Failed("full")),
        st.just(Passed()),
    ),
    max_size=60,
)


@given(EVENTS)
def test_whatever_happens_the_store_has_the_last_states_in_the_end(events: list[Event]) -> None:
    writer, stored, last = make(objects_max=2), dict[bytes, Row](), dict[bytes, Row | None]()
    under_way: Batch | None = None
    now = 0.0
    for event in [*events, *[Done(), Passed()] * 20]:
        now += 5.0
        if isinstance(event, Done | Failed):
            if under_way is None:
                continue
            if isinstance(event, Done):
                for key in under_way.removed:
                    stored.pop(key, None)
                stored.update((one.key, one) for one in under_way.rows)
            under_way = None
        if isinstance(event, Changed):
            last[event.key] = event.row
        for effect in writer.handle(event, now):
            if isinstance(effect, Write):
                assert under_way is None
                under_way = effect.batch
    assert writer.is_idle
    assert stored == {key: one for key, one in last.items() if one is not None}
