"""The beacons of a mesh: what a node announces, whom it believes and to whom it connects."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.errors import BadValueError, RemoteProtocolError
from vista.limits import Limits
from vista.peering.beacons import (
    REASONS,
    URLS_MAX,
    Announce,
    Announcement,
    Beacons,
    Connect,
    Effect,
    Forget,
    Heard,
    LinkDown,
    LinkUp,
    Met,
    Started,
    Stranger,
    Tick,
    read_announcement,
)
from vista.peering.urls import PeerUrl
from vista.wire.codec import pack_plain

LIMITS = Limits()
OWN, SMALLER, GREATER = b"m" * 10, b"a" * 10, b"z" * 10
RUN, NEXT_RUN = b"first___", b"second__"
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
HOST = "10.0.0.8"
SOCKET = "/run/user/1000/vista/other"

Effects = Sequence[Effect]


def url(host: str = HOST, port: int = 4500, key: bytes = KEY) -> PeerUrl:
    """Where a node can be reached by tcp."""
    return PeerUrl("tcp", host, port, key=key)


def said(node: bytes = GREATER, number: int = 1, **changes: Any) -> Announcement:
    """An announcement of another node."""
    plain = Announcement("vista", node, RUN, number, 5000, KEY, url())
    return replace(plain, **changes)


def beacons(limits: Limits = LIMITS, **changes: Any) -> Beacons:
    """Those of a node whose mesh is called vista; only `KEY` and `SOCKET` are let in."""
    options: dict[str, Any] = {
        "domain": "vista",
        "interval_seconds": 5.0,
        "limits": limits,
        "admits": lambda key: key == KEY,
        "has_socket": lambda path: path == SOCKET,
        "dice": random.Random(1),
    }
    return Beacons(OWN, RUN, KEY, **{**options, **changes})


def started(limits: Limits = LIMITS, **changes: Any) -> Beacons:
    """Beacons that have started at 0.0."""
    made = beacons(limits, **changes)
    made.handle(Started({"10.0.0.7": url("10.0.0.7")}), 0.0)
    return made


def hear(made: Beacons, announcement: Announcement, now: float, source: str = HOST) -> list[Effect]:
    """Have beacons hear an announcement."""
    return made.handle(Heard(announcement.pack(), source), now)


def tick_until(made: Beacons, end: float) -> list[tuple[float, Effect]]:
    """Let time pass to ``end`` and return what was done when, but for announcing."""
    done: list[tuple[float, Effect]] = []
    for _ in range(1000):
        due = made.next_deadline()
        if due is None or due > end:
            return done
        effects = made.handle(Tick(), due)
        done += [(due, effect) for effect in effects if type(effect) is not Announce]
    raise AssertionError("it ticks without end")


def ignored(made: Beacons) -> dict[str, int]:
    """How many announcements were ignored, by their reason."""
    return {reason: count for reason, count in made.ignored.items() if count}


# --- announcing ----------------------------------------------------------------------------


def test_a_node_announces_itself_at_once() -> None:
    (announce,) = beacons().handle(Started({"10.0.0.7": url("10.0.0.7")}), 3.0)
    assert type(announce) is Announce
    assert announce.place == "10.0.0.7"
    assert read_announcement(announce.data, LIMITS) == Announcement(
        "vista", OWN, RUN, 1, 5000, KEY, url("10.0.0.7")
    )


def test_each_interface_tells_its_own_address() -> None:
    places = {"10.0.0.7": url("10.0.0.7"), "127.0.0.1": url("127.0.0.1")}
    effects = beacons().handle(Started(places), 0.0)
    told = {
        effect.place: read_announcement(effect.data, LIMITS).url
        for effect in effects
        if type(effect) is Announce
    }
    assert told == places


def test_it_announces_itself_each_interval_a_quarter_more_or_less() -> None:
    made = started()
    times = [0.0]
    for _ in range(200):
        due = made.next_deadline()
        assert due is not None
        assert [type(effect) for effect in made.handle(Tick(), due)] == [Announce]
        times.append(due)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert min(pauses) >= 3.75
    assert max(pauses) <= 6.25
    assert max(pauses) - min(pauses) > 2.0


def test_a_tick_before_its_time_does_nothing() -> None:
    assert started().handle(Tick(), 1.0) == []


def test_nothing_is_due_before_the_start() -> None:
    made = beacons()
    assert made.next_deadline() is None
    assert made.handle(Tick(), 100.0) == []


def test_numbers_count_up() -> None:
    made = started()
    numbers = []
    for _ in range(3):
        (announce,) = made.handle(Tick(), made.next_deadline() or 0.0)
        assert type(announce) is Announce
        numbers.append(read_announcement(announce.data, LIMITS).number)
    assert numbers == [2, 3, 4]


def test_a_newcomer_is_answered_within_a_tenth_of_a_second() -> None:
    made = started()
    hear(made, said(SMALLER), 2.0)
    due = made.next_deadline()
    assert due is not None
    assert 2.0 <= due <= 2.1


def test_many_newcomers_are_answered_once_in_a_second() -> None:
    made = started()
    count = 0
    for step in range(200):
        now = step * 0.05
        hear(made, said(number=1, node=bytes([step]) * 10), now)
        count += sum(type(effect) is Announce for effect in made.handle(Tick(), now))
    assert 8 <= count <= 11


def test_a_known_node_is_not_answered() -> None:
    made = started()
    hear(made, said(), 1.0)
    made.handle(Tick(), 1.1)
    due = made.next_deadline()
    hear(made, said(number=2), 2.0)
    assert made.next_deadline() == due


def test_other_interfaces_are_announced_at_once() -> None:
    made = started()
    (announce,) = made.handle(Started({"10.0.1.7": url("10.0.1.7")}), 2.0)
    assert type(announce) is Announce
    assert announce.place == "10.0.1.7"


def test_interfaces_that_change_all_the_time_are_announced_once_in_a_second() -> None:
    made = started()
    effects = [made.handle(Started({HOST: url()}), step * 0.1) for step in range(1, 30)]
    assert sum(map(len, effects)) == 2


# --- who connects --------------------------------------------------------------------------


def test_the_smaller_identity_connects() -> None:
    assert hear(started(), said(GREATER), 1.0) == [Met(GREATER), Connect(GREATER, url())]


def test_the_greater_identity_waits_to_be_connected_to() -> None:
    assert hear(started(), said(SMALLER), 1.0) == [Met(SMALLER)]


def test_the_greater_identity_connects_when_no_link_comes_of_waiting() -> None:
    made = started()
    hear(made, said(SMALLER), 1.0)
    for number in range(2, 6):
        hear(made, said(SMALLER, number), 5.0 * number - 4.0)
    found = tick_until(made, 21.0)
    assert [effect for _, effect in found] == [Connect(SMALLER, url())]
    assert found[0][0] > 11.0


def test_a_linked_node_is_not_connected_to() -> None:
    made = started()
    made.handle(LinkUp(GREATER, RUN), 0.5)
    assert hear(made, said(GREATER), 1.0) == [Met(GREATER)]


def test_a_node_whose_link_ends_is_connected_to_if_it_was_not_this_one_that_had_connected() -> None:
    made = started()
    made.handle(LinkUp(GREATER, RUN), 0.5)
    hear(made, said(GREATER), 1.0)
    assert made.handle(LinkDown(GREATER), 2.0) == [Connect(GREATER, url())]


def test_a_connection_that_is_kept_is_not_asked_for_again() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    made.handle(LinkUp(GREATER, RUN), 1.1)
    assert made.handle(LinkDown(GREATER), 2.0) == []


def test_another_address_of_a_node_is_tried_when_no_link_comes() -> None:
    made = started()
    there = url("10.0.1.8")
    hear(made, said(GREATER), 1.0)
    for number in range(2, 6):
        hear(made, said(GREATER, number), 5.0 * number - 4.0)
        hear(made, said(GREATER, number, url=there), 5.0 * number - 4.0, "10.0.1.8")
    assert [effect for _, effect in tick_until(made, 21.0)] == [Connect(GREATER, there)]


def test_only_so_many_addresses_of_a_node_are_kept() -> None:
    made = started()
    for port in range(1, 100):
        hear(made, said(GREATER, url=url(port=port)), 1.0)
    assert len(made.contacts[GREATER].urls) == URLS_MAX


# --- who is forgotten ----------------------------------------------------------------------


def test_a_node_without_a_word_and_a_link_is_forgotten() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    ((when, effect),) = tick_until(made, 100.0)
    assert effect == Forget(GREATER)
    assert 21.0 < when < 28.0
    assert made.contacts == {}


def test_a_node_that_announces_itself_seldom_is_kept_in_mind_longer() -> None:
    made = started()
    hear(made, said(GREATER, interval_ms=20_000), 1.0)
    assert tick_until(made, 80.0) == []
    assert [effect for _, effect in tick_until(made, 100.0)] == [Forget(GREATER)]


def test_a_linked_node_is_not_forgotten() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    made.handle(LinkUp(GREATER, RUN), 1.1)
    assert tick_until(made, 1000.0) == []


def test_a_node_is_kept_in_mind_for_as_long_after_the_end_of_its_link() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    made.handle(LinkUp(GREATER, RUN), 1.1)
    tick_until(made, 1000.0)
    made.handle(LinkDown(GREATER), 1000.0)
    ((when, effect),) = tick_until(made, 1100.0)
    assert effect == Forget(GREATER)
    assert 1020.0 < when < 1027.0


def test_a_forgotten_node_is_met_again() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    tick_until(made, 100.0)
    assert hear(made, said(GREATER, 30), 101.0) == [Met(GREATER), Connect(GREATER, url())]


# --- another run of a node -----------------------------------------------------------------


def test_a_node_that_was_started_again_is_connected_to_at_once() -> None:
    made = started()
    hear(made, said(GREATER, 50), 1.0)
    again = said(GREATER, epoch=NEXT_RUN, url=url(port=4501))
    assert hear(made, again, 3.0) == [Connect(GREATER, url(port=4501))]
    assert made.contacts[GREATER].epoch == NEXT_RUN


def test_a_node_that_was_started_again_at_the_same_address_is_connected_to_at_once() -> None:
    made = started()
    hear(made, said(GREATER, 50), 1.0)
    assert hear(made, said(GREATER, epoch=NEXT_RUN), 3.0) == [Connect(GREATER, url())]


def test_nobody_takes_the_place_of_a_linked_node() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    made.handle(LinkUp(GREATER, RUN), 1.1)
    assert hear(made, said(GREATER, epoch=NEXT_RUN), 3.0) == []
    assert (ignored(made), made.contacts[GREATER].epoch) == ({"run": 1}, RUN)


def test_the_run_that_is_linked_is_believed() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    made.handle(LinkUp(GREATER, NEXT_RUN), 1.1)
    assert hear(made, said(GREATER, epoch=NEXT_RUN), 1.2) == []
    assert (ignored(made), made.contacts[GREATER].epoch) == ({}, NEXT_RUN)


def test_runs_that_change_all_the_time_cause_one_attempt_in_a_second() -> None:
    made = started()
    attempts = 0
    for step in range(1000):
        run = b"%08d" % step
        attempts += len(hear(made, said(GREATER, epoch=run), 1.0 + step * 0.01)) > 0
    assert attempts <= 10


# --- who is ignored ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "announcement", "source"),
    [
        ("domain", said(domain="other"), HOST),
        ("identity", said(OWN, epoch=NEXT_RUN), HOST),
        ("address", said(), "10.0.0.9"),
        ("stranger", said(key=OTHER_KEY, url=url(key=OTHER_KEY)), HOST),
        ("socket", said(url=PeerUrl("ipc", path="/elsewhere/other")), "127.0.0.1"),
        ("socket", said(url=PeerUrl("ipc", path=SOCKET)), HOST),
        ("garbage", said(url=url("0.0.0.0")), "0.0.0.0"),
        ("garbage", said(number=0), HOST),
        ("garbage", said(interval_ms=1), HOST),
        ("garbage", said(interval_ms=10**7), HOST),
        ("garbage", said(node=b"short"), HOST),
        ("garbage", said(epoch=b"short"), HOST),
        ("garbage", said(key=b"short"), HOST),
        ("garbage", said(domain=""), HOST),
        ("oversize", said(domain="x" * 1200), HOST),
    ],
)
def test_what_cannot_come_to_a_link_is_ignored(
    reason: str, announcement: Announcement, source: str
) -> None:
    made = started()
    before = made.next_deadline()
    effects = hear(made, announcement, 1.0, source)
    assert [effect for effect in effects if type(effect) is not Stranger] == []
    assert (ignored(made), made.heard, made.contacts) == ({reason: 1}, 0, {})
    assert made.next_deadline() == before


def test_the_socket_of_this_user_is_believed_on_loopback() -> None:
    there = PeerUrl("ipc", path=SOCKET)
    found = hear(started(), said(url=there, key=OTHER_KEY), 1.0, "127.0.0.1")
    assert found == [Met(GREATER), Connect(GREATER, there)]


def test_another_version_is_ignored() -> None:
    made = started()
    made.handle(Heard(pack_plain(["vista-mesh", 2, "who", "knows"]), HOST), 1.0)
    assert ignored(made) == {"version": 1}


def test_what_a_later_version_adds_is_passed_over() -> None:
    data = pack_plain(
        ["vista-mesh", 1, "vista", GREATER, RUN, 1, 5000, KEY, f"tcp://{HOST}:4500", 7]
    )
    assert read_announcement(data, LIMITS) == said()


def test_a_url_with_a_key_in_it_is_garbage() -> None:
    data = pack_plain(["vista-mesh", 1, "vista", GREATER, RUN, 1, 5000, KEY, str(url())])
    with pytest.raises(RemoteProtocolError, match=r"a URL in an announcement has no key"):
        read_announcement(data, LIMITS)


def test_what_this_node_announced_itself_is_no_matter() -> None:
    made = started()
    assert hear(made, said(OWN), 1.0) == []
    assert (ignored(made), made.contacts) == ({}, {})


def test_a_stranger_is_told_once() -> None:
    made = started()
    stranger = said(key=OTHER_KEY, url=url(key=OTHER_KEY))
    assert hear(made, stranger, 1.0) == [Stranger(OTHER_KEY, url(key=OTHER_KEY))]
    assert hear(made, replace(stranger, number=2), 2.0) == []
    assert ignored(made) == {"stranger": 2}


def test_only_so_many_strangers_are_told() -> None:
    made = started(Limits(mesh_strangers_max=3))
    told = [hear(made, said(key=bytes([number]) * 32), 1.0) for number in range(10)]
    assert [len(effects) for effects in told] == [1, 1, 1, *[0] * 7]


def test_a_stranger_is_believed_as_soon_as_he_is_let_in() -> None:
    admitted = {KEY}
    made = started(admits=admitted.__contains__)
    stranger = said(key=OTHER_KEY, url=url(key=OTHER_KEY))
    hear(made, stranger, 1.0)
    admitted.add(OTHER_KEY)
    assert Met(GREATER) in hear(made, stranger, 2.0)


def test_what_comes_twice_is_heard_once() -> None:
    made = started()
    hear(made, said(GREATER, 3), 1.0)
    assert [hear(made, said(GREATER, number), 2.0) for number in (3, 2, 1)] == [[]] * 3
    assert (ignored(made), made.heard) == ({"repeated": 3}, 1)


def test_repeating_what_a_node_announced_does_not_keep_it_in_mind() -> None:
    made = started()
    hear(made, said(GREATER), 1.0)
    for step in range(20):
        hear(made, said(GREATER), 1.0 + step)
    assert [effect for _, effect in tick_until(made, 28.0)] == [Forget(GREATER)]


def test_only_so_many_announcements_are_looked_at_in_a_second() -> None:
    made = started(Limits(mesh_datagrams_max=10))
    for number in range(1, 31):
        hear(made, said(GREATER, number), 1.0 + number / 100)
    assert (made.heard, ignored(made)) == (10, {"flood": 20})


def test_the_next_second_is_another_one() -> None:
    made = started(Limits(mesh_datagrams_max=10))
    for number in range(1, 31):
        hear(made, said(GREATER, number), 1.0)
    hear(made, said(GREATER, 31), 2.0)
    assert made.heard == 11


def test_only_so_many_nodes_are_kept_in_mind() -> None:
    made = started(Limits(mesh_contacts_max=5))
    for number in range(20):
        hear(made, said(bytes([number]) * 10), 1.0)
    assert (len(made.contacts), ignored(made)) == (5, {"full": 15})


def test_those_who_are_kept_in_mind_are_heard_when_there_is_no_place_for_others() -> None:
    made = started(Limits(mesh_contacts_max=1))
    hear(made, said(GREATER), 1.0)
    hear(made, said(SMALLER), 1.0)
    hear(made, said(GREATER, 2), 2.0)
    assert (made.heard, list(made.contacts)) == (2, [GREATER])


# --- what its owner asks for ---------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.05, 301.0, float("nan"), float("inf")])
def test_an_interval_out_of_bounds_is_refused(seconds: float) -> None:
    with pytest.raises(BadValueError, match=r"a mesh announces itself each 0\.1 to 300 seconds"):
        beacons(interval_seconds=seconds)


@pytest.mark.parametrize("domain", ["", "x" * 65, "two\nlines"], ids=["empty", "long", "lines"])
def test_a_domain_that_is_no_name_is_refused(domain: str) -> None:
    with pytest.raises(BadValueError, match=r"a domain is a name of 1 to 64 printable characters"):
        beacons(domain=domain)


def test_the_largest_announcement_fits_a_datagram() -> None:
    path = "/" + "p" * 106
    largest = said(domain="\U0001f642" * 64, number=2**53, interval_ms=300_000)
    data = replace(largest, url=PeerUrl("ipc", path=path)).pack()
    assert len(data) < 500 < LIMITS.mesh_datagram_bytes_max


# --- any bytes -----------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
FIELDS: list[Any] = ["vista-mesh", 1, "vista", GREATER, RUN, 1, 5000, KEY, f"tcp://{HOST}:4500"]


def assert_ignored_unharmed(data: bytes) -> None:
    """Any datagram is believed or counted, and what follows is heard."""
    made = started()
    made.handle(Heard(data, HOST), 1.0)
    assert made.heard + sum(made.ignored.values()) == 1
    assert set(made.ignored) == set(REASONS)
    made.handle(Heard(said(b"y" * 10).pack(), HOST), 1.5)
    assert b"y" * 10 in made.contacts


@given(st.binary(max_size=1300))
def test_any_bytes_are_ignored(data: bytes) -> None:
    assert_ignored_unharmed(data)


@given(PLAIN)
def test_any_value_is_ignored(value: Any) -> None:
    assert_ignored_unharmed(pack_plain(value))


@given(st.integers(0, len(FIELDS) - 1), PLAIN)
def test_any_value_in_any_field_is_ignored_or_believed(at: int, value: Any) -> None:
    assert_ignored_unharmed(pack_plain([*FIELDS[:at], value, *FIELDS[at + 1 :]]))


@given(st.integers(0, 200), st.integers(0, 7))
def test_an_announcement_with_a_changed_bit_is_ignored_or_believed(at: int, bit: int) -> None:
    data = bytearray(said().pack())
    data[at % len(data)] ^= 1 << bit
    assert_ignored_unharmed(bytes(data))


@given(st.integers(0, 200))
def test_an_announcement_cut_short_is_garbage(length: int) -> None:
    data = said().pack()
    made = started()
    made.handle(Heard(data[: min(length, len(data) - 1)], HOST), 1.0)
    assert ignored(made) == {"garbage": 1}
