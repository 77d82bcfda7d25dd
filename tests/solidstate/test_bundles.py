"""Bundles: many users behind one client, each operation executed by itself, once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.solidstate.pbft.bundles import BundledService, Proxy, UserAnswer, UserAsk
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.effects import Effect
from apps.solidstate.pbft.events import Ask, Event, Tick
from apps.solidstate.pbft.messages import Request
from apps.solidstate.pbft.service import Context
from apps.solidstate.pbft.store import KeyValueStore
from tests.solidstate.lab import Lab, sent
from vista import BadValueError, LocalProtocolError

CONTEXT = Context("proxy", 7, 1_000, b"r" * 32)


class Recording:
    """A service that answers with what it is told."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []

    def execute(self, operation: bytes, context: Context) -> bytes:
        self.contexts.append(context)
        return operation + b"!"

    def execute_read_only(self, operation: bytes) -> bytes | None:
        return None if operation == b"write" else operation

    def snapshot(self) -> list[bytes]:
        return [b"page"]

    def restore(self, pages: object) -> None:
        self.restored = pages


def test_each_operation_is_executed_by_itself_and_in_order() -> None:
    result = BundledService(Recording()).execute(pack([b"a", b"b"]), CONTEXT)
    assert unpack(result) == [b"a!", b"b!"]


def test_operations_of_a_bundle_share_time_and_have_random_bytes_of_their_own() -> None:
    inner = Recording()
    BundledService(inner).execute(pack([b"a", b"a", b"a"]), CONTEXT)
    assert {(one.client, one.sequence, one.time) for one in inner.contexts} == {("proxy", 7, 1_000)}
    assert len({one.random for one in inner.contexts} | {CONTEXT.random}) == 4
    assert all(len(one.random) == 32 for one in inner.contexts)


