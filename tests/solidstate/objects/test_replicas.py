"""A group of servers in a simulated world: founding it, calling its objects, losing servers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError, RefusedOperationError
from apps.solidstate.objects.correspondent import LETTERS_MAX
from apps.solidstate.objects.identity import SECRET_FILE
from apps.solidstate.objects.mail import pool_service, service_name
from tests.solidstate.objects.pool import POOL, TIN, Pool, PoolBell, make_world
from vista.testing import World

SERVERS = [f"server-{number}" for number in range(4)]


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(3) as made:
        yield made


@pytest.fixture
def pool(world: World) -> Pool:
    return Pool(world)


def held(pool: Pool, name: str) -> dict[str, Any]:
    """What a server's own replica holds of the cart."""
    number = SERVERS.index(name)
    service = service_name(POOL, number)
    found: dict[str, Any] = pool.node(name).call(
        lambda: vista.service(service).get_variables("cart")
    )
    return found


# --- calling -------------------------------------------------------------------------------


def test_a_call_is_executed_by_all_replicas(pool: Pool) -> None:
    cart = pool.found()
    assert pool.call(cart, "add", "tea") == 1
    assert pool.call(cart, "add", "tea", count=2) == 3
    pool.world.pass_time(1.0)
    assert [held(pool, name)["items"] for name in SERVERS] == [{"tea": 3}] * 4


def test_what_a_method_raises_is_the_answer(pool: Pool) -> None:
    cart = pool.found()
    with pytest.raises(ValueError, match=r"^0 pieces of tea$"):
        pool.call(cart, "add", "tea", 0)
    assert pool.call(cart, "list_items") == {}


def test_every_machine_of_the_pool_has_the_variable_as_a_service(pool: Pool) -> None:
    pool.call(pool.found(), "add", "tea")
    pool.world.pass_time(5.0)
    for name in SERVERS:
        node = pool.node(name)
        own = node.call(lambda: vista.id_of(vista.service("cart")).node)
        assert own == node.kernel.table.node
        assert node.call(lambda: vista.service("cart").list_items()) == {"tea": 1}


def test_arguments_of_create_reach_the_class(pool: Pool) -> None:
    cart = pool.found(POOL, 1, "PoolCart", "cart", ["ann"])
    assert pool.call(cart, "process_request", {"item": "tea"}) == "ann: 1"


def test_one_group_drives_several_variables(pool: Pool) -> None:
    cart = pool.found()
    other = pool.found(POOL, 1, "PoolCart", "other")
    pool.call(cart, "add", "tea")
    pool.call(other, "add", "milk")
    assert pool.call(cart, "list_items") == {"tea": 1}
    assert pool.call(other, "list_items") == {"milk": 1}
    assert pool.status("server-0")["variables"] == 2


def test_founding_again_finds_the_group_as_it_is(pool: Pool) -> None:
    pool.call(pool.found(), "add", "tea")
    assert pool.call(pool.found(), "list_items") == {"tea": 1}


def test_a_request_under_its_number_is_executed_once_whichever_proxy_asks(pool: Pool) -> None:
    pool.found()
    answers = []
    for name in ("front", "server-2"):
        proxy = pool.proxy(name)
        assert pool.node(name).call(proxy.set_next_request_id, 7) == 7
        request = ("processRequest", [{"item": "tea"}], "cart")
        answers.append(pool.node(name).call(proxy.issue_request, *request))
    assert answers == ["nobody: 1", "nobody: 1"]


def test_the_next_request_has_the_next_number(pool: Pool) -> None:
    pool.found()
    proxy = pool.proxy("front")
    pool.front.call(proxy.set_next_request_id, 7)
    request = ("processRequest", [{"item": "tea"}], "cart")
    assert [pool.front.call(proxy.issue_request, *request) for _ in range(2)] == [
        "nobody: 1",
        "nobody: 2",
    ]


def test_a_proxy_takes_no_bytes_but_those_of_a_call(pool: Pool) -> None:
    pool.found()
    proxy = pool.proxy("front")
    for operation in ([], ["drop", "cart"], ["delivered", "cart", "1", [1]]):
        data = pool.front.call(lambda told=operation: vista.encode_value(told))
        with pytest.raises(vista.BadValueError, match=r"^no call of a state variable"):
            pool.front.call(proxy.call_encoded, data, "cart", "add")
    with pytest.raises(vista.BadValueError, match=r"^no call of a state variable"):
        pool.front.call(proxy.call_encoded, "call", "cart", "add")


