"""What every object answers and who watches it is the same, wherever it lives."""

from __future__ import annotations

import pytest

import vista
from tests.kernel.cast import Counter, Journal, filled, until
from tests.peers.places import Place
from tests.peers.travellers import (
    Chamber,
    Custodian,
    NoticeBoard,
    Obliging,
    Traveller,
)
from vista.errors import (
    BadValueError,
    CallTimeout,
    NoSuchService,
)
from vista.kernel.access import AccessControlList

# --- notification --------------------------------------------------------------------------


def test_a_watcher_is_told_of_changes(place: Place) -> None:
    counter, board = place.create(Counter), vista.create(NoticeBoard)
    counter.add_notify_when_modified(board)
    counter.increment(1)
    counter.get()
    counter.increment(1)
    id = vista.id_of(counter)
    assert filled(board.get_notices, 2) == [["modified", id]] * 2


def test_a_watcher_is_told_of_the_deletion(place: Place) -> None:
    counter, board = place.create(Counter), vista.create(NoticeBoard)
    counter.add_notify_when_modified(board)
    vista.delete(counter)
    assert until(board.get_notices) == [["deleted", vista.id_of(counter)]]


def test_a_far_watcher_is_told_of_a_near_object(place: Place) -> None:
    counter, board = vista.create(Counter), place.create(NoticeBoard)
    counter.add_notify_when_modified(vista.id_of(board))
    counter.increment(1)
    assert until(board.get_notices) == [["modified", vista.id_of(counter)]]


def test_a_watcher_that_watches_no_more_is_not_told(place: Place) -> None:
    counter, board = place.create(Counter), vista.create(NoticeBoard)
    counter.add_notify_when_modified(board)
    counter.remove_notify_when_modified(board)
    counter.increment(1)
    vista.sleep(1.0)
    assert board.get_notices() == []


def test_a_watcher_that_was_deleted_does_no_harm(place: Place) -> None:
    counter, board = place.create(Counter), vista.create(NoticeBoard)
    counter.add_notify_when_modified(board)
    vista.delete(board)
    assert counter.increment(1) == 1


# --- meta objects and unknown messages -----------------------------------------------------


def test_a_meta_object_answers_for_its_object(place: Place) -> None:
    counter, meta, own = place.create(Counter), vista.create(Custodian), vista.create(Chamber)
    counter.set_meta(meta)
    assert own.call(counter, "increment", 5) == "instead of increment"
    assert counter.anything.future(by=1).result() == "instead of anything"
    assert meta.get_given() == [
        [counter, "increment", [5], own, None],
        [counter, "anything", [], None, {"by": 1}],
    ]


@pytest.mark.parametrize("way", ["ask_native", "ask_async", "ask_later"])
def test_a_meta_object_is_told_who_sent(place: Place, way: str) -> None:
    counter, meta, own = place.create(Counter), vista.create(Custodian), vista.create(Traveller)
    counter.set_meta(meta)
    vista.send(own, way, counter, "get")
    assert meta.get_given() == [[counter, "get", [], own, None]]


def test_a_meta_object_passes_messages_on(place: Place) -> None:
    counter, meta = place.create(Counter), vista.create(Custodian, "call")
    counter.set_meta(meta)
    assert counter.increment(5) == 5
    assert counter.increment(by=2) == 7
    counter.set_meta(None)
    assert counter.get() == 7
    assert len(meta.get_given()) == 2


def test_a_meta_object_passes_messages_on_by_post(place: Place) -> None:
    counter, meta = place.create(Counter), vista.create(Custodian, "post")
    counter.set_meta(meta)
    counter.increment(5)
    counter.increment.post(2)
    until(lambda: len(meta.get_given()) == 2)
    counter.set_meta(None)
    until(lambda: counter.get() == 7)
    assert len(meta.get_given()) == 2


def test_a_meta_object_passes_messages_on_by_a_call_in_flight(place: Place) -> None:
    counter, meta = place.create(Counter), vista.create(Custodian, "future")
    counter.set_meta(meta)
    assert counter.increment(5) == 5
    assert len(meta.get_given()) == 1


def test_a_meta_object_passes_messages_on_through_another_object(place: Place) -> None:
    helper = vista.create(Chamber, at=place.third())
    counter, meta = place.create(Counter), vista.create(Custodian, "helper", helper)
    counter.set_meta(meta)
    assert counter.increment(5) == 5
    assert len(meta.get_given()) == 1


def test_a_far_meta_object_is_in_charge_of_a_near_object(place: Place) -> None:
    counter, meta = vista.create(Counter), place.create(Custodian, "call")
    counter.set_meta(meta)
    assert counter.increment(5) == 5
    until(lambda: [name for _, name, *_ in meta.get_given()] == ["increment"])


def test_unknown_messages_are_handled(place: Place) -> None:
    obliging = place.create(Obliging)
    assert obliging.whatever(1, [2], x=3) == ["whatever", [1, [2]], {"x": 3}]
    assert vista.send(obliging, "anyOtherName") == ["any_other_name", [], {}]
    assert obliging.whatever.future().result() == ["whatever", [], {}]


