"""The tuple space: what its operations do, sessions, watches, bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vista
from apps.solidstate.errors import ExpiredError
from apps.solidstate.services.tuple_space import TUPLES_MAX, TupleSpace
from tests.solidstate.services.executed import Executed


@pytest.fixture
def space() -> Executed:
    return Executed(TupleSpace)


def test_tuples_are_read_and_taken_in_their_order(space: Executed) -> None:
    for number in (1, 2, 3):
        space.call("out", ("job", number))
    assert space.call("rdp", ("job", None)) == ("job", 1)
    assert space.call("inp", ("job", None)) == ("job", 1)
    assert space.call("inp", ("job", 3)) == ("job", 3)
    assert space.call("in_all", ("job", None)) == [("job", 2)]
    assert space.call("rdp", ("job", None)) is None


def test_a_template_that_begins_with_any_value_finds_the_first_tuple(space: Executed) -> None:
    space.call("out", ("b", 1))
    space.call("out", ("a", 1))
    space.call("out", ("a", 1, 1))
    assert space.call("inp", (None, 1)) == ("b", 1)
    assert space.call("inp", (None, None)) == ("a", 1)


def test_values_of_different_types_are_different(space: Executed) -> None:
    for value in (1, 1.0, True):
        space.call("out", (value,))
    assert space.call("inp", (True,)) == (True,)
    assert [type(fields[0]) for _, fields in space.call("rd_all", (None,))] == [int, float]


def test_cas_adds_only_where_nothing_matches(space: Executed) -> None:
    first = space.call("cas", ("leader", None), ("leader", "ann"))
    assert first > 0
    assert space.call("cas", ("leader", None), ("leader", "bob")) == 0
    assert space.call("rd_all", ("leader", None)) == [(first, ("leader", "ann"))]


def test_swap_replaces_the_first_match(space: Executed) -> None:
    space.call("out", ("count", 1))
    assert space.call("swap", ("count", 1), ("count", 2)) == ("count", 1)
    assert space.call("swap", ("count", 1), ("count", 3)) is None
    assert space.call("rdp", ("count", None)) == ("count", 2)


def test_numbers_grow_with_every_tuple(space: Executed) -> None:
    numbers = [space.call("out", ("x",)) for _ in range(3)]
    space.call("inp", ("x",))
    numbers.append(space.call("out", ("x",)))
    assert numbers == sorted(set(numbers))


# --- sessions ------------------------------------------------------------------------------


def test_what_belongs_to_a_session_ends_with_its_lease(space: Executed) -> None:
    session = space.call("open_session", 5.0)
    space.call("out", ("mine",), session)
    space.call("out", ("ours",))
    space.time += 4.9
    assert space.call("rdp", ("mine",)) == ("mine",)
    space.time += 0.2
    assert space.call("rdp", ("mine",)) is None
    assert space.call("rdp", ("ours",)) == ("ours",)
    with pytest.raises(ExpiredError, match=r"^the session is over"):
        space.call("out", ("late",), session)


def test_a_session_that_is_kept_alive_lasts(space: Executed) -> None:
    session = space.call("open_session", 5.0)
    space.call("out", ("mine",), session)
    for _ in range(10):
        space.time += 4.0
        space.call("keep_alive", session)
    assert space.call("rdp", ("mine",)) == ("mine",)
    assert len(vars(space.service)["ends"]) == 1
    space.time += 5.1
    with pytest.raises(ExpiredError, match=r"^the session is over"):
        space.call("keep_alive", session)


def test_a_session_that_is_closed_takes_its_tuples_along(space: Executed) -> None:
    session = space.call("open_session")
    space.call("out", ("mine",), session)
    space.call("close_session", session)
    space.call("close_session", session)
    assert space.call("count_all") == 0


def test_only_its_session_withdraws_a_tuple(space: Executed) -> None:
    ann, bob = space.call("open_session"), space.call("open_session")
    number = space.call("out", ("mine",), ann)
    assert space.call("withdraw", number, bob) is False
    assert space.call("withdraw", number, ann) is True
    assert space.call("withdraw", number, ann) is False


def test_session_ids_are_long_and_not_alike(space: Executed) -> None:
    ids = {space.call("open_session") for _ in range(20)}
    assert {len(id) for id in ids} == {32}
    assert len(ids) == 20


# --- watches -------------------------------------------------------------------------------


def test_who_watches_is_told_of_the_first_match_once(space: Executed) -> None:
    session = space.call("open_session")
    assert space.call("rd_or_watch", ("job", None, 3), session, "ann", 7) is None
    space.call("out", ("job", 1, 2))
    assert space.posted == []
    space.call("out", ("job", 1, 3))
    space.call("out", ("job", 2, 3))
    assert space.posted == [("ann", "tuple_event", (7, ("job", 1, 3)))]


def test_a_watch_for_any_first_field_is_told(space: Executed) -> None:
    session = space.call("open_session")
    space.call("rd_or_watch", (None, 3), session, "ann", 7)
    space.call("out", ("job", 3))
    assert space.posted == [("ann", "tuple_event", (7, ("job", 3)))]


def test_what_is_there_is_returned_and_not_watched_for(space: Executed) -> None:
    session = space.call("open_session")
    space.call("out", ("job", 1))
    assert space.call("rd_or_watch", ("job", None), session, "ann", 7) == ("job", 1)
    assert space.call("count_watches") == 0


@pytest.mark.parametrize("how", ["inp", "in_all", "swap", "withdraw", "close_session", "lease"])
def test_who_watches_a_tuple_is_told_of_its_end(space: Executed, how: str) -> None:
    own, other = space.call("open_session", 60.0), space.call("open_session", 5.0)
    number = space.call("out", ("lock",), other)
    assert space.call("watch_removal", number, ("lock",), own, "ann", 7) is True
    args = {
        "inp": [("lock",)],
        "in_all": [("lock",)],
        "swap": [("lock",), ("new",)],
        "withdraw": [number, other],
        "close_session": [other],
    }
    if how == "lease":
        space.time += 6.0
        space.call("rdp", ("anything",))
    else:
        space.call(how, *args[how])
    assert space.posted == [("ann", "tuple_event", (7, ("lock",)))]
    assert space.call("watch_removal", number, ("lock",), own, "ann", 8) is False


def test_watches_end_with_their_session_and_by_unwatch(space: Executed) -> None:
    ann, bob = space.call("open_session"), space.call("open_session")
    space.call("rd_or_watch", ("job",), ann, "ann", 1)
    space.call("rd_or_watch", ("job",), bob, "bob", 1)
    space.call("rd_or_watch", ("job",), bob, "bob", 2)
    assert space.call("unwatch", bob, 1) == 1
    space.call("close_session", ann)
    assert space.call("count_watches") == 1
    space.call("out", ("job",))
    assert space.posted == [("bob", "tuple_event", (2, ("job",)))]
    assert vars(space.service)["watched"] == {}


def test_the_sessions_that_end_at_once_have_a_bound(
    space: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.TOLD_AT_ONCE", 2)
    watching = space.call("open_session", 60.0)
    for name in "abcd":
        number = space.call("out", (name,), space.call("open_session", 5.0))
        space.call("watch_removal", number, (name,), watching, "ann", name)
    space.time += 6.0
    told = []
    for _ in range(3):
        space.call("rdp", ("x",))
        told.append(len(space.posted))
    assert told == [2, 4, 4]


def test_who_stands_before_is_found(space: Executed) -> None:
    session = space.call("open_session")
    first = space.call("out", ("lock", "a"), session)
    space.call("out", ("other", "x"))
    second = space.call("out", ("lock", "b"), session)
    assert space.call("previous", second, ("lock", "b"), ("lock", None)) == (first, ("lock", "a"))
    assert space.call("previous", first, ("lock", "a"), ("lock", None)) is None
    third = space.call("out", ("lock", "c"), session)
    assert space.call("previous", third, ("lock", "c"), ("lock", None)) == (second, ("lock", "b"))
    space.call("withdraw", second, session)
    with pytest.raises(ExpiredError, match=r"^the tuple is gone"):
        space.call("previous", second, ("lock", "b"), ("lock", None))


# --- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((), "a tuple has 1 to 32 fields"),
        ("job", "a tuple has 1 to 32 fields"),
        ((1,) * 33, "a tuple has 1 to 32 fields"),
        ((None,), "a tuple has no None"),
        ((["a"],), "a field is a text, a number, bytes or a truth value"),
    ],
    ids=["empty", "text", "many", "none", "list"],
)
def test_what_is_no_tuple_is_refused(space: Executed, fields: Any, words: str) -> None:
    with pytest.raises(vista.BadValueError, match=f"^{words}"):
        space.call("out", fields)
    assert space.call("count_all") == 0


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("rd_all", [("a",), "all"]),
        ("in_all", [("a",), None]),
        ("previous", [[1], ("a",), ("a",)]),
        ("watch_removal", ["1", ("a",), "SESSION", "target", 1]),
        ("withdraw", [[1], "SESSION"]),
    ],
)
def test_what_is_no_number_is_refused(space: Executed, method: str, args: list[Any]) -> None:
    id = space.call("open_session")
    with pytest.raises(vista.BadValueError, match=r"numbered and counted in whole numbers, not"):
        space.call(method, *(id if one == "SESSION" else one for one in args))
    assert space.call("close_session", [id]) is None
    space.call("keep_alive", id)


@pytest.mark.parametrize("lease", [0, 0.9, 3_601, "long", float("nan")])
def test_a_lease_has_its_bounds(space: Executed, lease: object) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a lease is 1.0 to 3600.0 seconds"):
        space.call("open_session", lease)


@pytest.mark.parametrize(
    ("bound", "calls"),
    [
        ("TUPLES_MAX", [("out", ("a",)), ("out", ("b",)), ("out", ("c",))]),
        ("SESSIONS_MAX", [("open_session",), ("open_session",), ("open_session",)]),
    ],
)
def test_a_space_has_its_bounds(
    space: Executed, monkeypatch: pytest.MonkeyPatch, bound: str, calls: list[Any]
) -> None:
    monkeypatch.setattr(f"apps.solidstate.services.tuple_space.{bound}", 2)
    for method, *args in calls[:-1]:
        space.call(method, *args)
    with pytest.raises(vista.BadValueError, match=r"^a space has room for 2|^2 sessions are open"):
        space.call(calls[-1][0], *calls[-1][1:])


def test_watches_have_their_bound(space: Executed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.WATCHES_MAX", 2)
    session = space.call("open_session")
    space.call("rd_or_watch", ("job",), session, "ann", 1)
    space.call("rd_or_watch", ("other",), session, "ann", 1)
    with pytest.raises(vista.BadValueError, match=r"^2 watches are set"):
        space.call("rd_or_watch", ("more",), session, "ann", 2)


def test_who_watches_where_many_do_is_not_told(
    space: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.WATCHERS_MAX", 2)
    session = space.call("open_session")
    for name in "abc":
        assert space.call("rd_or_watch", ("job", "x", None), session, name, 1) is None
    space.call("rd_or_watch", ("job", "y", None), session, "d", 1)
    space.call("out", ("job", "x", 3))
    assert [target for target, _, _ in space.posted] == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("x" * 65_600, "a tuple has 65536 bytes at most"),
        (1 << 1_024, "a number in a tuple has 1024 bits at most"),
        (float("nan"), "a field is a text, a number"),
    ],
    ids=["long", "large", "nan"],
)
def test_a_field_has_its_bounds(space: Executed, field: Any, words: str) -> None:
    with pytest.raises(vista.BadValueError, match=f"^{words}"):
        space.call("out", ("job", field))
    assert space.call("count_all") == 0


def test_zero_has_no_sign(space: Executed) -> None:
    space.call("out", (-0.0, 1))
    assert space.call("rdp", (0.0, None)) == space.call("rdp", (None, 1)) == (0.0, 1)


def test_an_answer_is_never_too_large(space: Executed) -> None:
    for number in range(10):
        space.call("out", ("job", number, "x" * 60_000))
    assert len(space.call("rd_all", ("job", None, None))) == 2
    taken = []
    while portion := space.call("in_all", ("job", None, None)):
        taken += [fields[1] for fields in portion]
    assert taken == list(range(10))


def test_what_is_taken_at_once_tells_no_more_than_a_call_may(
    space: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.TOLD_AT_ONCE", 2)
    session = space.call("open_session")
    for name in "abcde":
        number = space.call("out", ("job", name))
        space.call("watch_removal", number, ("job", name), session, "ann", name)
    found = [space.call("in_all", ("job", None)) for _ in range(4)]
    assert [len(one) for one in found] == [2, 2, 1, 0]


def test_a_large_session_ends_in_portions_and_is_over_at_once(
    space: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.ENDED_AT_ONCE", 3)
    session = space.call("open_session")
    for number in range(5):
        space.call("out", ("job", number), session)
        space.call("rd_or_watch", ("other", number), session, "ann", number)
    space.call("close_session", session)
    with pytest.raises(ExpiredError, match=r"^the session is over"):
        space.call("keep_alive", session)
    left = [(space.call("count", ("job", None)), space.call("count_watches")) for _ in range(3)]
    assert left == [(1, 0), (0, 0), (0, 0)]
    assert vars(space.service)["sessions"] == {}


def test_sessions_that_are_opened_and_closed_leave_nothing_for_long(
    space: Executed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.solidstate.services.tuple_space.SESSIONS_MAX", 3)
    kept = space.call("open_session", 3_600.0)
    for _ in range(50):
        space.call("close_session", space.call("open_session", 3_600.0))
        assert len(vars(space.service)["ends"]) <= 7
    space.time += 3_601.0
    with pytest.raises(ExpiredError, match=r"^the session is over"):
        space.call("keep_alive", kept)


@pytest.fixture(scope="module")
def full() -> Executed:
    """A space with as many tuples as it takes; every second one in a place of its own."""
    space = Executed(TupleSpace)
    space.looks = False
    service: Any = space.service
    session = space.call("open_session", 3_600.0)
    service._expire = lambda: None
    for number in range(TUPLES_MAX // 2):
        service._add(("lock", "busy", number), session)
        service._add(("lock", f"{number}", True), "")
    del service._expire
    return space


@pytest.mark.parametrize(
    ("method", "args", "expected"),
    [
        ("rdp", [("lock", "busy", -1)], None),
        ("rdp", [(None, None, TUPLES_MAX)], None),
        ("rdp", [("lock", None, 1)], ("lock", "busy", 1)),
        ("count", [(None, None, None)], TUPLES_MAX),
        ("count", [("lock", None, 1)], 1),
        ("cas", [("lock", None, False), ("x",)], vista.BadValueError),
        ("swap", [(None, "x", 5), ("lock", "busy", 5)], None),
    ],
    ids=["place", "all", "first", "count", "type", "cas", "swap"],
)
def test_a_space_that_is_full_is_usable(
    full: Executed, method: str, args: list[Any], expected: Any
) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected, match=r"^a space has room for"):
            full.call(method, *args)
    else:
        assert full.call(method, *args) == expected


def test_who_stands_before_is_found_in_a_full_space(full: Executed) -> None:
    number, fields = full.call("rd_all", ("lock", None, True), 2)[1]
    before = full.call("previous", number, fields, ("lock", None, None))
    assert before == (number - 1, ("lock", "busy", 1))
    number, fields = full.call("rd_all", ("lock", "busy", 1))[0]
    assert full.call("previous", number, fields, ("lock", "busy", None))[1] == ("lock", "busy", 0)


# --- against a model -----------------------------------------------------------------------

_FIELD = st.sampled_from(["a", "b", 1, True])
_TUPLE = st.lists(_FIELD, min_size=1, max_size=2).map(tuple)
_TEMPLATE = st.lists(st.one_of(st.none(), _FIELD), min_size=1, max_size=2).map(tuple)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("out"), _TUPLE),
        st.tuples(st.sampled_from(["rdp", "inp"]), _TEMPLATE),
        st.tuples(st.just("cas"), _TEMPLATE, _TUPLE),
        st.tuples(st.just("swap"), _TEMPLATE, _TUPLE),
    ),
    max_size=30,
)


def _fits(template: tuple[Any, ...], fields: tuple[Any, ...]) -> bool:
    pairs = zip(template, fields, strict=False)
    same = all(a is None or (type(a), a) == (type(b), b) for a, b in pairs)
    return len(template) == len(fields) and same


@settings(max_examples=100)
@given(_STEPS)
def test_a_space_does_what_a_list_of_tuples_does(steps: list[tuple[Any, ...]]) -> None:
    space, rows = Executed(TupleSpace), list[tuple[Any, ...]]()
    for name, first, *rest in steps:
        place = next((n for n, row in enumerate(rows) if _fits(first, row)), None)
        found = space.call(name, first, *rest)
        if name in ("rdp", "inp", "swap"):
            assert repr(found) == repr(None if place is None else rows[place])
        if name in ("inp", "swap") and place is not None:
            del rows[place]
        if name == "out":
            rows.append(first)
        elif (name == "cas" and place is None) or (name == "swap" and place is not None):
            rows.append(rest[0])
        assert space.call("count_all") == len(rows)