class PoolUser(vista.Object):
    """Asks again when it was answered."""

    def ask(self, proxy: vista.Ref, times: int) -> None:
        """Ask so often."""
        for _ in range(times):
            proxy.issue_request("add", ["tea"], "cart")

    def call(self, cart: vista.Ref, times: int) -> None:
        """Call so often."""
        for _ in range(times):
            cart.add("tea")


def ask_together(pool: Pool, users: int, times: int, method: str, asked: vista.Ref) -> int:
    """Have so many users of the front ask so often; return how many batches that took."""
    before = pool.status("server-0")["executed"]
    made = pool.front.call(lambda: [vista.create(PoolUser) for _ in range(users)])
    pool.front.call(
        lambda: vista.gather(*[vista.future(user, method, asked, times) for user in made])
    )
    executed: int = pool.status("server-0")["executed"]
    return executed - before


@pytest.mark.parametrize("way", ["call", "ask"])
def test_users_who_were_answered_together_ask_together_again(way: str) -> None:
    batches = []
    for seed in range(4):
        with make_world(seed) as world:
            pool = Pool(world)
            cart = pool.found()
            asked = cart if way == "call" else pool.proxy("front")
            batches.append(ask_together(pool, 20, 10, way, asked))
            assert pool.call(cart, "list_items") == {"tea": 200}
    # Ten would do; who comes first goes alone, and so do some later. Without rests they are 21.
    assert sum(batches) <= 4 * 17


@pytest.mark.parametrize(("enough", "rests"), [(10, range(4)), (11, range(15, 30))])
def test_where_enough_wait_a_bundle_leaves_while_others_are_answered(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, enough: int, rests: range
) -> None:
    monkeypatch.setattr("apps.solidstate.objects.proxy.ENOUGH_WAIT", enough)
    monkeypatch.setattr("apps.solidstate.objects.proxy.BUNDLE_OPERATIONS_MAX", 10)
    cart = pool.found()
    rest = pool.proxy("front")._record.entry.methods["rest"]
    before = rest.calls
    # Two halves by turns, of ten calls and as many users each.
    assert ask_together(pool, 20, 10, "call", cart) <= 20 + 4
    assert rest.calls - before in rests
    assert pool.call(cart, "list_items") == {"tea": 200}


def test_the_wait_limit_has_its_bounds(pool: Pool) -> None:
    cart = pool.found()
    proxy = pool.proxy("front")
    assert [pool.front.call(proxy.raise_wait_limit, faults) for faults in (0, 2, 9)] == [3, 3, 4]
    assert pool.call(cart, "add", "tea") == 1


# --- bad input -----------------------------------------------------------------------------


def test_too_small_a_pool_says_how_many_are_missing(world: World) -> None:
    pool = Pool(world, servers=2)
    with pytest.raises(PoolError, match=r"^4 servers tolerate 1 fault; 3 are running: start more"):
        pool.found()


def test_a_node_that_is_no_member_founds_nothing(pool: Pool) -> None:
    with pytest.raises(PoolError, match=r"needs a line ReplicaPoolMember other$"):
        pool.found("other", 1, "PoolCart", "cart")


@pytest.mark.parametrize("faults", [0, 4])
def test_numbers_of_faults_have_bounds(pool: Pool, faults: int) -> None:
    with pytest.raises(vista.BadValueError, match=r"^faults_to_tolerate is 1 to 3, not "):
        pool.found(POOL, faults, "PoolCart", "cart")


def test_modes_that_are_none_are_refused(pool: Pool) -> None:
    with pytest.raises(vista.BadValueError, match=r"^a mode is byzantine or crash.*, not 'x'$"):
        pool.found(POOL, 1, "PoolCart", "cart", mode="x")


def test_a_group_of_another_mode_is_not_taken_for_it(pool: Pool) -> None:
    pool.found()
    with pytest.raises(PoolError, match=r"was founded as byzantine for 1, and crash for 1"):
        pool.found(POOL, 1, "PoolCart", "cart", mode="crash")