# --- looking at it -------------------------------------------------------------------------


def test_describe_says_the_same_here_and_there(place: Place) -> None:
    obliging = place.create(Obliging, acl=AccessControlList.of("allow * *"))
    id = vista.id_of(obliging)
    here = obliging.describe()
    there = place.run_there(lambda: vista.ref_of(id).describe())
    assert here == there
    assert here["id"] == id
    assert here["class"] == vista.ClassName("Local", "Obliging", 0)


def test_the_methods_are_told_with_signature_and_docstring(place: Place) -> None:
    known = place.create(Obliging).methods()["known"]
    assert known.signature == "(number: int = 1, *, text: str = 'a') -> None"
    assert known.doc == "Be known, with a docstring."


def test_class_of_says_the_class(place: Place) -> None:
    assert vista.class_of(place.create(Counter)) == vista.ClassName("Local", "Counter", 0)


def test_instance_variables_are_told(place: Place) -> None:
    counter = place.create(Counter, 4)
    assert counter.describe_instance_variables() == {"value": "int"}
    assert counter.extract_instance_variables("value") == {"value": 4}
    with pytest.raises(BadValueError, match="no instance variable 'size'"):
        counter.extract_instance_variables("size")


def test_an_object_is_upgraded_by_a_message(place: Place) -> None:
    ripe = place.create(["Local", "Ripening", 0])
    assert ripe.taste() == "sour"
    assert ripe.upgrade() == vista.ClassName("Local", "Ripening", 1)
    assert ripe.taste() == "sweet after sour"
    assert vista.class_of(ripe).version == 1
    assert ripe.smell() == "good"


def test_an_encoding_is_the_same_here_and_there(place: Place) -> None:
    counter = place.create(Counter, 4)
    id = vista.id_of(counter)
    assert vista.encode_object(counter) == place.run_there(lambda: vista.encode_object(id))


def test_an_encoded_object_is_made_again_where_it_lived(place: Place) -> None:
    counter = place.create(Counter, 4)
    encoded = vista.encode_object(counter)
    vista.delete(counter)
    back = vista.send(place.creator, "import_object", encoded)
    assert back == counter
    assert counter.get() == 4


def test_the_objects_of_its_node_are_listed(place: Place) -> None:
    counter = place.create(Counter)
    rows = {row.id: row for row in vista.objects(at=counter)}
    assert rows[vista.id_of(counter)].class_name == "Local.Counter"


# --- services ------------------------------------------------------------------------------


def announce(place: Place) -> None:
    """Have the far node tell its services."""
    if place.hops:
        place.create("AnnounceServices")


def register(place: Place, name: str, target: vista.Ref) -> None:
    """Register an object of the far node there."""
    id = vista.id_of(target)
    place.run_there(lambda: vista.register_service(name, id))


def test_a_service_stands_for_its_object(place: Place) -> None:
    counter = place.create(Counter, 4)
    announce(place)
    register(place, "Counters/main", counter)
    assert vista.wait_for_service("Counters/main") == counter
    assert vista.service("Counters/main") == counter
    assert vista.send("Counters/main", "get") == 4
    vista.post("Counters/main", "increment", 1)
    assert vista.future("Counters/main", "get").result() == 5


def test_a_service_that_is_not_there_yet_is_waited_for(place: Place) -> None:
    counter = place.create(Counter)
    announce(place)
    with pytest.raises(CallTimeout):
        vista.wait_for_service("Counters/late", timeout=0.5)

    def wait() -> bool:
        return vista.wait_for_service("Counters/late") == counter

    waiting = place.near.spawn(lambda: vista.create(Journal).write(wait()))
    until(lambda: place.near.kernel.services.waited_for() == ["Counters/late"])
    register(place, "Counters/late", counter)
    assert waiting.exception() is None
    assert vista.service("Counters/late") == counter


def test_a_service_ends_with_its_object(place: Place) -> None:
    counter = place.create(Counter)
    announce(place)
    register(place, "Counters/main", counter)
    vista.wait_for_service("Counters/main")
    vista.delete(counter)
    until(lambda: place.near.kernel.services.get("Counters/main") is None)
    with pytest.raises(NoSuchService):
        vista.send("Counters/main", "get")


def test_a_service_that_is_withdrawn_is_not_found(place: Place) -> None:
    counter = place.create(Counter)
    announce(place)
    register(place, "Counters/main", counter)
    vista.wait_for_service("Counters/main")
    place.run_there(lambda: vista.unregister_service("Counters/main"))
    until(lambda: place.near.kernel.services.get("Counters/main") is None)
    assert counter.get() == 0


def test_a_service_may_watch(place: Place) -> None:
    counter, board = vista.create(Counter), place.create(NoticeBoard)
    announce(place)
    register(place, "board", board)
    vista.wait_for_service("board")
    counter.add_notify_when_modified("board")
    counter.increment(1)
    assert until(board.get_notices) == [["modified", vista.id_of(counter)]]