BAD = {
    "garbage": b"\xc1",
    "no list": pack([b"a"])[1:],
    "a text": pack([b"a", "b"]),
    "a list in it": pack([[b"a"]]),
    "too many": pack([b"a"] * 4),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_bundle_does_nothing(name: str) -> None:
    inner = Recording()
    assert unpack(BundledService(inner, 3).execute(BAD[name], CONTEXT)) == []
    assert inner.contexts == []


@given(st.binary(max_size=60))
def test_any_bytes_have_a_result(data: bytes) -> None:
    assert isinstance(unpack(BundledService(Recording()).execute(data, CONTEXT)), list)


def test_reads_are_answered_without_ordering_if_all_of_them_are_reads() -> None:
    service = BundledService(Recording())
    assert service.execute_read_only(pack([b"a", b"b"])) == pack([b"a", b"b"])
    assert service.execute_read_only(pack([b"a", b"write"])) is None


def test_the_state_is_the_one_of_the_service_inside() -> None:
    inner = Recording()
    service = BundledService(inner)
    assert service.snapshot() == [b"page"]
    service.restore([b"other"])
    assert inner.restored == [b"other"]


class Shop:
    """A proxy in front of a whole group, on a bench."""

    def __init__(self, **limits: int) -> None:
        self.lab = Lab()
        for number in range(4):
            replica = self.lab.replicas[number]
            replica.state._service = BundledService(KeyValueStore(4))
        self.proxy = Proxy(self.lab.clients["ann"], **limits)
        self.answers: list[tuple[object, object]] = []
        self.requests: list[Request] = []
        # What goes to the client comes to the proxy, which asks it.
        self.lab.clients["ann"] = self  # type: ignore[assignment]

    def handle(self, event: Event | UserAsk, now: float) -> list[Effect]:
        effects = self.proxy.handle(event, now)
        for effect in effects:
            if isinstance(effect, UserAnswer):
                self.answers.append((effect.user, unpack(effect.result)))
        kept = [effect for effect in effects if not isinstance(effect, UserAnswer)]
        self.requests += sent(kept, Request)
        return kept

    def put(self, user: object, key: str, value: bytes, read_only: bool = False) -> None:
        self.proxy.handle(UserAsk(user, pack(["put", key, value]), read_only), self.lab.now)

    def go(self) -> None:
        self.lab.handle("ann", Tick())
        self.lab.run()


def test_what_users_ask_for_in_one_turn_is_one_request() -> None:
    shop = Shop()
    for user in range(5):
        shop.put(user, "key", b"%d" % user)
    shop.go()
    assert len(shop.requests) == 1
    old = [None, b"0", b"1", b"2", b"3"]
    assert shop.answers == [(user, ["ok", old[user]]) for user in range(5)]


def test_what_comes_while_a_bundle_is_under_way_makes_the_next_one() -> None:
    shop = Shop()
    shop.put("first", "key", b"1")
    shop.lab.handle("ann", Tick())
    shop.put("second", "key", b"2")
    shop.put("third", "key", b"3")
    shop.lab.handle("ann", Tick())
    assert (len(shop.requests), shop.proxy.busy, shop.proxy.waiting) == (1, True, 2)
    shop.lab.run()
    shop.go()
    assert [user for user, _ in shop.answers] == ["first", "second", "third"]
    assert len(shop.requests) == 2


def test_the_next_bundle_waits_for_all_that_users_ask_for_in_one_turn() -> None:
    shop = Shop()
    shop.put("first", "key", b"1")
    shop.lab.handle("ann", Tick())
    shop.put("second", "key", b"2")
    shop.lab.run()
    assert len(shop.requests) == 1 and shop.proxy.next_deadline() == shop.lab.now


def test_without_users_nothing_is_asked() -> None:
    shop = Shop()
    shop.go()
    assert shop.requests == [] and not shop.proxy.busy


@pytest.mark.parametrize(
    ("limits", "bundles"), [({"operations_max": 2}, 3), ({"bytes_max": 30}, 5)]
)
def test_a_bundle_holds_no_more_than_its_limits(limits: dict[str, int], bundles: int) -> None:
    shop = Shop(**limits)
    for user in range(5):
        shop.put(user, "key", b"x" * 10)
    for _ in range(bundles):
        shop.go()
    assert len(shop.requests) == bundles and len(shop.answers) == 5


def test_reads_and_writes_are_not_in_one_bundle() -> None:
    shop = Shop()
    for user, read_only in enumerate((False, False, True, True, False)):
        shop.put(user, "key", b"x", read_only)
    for _ in range(3):
        shop.go()
    assert [one.read_only for one in shop.requests] == [False, True, False]
    assert [user for user, _ in shop.answers] == [0, 1, 2, 3, 4]


def test_an_operation_that_no_bundle_holds_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"an operation of 20 bytes: a bundle holds 10"):
        Shop(bytes_max=10).proxy.handle(UserAsk(1, b"x" * 20), 0.0)


def test_more_than_may_wait_are_refused() -> None:
    shop = Shop(waiting_max=2)
    shop.put(1, "key", b"1")
    shop.put(2, "key", b"1")
    with pytest.raises(LocalProtocolError, match=r"2 operations wait already: ask later"):
        shop.put(3, "key", b"1")


def test_a_proxy_has_to_know_whom_to_answer() -> None:
    with pytest.raises(LocalProtocolError, match=r"a proxy is asked by UserAsk"):
        Shop().proxy.handle(Ask(b"x"), 0.0)


@pytest.mark.parametrize("name", ["operations_max", "bytes_max", "waiting_max"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(BadValueError, match=r"room for one operation"):
        Shop(**{name: 0})


def test_replicas_that_take_smaller_bundles_are_found_out() -> None:
    shop = Shop()
    for number in range(4):
        state = shop.lab.replicas[number].state
        state._service = BundledService(KeyValueStore(4), 1)
    shop.put(1, "key", b"1")
    shop.put(2, "key", b"1")
    with pytest.raises(LocalProtocolError, match=r"the group refused a bundle of 2 operations"):
        shop.go()


def test_a_bundle_whose_replies_are_lost_is_asked_again_and_done_once() -> None:
    shop = Shop()
    shop.put(1, "key", b"1")
    shop.put(2, "key", b"2")
    shop.lab.drops = lambda sender, to, message: to == "ann"
    shop.go()
    shop.lab.drops = lambda *_: False
    shop.lab.pass_time(2.0)
    assert shop.answers == [(1, ["ok", None]), (2, ["ok", b"1"])]
    assert shop.lab.executed() == [1] * 4