def test_classes_that_are_none_are_refused(pool: Pool) -> None:
    with pytest.raises(vista.NoSuchClass, match=r"no class NoSuchCart"):
        pool.found(POOL, 1, "NoSuchCart", "cart")
    with pytest.raises(vista.BadValueError, match=r"^LinkedBell is no class of replicated objects"):
        pool.found(POOL, 1, "LinkedBell", "cart")


def test_unknown_variables_and_methods_are_refused_by_the_group(pool: Pool) -> None:
    cart = pool.found()
    proxy = pool.proxy("front")
    with pytest.raises(RefusedOperationError, match=r"^no state variable 'dog'; there are cart$"):
        pool.front.call(proxy.issue_request, "add", ["tea"], "dog")
    with pytest.raises(vista.NoSuchMethod, match=r"^PoolCart has no method 'bark'; it has add, "):
        pool.call(cart, "bark")


def test_every_member_makes_variables_of_the_classes_that_the_group_has(pool: Pool) -> None:
    pool.found()
    proxy, node = pool.proxy("server-0"), pool.node("server-0")
    mine = node.call(proxy.create_state_variable, "PoolCart", "sessions/1", "ann")
    assert node.call(lambda: mine.process_request({"item": "tea"})) == "ann: 1"
    theirs = pool.front.call(pool.proxy("front").get_state_variable, "sessions/1")
    assert pool.call(theirs, "list_items") == {"tea": 1}
    node.call(proxy.drop_state_variable, "sessions/1")
    with pytest.raises(RefusedOperationError, match=r"^no state variable 'sessions/1'"):
        pool.call(theirs, "list_items")


def test_only_the_founder_brings_classes_and_drops_what_others_made(pool: Pool) -> None:
    pool.found()
    proxy, node = pool.proxy("server-0"), pool.node("server-0")
    with pytest.raises(RefusedOperationError, match=r"^class Local\.PoolTray version 0 is brought"):
        node.call(proxy.create_state_variable, "PoolTray", "mine")
    with pytest.raises(RefusedOperationError, match=r"^cart is dropped by client-"):
        node.call(proxy.drop_state_variable, "cart")


def test_letters_that_nobody_sealed_are_dropped(pool: Pool) -> None:
    cart = pool.found()
    for number in range(4):
        server = pool.front.call(vista.service, service_name(POOL, number))
        letters = [
            (0, b""),
            (1, bytes(100)),
            ("x", b"x" * 20),
            (None, 5),
            (True, bytes(16)),
            (9, ""),
        ]
        for sender, sealed in letters:
            pool.front.call(server.take_mail, sender, sealed)
    pool.world.pass_time(1.0)
    assert pool.call(cart, "add", "tea") == 1
    assert pool.status("server-1")["refused"] == 6


def test_a_member_that_writes_without_end_silences_nobody(pool: Pool) -> None:
    cart = pool.found()
    proxy = pool.proxy("server-3")
    letters = pool.node("server-3").call(proxy.seal_noise, 0, 2 * LETTERS_MAX)
    server = pool.front.call(vista.service, service_name(POOL, 0))
    name = pool.node("server-3").call(proxy.get_status)["client"]

    def flood() -> None:
        for letter in letters:
            server.take_mail.post(name, letter)

    pool.front.call(flood)
    assert pool.call(cart, "add", "tea") == 1
    assert pool.status("server-0")["dropped"] > 0


def test_a_replica_whose_state_is_wrong_is_repaired_and_says_what_differed(pool: Pool) -> None:
    cart = pool.found()
    pool.call(cart, "add", "tea")
    pool.world.pass_time(1.0)
    server = pool.front.call(vista.service, service_name(POOL, 2))
    pool.front.call(server.spoil, "cart", {"owner": "thief", "items": {}})
    for _ in range(12):
        pool.call(cart, "add", "tea")
    pool.world.pass_time(10.0)
    told = pool.status("server-2")
    assert "diverged" in [report[1] for report in told["reports"]]
    assert told["differences"][0].startswith("cart: variable items is ")
    assert held(pool, "server-2")["items"] == {"tea": 13}


# --- messages to others --------------------------------------------------------------------


