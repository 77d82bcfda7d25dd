"""Sessions while servers die, groups do not answer, and nobody comes for a long time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import vista
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.replicated import read_only
from apps.solidstate.objects.service import NAMES_AT_ONCE
from apps.solidstate.web.bounds import ANSWER_SECONDS
from apps.solidstate.web.state import HTTPreplicaStateVariable
from tests.solidstate.objects.pool import POOL, make_world
from tests.solidstate.web.shop import (
    RETIRE_SECONDS,
    SITE,
    TEMPLATES,
    TOUCH_SECONDS,
    Browser,
    Shop,
    field_of,
    serve_site,
)
from vista.testing import World

ONE, TWO = "server-0", "server-1"
SERVERS = [f"server-{number}" for number in range(4)]


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(7) as made:
        yield made


@pytest.fixture
def browser(world: World) -> Browser:
    """A browser with a session, which looks at the first page."""
    made = Shop(world).browser()
    made.begin(ONE)
    return made


@pytest.fixture(scope="module")
def calm() -> Iterator[Shop]:
    """A shop in which nothing fails."""
    with make_world(9) as world:
        yield Shop(world)


@pytest.fixture
def guest(calm: Shop) -> Browser:
    """A browser with a session there."""
    made = calm.browser()
    made.begin(ONE)
    return made


# --- servers that die ------------------------------------------------------------------------


def test_a_session_goes_on_at_another_server_after_the_first_died(browser: Browser) -> None:
    browser.put(ONE, "tea")
    browser.shop.pool.world.crash(ONE)
    assert browser.look(TWO).status == 200
    browser.put(TWO, "tea")
    browser.look(TWO)
    assert "<li>tea: 2</li>" in browser.text


def test_a_form_that_the_first_server_died_over_is_carried_out_once(browser: Browser) -> None:
    pool, form = browser.shop.pool, {"key": browser.key, "name": "tea"}
    pool.node(ONE).spawn(lambda: browser.ask_here("POST", browser.address, form))
    pool.world.pass_time(0.02)
    pool.world.crash(ONE)
    browser.put(TWO, "tea", form["key"])
    browser.look(TWO)
    assert "<li>tea: 1</li>" in browser.text


def test_a_server_that_came_back_knows_its_sessions(browser: Browser) -> None:
    browser.put(ONE, "tea")
    world = browser.shop.pool.world
    world.crash(ONE)
    world.restart(ONE)
    world.pass_time(5.0)
    assert browser.look(ONE).status == 200
    assert "<li>tea: 1</li>" in browser.text


def test_sessions_outlive_all_servers(browser: Browser) -> None:
    browser.put(ONE, "tea")
    world = browser.shop.pool.world
    for name in SERVERS:
        world.crash(name)
    for name in SERVERS:
        world.restart(name)
    world.pass_time(5.0)
    browser.look(TWO)
    assert "<li>tea: 1</li>" in browser.text


# --- a group that does not answer ------------------------------------------------------------


def test_without_a_quorum_a_page_says_so_in_time(browser: Browser) -> None:
    world = browser.shop.pool.world
    for name in ("server-2", "server-3"):
        world.crash(name)
    began = world.hub.now
    answer = browser.look(ONE)
    assert (answer.status, field_of(answer, "Retry-After")) == (503, "5")
    assert world.hub.now - began <= ANSWER_SECONDS + 0.1


def test_without_a_quorum_no_session_begins_and_none_is_entered(browser: Browser) -> None:
    world, stranger = browser.shop.pool.world, browser.shop.browser()
    for name in ("server-2", "server-3"):
        world.crash(name)
    assert stranger.ask(ONE, "GET", "/transactions").status == 503
    assert stranger.cookies == {}
    assert browser.look(TWO).status == 503
    assert browser.ask(TWO, "GET", "/transactions").status == 503


def test_a_form_that_was_not_answered_is_sent_again_and_carried_out_once(browser: Browser) -> None:
    world, key = browser.shop.pool.world, browser.key
    for name in ("server-2", "server-3"):
        world.crash(name)
    answer = browser.put(ONE, "<tea>")
    assert (answer.status, field_of(answer, "Retry-After")) == (503, "5")
    assert f'<form method="post" action="{browser.address}">' in browser.text
    assert '<input type="hidden" name="name" value="&lt;tea&gt;">' in browser.text
    assert browser.key == key
    for name in ("server-2", "server-3"):
        world.restart(name)
    world.pass_time(5.0)
    assert browser.put(TWO, "<tea>").status == 303
    browser.look(ONE)
    assert "<li>&lt;tea&gt;: 1</li>" in browser.text


def test_the_same_form_while_the_first_is_under_way_waits_for_its_result(browser: Browser) -> None:
    pool, form = browser.shop.pool, {"key": browser.key, "name": "tea"}
    for name in ("server-2", "server-3"):
        pool.world.crash(name)
    asked = []
    for server in (ONE, TWO):
        asked.append(
            pool.node(server).spawn(lambda: browser.ask_here("POST", browser.address, form))
        )
        pool.world.pass_time(2.0)
    assert not any(one.done() for one in asked)
    for name in ("server-2", "server-3"):
        pool.world.restart(name)
    pool.world.drive(lambda: all(one.done() for one in asked), 20.0)
    assert len({field_of(one.result(), "Location") for one in asked}) == 1
    assert [one.result().status for one in asked] == [303, 303]
    browser.look(ONE)
    assert "<li>tea: 1</li>" in browser.text


def test_before_its_group_is_founded_a_server_says_so(world: World) -> None:
    shop = Shop(world, found=False)
    assert shop.browser().ask(ONE, "GET", "/transactions").status == 503


def test_a_class_that_the_group_does_not_have_is_no_session(world: World) -> None:
    shop = Shop(world, serve=lambda: serve_site("WebBrief"))
    browser = shop.browser()
    assert browser.ask(ONE, "GET", "/transactions").status == 503
    assert browser.cookies == {}


def test_a_server_without_a_proxy_of_its_own_asks_nobody_elses(browser: Browser) -> None:
    node, proxy = browser.shop.pool.node(ONE), browser.shop.pool.proxy(ONE)
    node.call(proxy.delete_yourself)
    browser.shop.pool.world.pass_time(1.0)
    assert node.call(vista.service, POOL) != proxy
    assert browser.look(ONE).status == 503
    assert browser.shop.browser().ask(ONE, "GET", "/transactions").status == 503


def test_what_a_server_asks_by_the_way_does_not_wait_for_ever(browser: Browser) -> None:
    world, proxy = browser.shop.pool.world, browser.shop.pool.proxy(ONE)
    world.pass_time(TOUCH_SECONDS)
    for name in ("server-2", "server-3"):
        world.crash(name)
    browser.look(ONE)
    world.pass_time(RETIRE_SECONDS)
    waiting = browser.shop.pool.node(ONE).call(proxy.get_status)["waiting"]
    assert waiting <= 2, "one look for messages, and one that retires sessions"


# --- sessions that end -----------------------------------------------------------------------


class WebBrief(HTTPreplicaStateVariable):
    """A session that ends soon, unless it has something to send."""

    idle_seconds: ClassVar[float] = 60.0
    unused_seconds: ClassVar[float] = 30.0

    @read_only
    def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        return {"lines": [], "kinds": 0}

    def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
        if "target" in fields:
            self.outbox.post(fields["target"], "hear", "word")
        return {"page": "index.html"}


@pytest.fixture(scope="module")
def brief() -> Iterator[Shop]:
    """A site whose sessions end soon."""
    with make_world(8) as world:
        yield Shop(world, serve=lambda: serve_site("WebBrief"), cls=WebBrief)


def retire(shop: Shop) -> None:
    """Have the group forget what is over."""
    shop.pool.call(shop.pool.proxy("front"), "retire_state_variables")


def test_a_session_ends_in_which_nothing_was_changed_for_long(brief: Shop) -> None:
    browser = brief.browser()
    browser.begin(ONE)
    browser.put(ONE, "tea")
    brief.pool.world.pass_time(65.0)
    retire(brief)
    assert browser.look(ONE).status == 410
    assert 'href="/transactions?type=shop"' in browser.text
    assert browser.look(TWO).status == 410


def test_after_its_session_ended_a_browser_gets_another_one(brief: Shop) -> None:
    browser = brief.browser()
    browser.begin(ONE)
    before = browser.id
    brief.pool.world.pass_time(40.0)
    retire(brief)
    browser.look(ONE)
    browser.begin(ONE)
    assert browser.id != before
    assert "<title>" in browser.text


def test_a_session_with_messages_to_send_does_not_end(brief: Shop) -> None:
    browser = brief.browser()
    browser.begin(ONE)
    form = {"key": browser.key, "target": "nobody"}
    browser.ask(ONE, "POST", browser.address, form)
    brief.pool.world.pass_time(100.0)
    retire(brief)
    assert browser.look(ONE).status == 200


def test_a_message_that_can_go_nowhere_keeps_no_session(brief: Shop) -> None:
    browser = brief.browser()
    browser.begin(ONE)
    browser.ask(ONE, "POST", browser.address, {"key": browser.key, "target": ""})
    brief.pool.world.pass_time(100.0)
    retire(brief)
    assert browser.look(ONE).status == 410


def test_who_looks_at_a_session_for_long_keeps_it(guest: Browser) -> None:
    world = guest.shop.pool.world
    world.pass_time(TOUCH_SECONDS + 1)
    guest.look(ONE)
    world.pass_time(1.0)
    assert used(guest) > 0


class WebHasty(WebBrief):
    """A session that ends sooner than servers usually tell that somebody looks."""

    unused_seconds: ClassVar[float] = TOUCH_SECONDS - 2


def test_who_looks_at_a_session_that_ends_soon_keeps_it(world: World) -> None:
    browser = Shop(world, serve=lambda: serve_site("WebHasty"), cls=WebHasty).browser()
    browser.begin(ONE)
    for _ in range(5):
        world.pass_time(3.0)
        browser.look(ONE)
        retire(browser.shop)
    assert browser.look(ONE).status == 200


def used(browser: Browser) -> int:
    """When the session was used last, as a replica has it."""
    name = f"sessions/{browser.id}"
    service = service_name(POOL, 2)
    found: int = browser.shop.pool.node("server-2").call(
        lambda: vista.service(service).get_used(name)
    )
    return found


def test_a_page_that_is_looked_at_is_no_change(guest: Browser) -> None:
    guest.look(ONE)
    assert used(guest) == 0


def test_who_comes_to_another_server_uses_his_session(guest: Browser) -> None:
    guest.look(TWO)
    assert used(guest) > 0


def test_servers_have_the_group_forget_what_is_over(brief: Shop) -> None:
    browser = brief.browser()
    browser.begin(ONE)
    brief.pool.world.pass_time(60.0)
    told = brief.pool.call(brief.pool.proxy("front"), "list_state_variables")
    assert f"sessions/{browser.id}" not in told


def test_a_group_of_many_sessions_tells_and_forgets_them_in_portions(brief: Shop) -> None:
    front, proxy = brief.pool.front, brief.pool.proxy("front")
    many = NAMES_AT_ONCE + 5

    def make() -> None:
        name = ["Local", "WebBrief", 0]
        vista.gather(
            *(vista.future(proxy, "make_state_variable", name, f"many/{n}") for n in range(many))
        )

    def list_many() -> int:
        return sum(name.startswith("many/") for name in proxy.list_state_variables())

    front.call(make)
    assert front.call(list_many) == many
    brief.pool.world.pass_time(31.0)
    front.call(proxy.retire_state_variables)
    assert front.call(list_many) == 0


# --- registering -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((SITE, "a b", "WebCart", TEMPLATES), "a transaction type is called by"),
        ((SITE, "pool", "PoolCart", TEMPLATES), "PoolCart is no web application"),
        ((SITE, "bell", "PoolBell", TEMPLATES), "PoolBell is no class of replicated objects"),
        ((SITE, "cart", "WebCart", f"{TEMPLATES}/none"), "no folder "),
        ((SITE, "cart", "WebCart", f"{TEMPLATES}/.."), "has no index.html, with which a session"),
    ],
    ids=["type", "class", "object", "folder", "index"],
)
def test_a_type_that_cannot_be_is_refused(
    guest: Browser, args: tuple[str, ...], words: str
) -> None:
    node = guest.shop.pool.node(ONE)
    with pytest.raises(vista.BadValueError, match=words):
        node.call(lambda: vista.create("RegisterReplicaHTTPclass", *args))


def test_a_type_that_is_registered_twice_is_refused(guest: Browser) -> None:
    node = guest.shop.pool.node(ONE)
    with pytest.raises(vista.ServiceTaken):
        node.call(
            lambda: vista.create("RegisterReplicaHTTPclass", SITE, "shop", "WebCart", TEMPLATES)
        )


def test_types_of_other_nodes_are_none_of_a_server(world: World) -> None:
    shop = Shop(world, serving=(ONE,))
    node = shop.pool.node(TWO)
    node.call(lambda: vista.create("URLdirectory", SITE))
    node.call(lambda: vista.create("CreateReplicaHTTPsession", SITE))
    assert shop.browser().ask(TWO, "GET", "/transactions?type=shop").status == 404


def test_a_group_has_to_be_named_where_there_is_no_pool(world: World) -> None:
    node = world.node("alone")

    def create() -> None:
        vista.create("URLdirectory", SITE)
        vista.create("CreateReplicaHTTPsession", SITE)

    with pytest.raises(vista.BadValueError, match=r"^this node is a member of none: name the gr"):
        node.call(create)


def test_a_rate_below_nothing_is_refused(guest: Browser) -> None:
    node = guest.shop.pool.node(ONE)
    with pytest.raises(vista.BadValueError, match=r"^sessions_per_minute is 0 or more, not -1"):
        node.call(lambda: vista.create("CreateReplicaHTTPsession", SITE, "", POOL, "/more", -1.0))