def test_what_a_replicated_object_wants_sent_arrives_with_a_key(pool: Pool) -> None:
    bell = pool.front.call(lambda: vista.create(PoolBell))
    pool.front.call(vista.register_service, "Bell", bell)
    cart = pool.found()
    pool.call(cart, "announce_to", "Bell", "sold")
    pool.world.pass_time(5.0)
    [(word, key)] = pool.front.call(bell.list_heard)
    assert word == "sold"
    assert key.endswith("/cart/1/1")


def test_what_nobody_takes_is_sent_again_until_somebody_does(pool: Pool) -> None:
    cart = pool.found()
    pool.call(cart, "announce_to", "Bell", "sold")
    pool.world.pass_time(20.0)
    bell = pool.front.call(lambda: vista.create(PoolBell))
    pool.front.call(vista.register_service, "Bell", bell)
    pool.world.pass_time(60.0)
    assert {word for word, _ in pool.front.call(bell.list_heard)} == {"sold"}
    assert len({key for _, key in pool.front.call(bell.list_heard)}) == 1


def test_what_nobody_takes_keeps_nothing_else_from_being_sent(pool: Pool) -> None:
    bell = pool.front.call(lambda: vista.create(PoolBell))
    pool.front.call(vista.register_service, "Bell", bell)
    cart = pool.found()
    pool.call(cart, "announce_to", "Nobody", "lost")
    pool.call(cart, "announce_to", "Bell", "sold")
    pool.world.pass_time(2.0)
    assert [word for word, _ in pool.front.call(bell.list_heard)] == ["sold"]


def test_what_the_proxy_that_asked_died_with_is_sent_by_another_under_the_same_key(
    pool: Pool,
) -> None:
    pool.found()
    pool.world.pass_time(5.0)
    name = "server-0"
    bell = pool.front.call(lambda: vista.create(PoolBell))

    def announce() -> None:
        vista.service("cart").announce_to("Bell", "sold")

    pool.node(name).call(announce)
    pool.world.crash(name)
    pool.front.call(vista.register_service, "Bell", bell)
    pool.world.pass_time(70.0)
    heard = pool.front.call(bell.list_heard)
    assert {word for word, _ in heard} == {"sold"}
    assert {key.rpartition("/cart/")[2] for _, key in heard} == {"1/1"}
    # And it is no longer wanted once f + 1 have said that it arrived.
    before = len(heard)
    pool.world.pass_time(70.0)
    assert len(pool.front.call(bell.list_heard)) == before


# --- losing servers ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_the_group_goes_on_without_any_one_server(pool: Pool, name: str) -> None:
    cart = pool.found()
    pool.call(cart, "add", "tea")
    pool.world.crash(name)
    assert pool.call(cart, "add", "tea") == 2


def test_a_server_that_comes_back_catches_up(pool: Pool) -> None:
    cart = pool.found()
    pool.world.crash("server-1")
    for _ in range(5):
        pool.call(cart, "add", "tea")
    pool.world.restart("server-1")
    pool.world.pass_time(20.0)
    assert held(pool, "server-1")["items"] == {"tea": 5}
    # And the group needs it from here on.
    pool.world.crash("server-2")
    assert pool.call(cart, "add", "tea") == 6


def test_what_was_answered_is_there_after_all_servers_were_killed(pool: Pool) -> None:
    cart = pool.found()
    for name in SERVERS:
        # So that what is answered before it is safe is lost by all of them.
        pool.world.medium(name).sync_seconds = 0.2
    for number in range(3):
        assert pool.call(cart, "add", "tea") == number + 1
        for name in SERVERS:
            pool.world.crash(name)
        pool.world.pass_time(3.0)
        for name in SERVERS:
            pool.world.restart(name)
    assert pool.call(cart, "list_items") == {"tea": 3}


@pytest.mark.parametrize("seed", range(30))
def test_a_call_is_answered_soon_after_all_servers_came_back_one_by_one(seed: int) -> None:
    with make_world(seed) as world:
        pool, dice = Pool(world), Random(seed)
        cart = pool.found()
        pool.call(cart, "add", "tea")
        for name in SERVERS:
            # A disk that keeps a replica longer than a primary has when nothing is known of it yet.
            world.medium(name).sync_seconds = 0.25 if seed < 10 else 0.0
            world.crash(name)
        answer = pool.front.spawn(lambda: vista.send(cart, "add", "tea"))
        gone = 0.0
        for at, name in sorted((dice.uniform(0.0, 5.0), name) for name in SERVERS):
            world.pass_time(at - gone)
            world.restart(name)
            gone = at
        world.drive(answer.done, 15.0)
        assert answer.result() == 2


def test_the_front_end_comes_back_under_its_name(pool: Pool) -> None:
    pool.call(pool.found(), "add", "tea")
    pool.world.crash("front")
    pool.world.restart("front")
    pool.world.pass_time(5.0)
    assert pool.call(pool.found(), "add", "tea") == 2


def test_without_a_majority_a_call_ends_in_time(pool: Pool) -> None:
    cart = pool.found()
    for name in ("server-0", "server-3"):
        pool.world.crash(name)

    def hurried() -> None:
        with vista.timeout(4.0):
            cart.add("tea")

    with pytest.raises(vista.CallTimeout):
        pool.front.call(hurried)


def test_what_was_given_up_before_it_was_asked_for_waits_no_longer_and_is_not_done(
    pool: Pool,
) -> None:
    cart = pool.found()
    for name in ("server-0", "server-3"):
        pool.world.crash(name)

    def hurried(thing: str) -> None:
        with contextlib.suppress(vista.CallTimeout), vista.timeout(1.0):
            cart.add(thing)

    for thing in ("under way", "behind it", "behind it", "behind it"):
        pool.front.call(hurried, thing)
    assert pool.call(pool.proxy("front"), "count_wishes") == 0
    for name in ("server-0", "server-3"):
        pool.world.restart(name)
    pool.world.pass_time(20.0)
    assert pool.call(cart, "list_items") == {"under way": 1}


def test_a_disk_that_fails_stops_its_own_replica_until_it_works(pool: Pool) -> None:
    cart = pool.found()
    count = 0
    while pool.status("server-3")["runs"] and count < 50:
        # Anew each time: what is replaced at a checkpoint makes room for some more.
        pool.world.medium("server-3").fill()
        count += 1
        assert pool.call(cart, "add", "tea") == count
    ill = pool.status("server-3")
    assert not ill["runs"]
    assert ill["ails"].startswith("its disk fails: ")
    pool.world.medium("server-3").empty()
    pool.world.pass_time(20.0)
    assert held(pool, "server-3")["items"] == {"tea": count}


def test_a_replica_that_lost_its_log_does_not_start_as_if_it_were_new(pool: Pool) -> None:
    pool.call(pool.found(), "add", "tea")
    pool.world.crash("server-2")
    disk = pool.world.disk("server-2")
    for path in list(disk.medium.files):
        disk.remove(path)
    pool.world.restart("server-2")
    pool.world.pass_time(5.0)
    told = pool.status("server-2")
    assert told["reports"][0][1] == "damaged"
    assert not told["voting"]


# --- keys ----------------------------------------------------------------------------------


def test_a_machine_with_another_key_is_refused_and_told_what_to_do(pool: Pool) -> None:
    pool.found()
    pool.world.crash("server-1")
    TIN.files["server-1"].clear()
    TIN.files["server-1"][SECRET_FILE] = b"s" * 32
    pool.world.restart("server-1")
    pool.world.pass_time(3.0)
    charter = pool.front.call(lambda: vista.service(pool_service(POOL)).offer(POOL)["charter"])
    member = pool.node("server-1").call(vista.service, pool_service(POOL))
    with pytest.raises(vista.BadValueError, match=r"does not know this machine's keys"):
        pool.node("server-1").call(member.take_charter, charter)


def test_a_group_founded_anew_is_refused_where_the_old_one_is_pinned(pool: Pool) -> None:
    pool.found()
    member = pool.front.call(vista.service, pool_service(POOL))
    charter = pool.front.call(member.offer, POOL)["charter"]
    other = charter.replace('"nonce": "', '"nonce": "0')
    with pytest.raises(PinnedKeyError, match=r"remove group-[0-9a-f]{16} on each of its servers$"):
        pool.front.call(member.take_charter, other)
