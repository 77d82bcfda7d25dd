"""Sessions that a group keeps: their addresses, their forms, and servers that come and go."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import vista
from apps.http.content.resources import Response
from apps.solidstate.web.bounds import FIELDS_MAX, FORM_CHARACTERS_MAX, QUERY_CHARACTERS_MAX
from apps.solidstate.web.tickets import session_id
from tests.solidstate.objects.pool import POOL, make_world
from tests.solidstate.web.shop import AT_ONCE, LOCAL_MAX, SITE, Browser, Shop, field_of

ONE, TWO = "server-0", "server-1"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A shop in which nothing fails."""
    with make_world(5) as world:
        yield Shop(world)


@pytest.fixture
def browser(shop: Shop, request: pytest.FixtureRequest) -> Browser:
    """A browser with a session, which shows the first page; each has an address of its own."""
    made = shop.browser(request.node.name)
    made.begin(ONE)
    return made


def lines(browser: Browser) -> list[str]:
    """What the page lists."""
    return re.findall(r"<li>(.*?)</li>", browser.text)


# --- beginning -------------------------------------------------------------------------------


def test_who_comes_to_the_page_gets_a_session_and_is_led_to_it(shop: Shop) -> None:
    browser = shop.browser()
    answer = browser.ask(ONE, "GET", "/transactions?type=shop")
    assert answer.status == 303
    place = r"/transactions/sessions/[0-9a-f]{32}/proxy\?page=index\.html"
    assert re.fullmatch(place, browser.at)
    assert browser.look(ONE).status == 200
    assert "<title>index.html of shop</title>" in browser.text


def test_the_cookie_of_a_session_is_for_the_server_alone(shop: Shop) -> None:
    answer = shop.browser().ask(ONE, "GET", "/transactions?type=shop")
    cookie = field_of(answer, "Set-Cookie")
    assert re.fullmatch(
        r"replica-shop=[\w-]{43}; Path=/transactions; HttpOnly; SameSite=Lax", cookie
    )


def test_over_tls_the_cookie_is_for_tls_alone(shop: Shop) -> None:
    browser = shop.browser()
    request = browser.request("GET", "/transactions?type=shop")._replace(secure=True)
    assert field_of(browser.send(ONE, request), "Set-Cookie").endswith(
        "; Secure; HttpOnly; SameSite=Lax"
    )


def test_the_address_of_a_session_does_not_show_its_secret(browser: Browser) -> None:
    assert browser.cookies["replica-shop"] not in browser.at


def test_who_comes_back_is_led_to_the_session_he_has(browser: Browser) -> None:
    before = browser.id
    browser.ask(TWO, "GET", "/transactions?type=shop")
    assert browser.id == before


def test_the_only_type_need_not_be_named(shop: Shop) -> None:
    browser = shop.browser()
    assert browser.ask(ONE, "GET", "/transactions").status == 303


@pytest.mark.parametrize("kind", ["forum", "../shop", "<b>", "SHOP"])
def test_a_type_that_nobody_registered_is_not_found(shop: Shop, kind: str) -> None:
    browser = shop.browser()
    assert browser.ask(ONE, "GET", f"/transactions?type={kind}").status == 404
    assert kind not in browser.text


def test_who_only_asks_for_the_head_begins_nothing(shop: Shop) -> None:
    answer = shop.browser().ask(ONE, "HEAD", "/transactions?type=shop")
    assert (answer.status, field_of(answer, "Set-Cookie")) == (200, "")


def test_no_page_is_kept_or_framed_or_told_of(browser: Browser) -> None:
    for answer in (browser.look(ONE), browser.put(ONE, "tea"), browser.put(ONE, "", key="x")):
        assert field_of(answer, "Cache-Control") == "no-store"
        assert field_of(answer, "Referrer-Policy") == "same-origin"
        assert "frame-ancestors 'none'" in field_of(answer, "Content-Security-Policy")
        assert field_of(answer, "X-Content-Type-Options") == "nosniff"


# --- whose session it is ---------------------------------------------------------------------


def test_the_address_alone_lets_nobody_in(shop: Shop, browser: Browser) -> None:
    stranger = shop.browser()
    answer = stranger.ask(ONE, "GET", browser.at)
    assert answer.status == 403
    assert 'href="/transactions"' in stranger.text


def test_the_cookie_of_one_session_opens_no_other(shop: Shop, browser: Browser) -> None:
    stranger = shop.browser()
    stranger.begin(ONE)
    assert stranger.ask(TWO, "GET", browser.at).status == 403


def test_a_form_without_the_cookie_does_nothing(shop: Shop, browser: Browser) -> None:
    stranger = shop.browser()
    form = {"key": browser.key, "name": "tea"}
    assert stranger.ask(ONE, "POST", browser.address, form).status == 403
    browser.look(ONE)
    assert lines(browser) == []


@pytest.mark.parametrize("id", ["x", "0" * 31, "0" * 33, "G" * 32, "..", ""])
def test_what_is_no_id_is_not_found(shop: Shop, id: str) -> None:
    assert shop.browser().ask(ONE, "GET", f"/transactions/sessions/{id}/proxy").status == 404


def test_a_session_that_somebody_made_up_is_over(shop: Shop) -> None:
    browser = shop.browser("made-up")
    assert browser.ask(ONE, "GET", made_up(browser, 7)).status == 410
    assert 'href="/transactions?type=shop"' in browser.text


def test_who_comes_with_a_cookie_of_no_session_gets_a_fresh_one(shop: Shop) -> None:
    browser = shop.browser("stale")
    browser.cookies["replica-shop"] = "s" * 43
    browser.begin(ONE)
    assert browser.cookies["replica-shop"] != "s" * 43
    assert "<title>" in browser.text


# --- forms -----------------------------------------------------------------------------------


def test_a_form_is_carried_out_and_leads_to_a_page(browser: Browser) -> None:
    answer = browser.put(ONE, "tea")
    assert answer.status == 303
    assert browser.at == f"{browser.address}?page=index.html&count=1"
    browser.look(ONE)
    assert lines(browser) == ["tea: 1"]


def test_a_session_goes_on_at_another_server(browser: Browser) -> None:
    browser.put(TWO, "tea")
    browser.look(ONE)
    browser.put(ONE, "tea")
    browser.look(TWO)
    assert lines(browser) == ["tea: 2"]


def test_the_same_form_again_is_carried_out_once_whichever_server_gets_it(browser: Browser) -> None:
    key = browser.key
    led = []
    for server in (ONE, ONE, TWO):
        browser.put(server, "tea", key)
        led.append(browser.at)
    assert len(set(led)) == 1
    browser.look(TWO)
    assert lines(browser) == ["tea: 1"]


def test_the_same_form_on_two_servers_at_once_is_carried_out_once(browser: Browser) -> None:
    form = {"key": browser.key, "name": "tea"}
    pool = browser.shop.pool
    asked = [
        pool.node(server).spawn(lambda: browser.ask_here("POST", browser.address, form))
        for server in (ONE, TWO, ONE, TWO)
    ]
    pool.world.drive(lambda: all(one.done() for one in asked), 20.0)
    answers: list[Response] = [one.result() for one in asked]
    assert {field_of(answer, "Location") for answer in answers} == {browser.at}
    browser.look(ONE)
    assert lines(browser) == ["tea: 1"]


def test_a_form_that_was_corrected_is_another_one(browser: Browser) -> None:
    key = browser.key
    assert browser.put(ONE, "", key).status == 400
    assert browser.put(ONE, "tea", key).status == 303
    browser.look(ONE)
    assert lines(browser) == ["tea: 1"]


def test_a_form_without_the_key_of_its_page_does_nothing(shop: Shop, browser: Browser) -> None:
    other = shop.browser("other")
    other.begin(ONE)
    for key in ("", "0" * 64, other.key, browser.key[:-1] + "\u00e9"):
        assert browser.put(ONE, "tea", key).status == 403
    browser.look(ONE)
    assert lines(browser) == []


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", f"http://{SITE}.example"])
def test_a_form_from_another_site_does_nothing(browser: Browser, origin: str) -> None:
    assert browser.put(ONE, "tea", origin=origin).status == 403
    browser.look(ONE)
    assert lines(browser) == []


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({f"f{number}": "" for number in range(FIELDS_MAX)}, 413),
        ({"name": "x" * FORM_CHARACTERS_MAX}, 413),
    ],
    ids=["fields", "characters"],
)
def test_a_form_has_bounds(browser: Browser, form: dict[str, str], status: int) -> None:
    told = {"key": browser.key, **form}
    assert browser.ask(ONE, "POST", browser.address, told).status == status


@pytest.mark.parametrize(
    "query", ["x" * (QUERY_CHARACTERS_MAX + 1), "&" * FIELDS_MAX], ids=["characters", "parameters"]
)
def test_an_address_has_bounds(browser: Browser, query: str) -> None:
    assert browser.ask(ONE, "GET", f"{browser.address}?{query}").status == 414
    assert browser.ask(ONE, "GET", f"/transactions?{query}").status == 414


def test_a_form_brings_no_files(browser: Browser) -> None:
    body = '--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    told = browser.request("POST", browser.address, {})._replace(body=body.encode())
    values = told.header() | {"content-type": "multipart/form-data; boundary=b"}
    told = told._replace(header_names="\n".join(values), header_values="\n".join(values.values()))
    assert browser.send(ONE, told).status == 400


def test_what_is_no_form_is_refused(browser: Browser) -> None:
    told = browser.request("POST", browser.address)._replace(body=b"{}")
    assert browser.send(ONE, told).status == 415


# --- what goes wrong -------------------------------------------------------------------------


def test_the_words_of_a_value_error_are_for_the_user(browser: Browser) -> None:
    assert browser.put(ONE, "").status == 400
    assert "<h1>400 Bad Request</h1><p>Say what you &lt;would&gt; like.</p>" in browser.text


@pytest.mark.parametrize("name", ["broken", "endless", "nowhere", "unfit"])
def test_what_the_class_does_wrong_is_a_page_without_its_words(browser: Browser, name: str) -> None:
    assert browser.put(ONE, name).status == 500
    assert "secret of the class" not in browser.text
    assert browser.ask(ONE, "GET", browser.address).status == 200


@pytest.mark.parametrize("query", ["fail", "odd"])
def test_a_page_that_cannot_be_made_says_so(browser: Browser, query: str) -> None:
    assert browser.ask(ONE, "GET", f"{browser.address}?{query}=").status == 500
    assert "secret of the class" not in browser.text


@pytest.mark.parametrize(
    "page", ["none.html", "../index.html", "lines.row.html", "", "index.html%00", "error.html"]
)
def test_a_page_without_a_template_is_not_found(browser: Browser, page: str) -> None:
    assert browser.ask(ONE, "GET", f"{browser.address}?page={page}").status == 404


def test_an_address_below_a_session_that_nothing_has_is_not_found(browser: Browser) -> None:
    assert browser.ask(ONE, "GET", f"{browser.address}/more").status == 404


def test_the_address_of_a_session_itself_leads_to_its_first_page(browser: Browser) -> None:
    root = browser.address.removesuffix("/proxy")
    assert browser.ask(ONE, "GET", root).status == 303
    assert browser.look(ONE).status == 200


# --- floods ----------------------------------------------------------------------------------


def test_an_address_that_begins_too_many_sessions_has_to_wait(shop: Shop) -> None:
    told = [Browser(shop, "flood").ask(ONE, "GET", "/transactions") for _ in range(AT_ONCE + 5)]
    assert {303, 429} == {answer.status for answer in told}
    assert field_of(told[-1], "Retry-After") == "60"
    assert shop.browser("calm").ask(ONE, "GET", "/transactions").status == 303


def made_up(browser: Browser, number: int) -> str:
    """Give a browser a secret of its own, and return the address of the session it is for."""
    secret = browser.cookies["replica-shop"] = f"{number:043}"
    return f"/transactions/sessions/{session_id('shop', secret)}/proxy"


def test_sessions_that_are_made_up_count_as_well(shop: Shop) -> None:
    browser = shop.browser("guesser")
    told = [
        browser.ask(ONE, "GET", made_up(browser, number)).status for number in range(AT_ONCE + 5)
    ]
    assert set(told) == {410, 429}


def test_sessions_that_are_made_up_at_once_are_counted_before_the_group_is_asked(
    shop: Shop,
) -> None:
    pool = shop.pool
    asked = []
    for number in range(AT_ONCE + 5):
        browser = shop.browser("guessers")
        address = made_up(browser, number)
        asked.append(pool.node(ONE).spawn(lambda b=browser, a=address: b.ask_here("GET", a).status))
    pool.world.drive(lambda: all(one.done() for one in asked), 20.0)
    assert [one.result() for one in asked].count(410) == AT_ONCE


def test_who_comes_to_another_server_with_his_session_is_not_counted(
    shop: Shop, browser: Browser
) -> None:
    others = [shop.browser(f"{browser.client}-{number}") for number in range(AT_ONCE + 5)]
    for other in others:
        other.begin(ONE)
        other.client = "office"
    assert {other.look(TWO).status for other in others} == {200}


def test_who_has_a_session_goes_on_although_his_address_begins_too_many(
    shop: Shop, browser: Browser
) -> None:
    guesser = shop.browser("many")
    while guesser.ask(ONE, "GET", made_up(guesser, 1)).status != 429:
        pass
    browser.client = "many"
    assert browser.look(ONE).status == 200


# --- what a server has of sessions -----------------------------------------------------------


def sessions_of(shop: Shop, server: str) -> vista.Ref:
    """Who begins sessions on a server."""
    found: vista.Ref = shop.pool.node(server).call(vista.service, "sessions")
    return found


def test_a_server_keeps_objects_for_the_sessions_used_last(shop: Shop, browser: Browser) -> None:
    browser.put(ONE, "tea")
    for number in range(LOCAL_MAX + 5):
        shop.browser(f"guest-{number}").ask(ONE, "GET", "/transactions")
    known = shop.pool.node(ONE).call(sessions_of(shop, ONE).get_sessions)
    assert len(known) == LOCAL_MAX
    assert browser.id not in known
    browser.look(ONE)
    assert lines(browser) == ["tea: 1"]


def test_two_requests_at_once_for_a_session_that_a_server_does_not_know(browser: Browser) -> None:
    pool = browser.shop.pool
    asked = [pool.node(TWO).spawn(lambda: browser.ask_here("GET", browser.at)) for _ in range(3)]
    pool.world.drive(lambda: all(one.done() for one in asked), 20.0)
    assert [one.result().status for one in asked] == [200] * 3
    assert browser.look(TWO).status == 200


def test_a_session_whose_objects_went_leaves_no_address(shop: Shop, browser: Browser) -> None:
    node = shop.pool.node(ONE)
    directory = node.call(vista.service, f"URLdirectory:{SITE}")
    target = node.call(sessions_of(shop, ONE).lookup_session, browser.id)
    node.call(target.delete_yourself)
    shop.pool.world.pass_time(0.1)
    assert node.call(sessions_of(shop, ONE).lookup_session, browser.id) is None
    assert not [path for path in node.call(directory.get_paths) if browser.id in path]
    assert browser.look(ONE).status == 200


def test_objects_that_were_made_before_do_not_end_a_session(shop: Shop, browser: Browser) -> None:
    node, sessions = shop.pool.node(ONE), sessions_of(shop, ONE)
    # It went for another one, and says so when that is there already.
    node.call(lambda: sessions.note_session_terminated(proxy_of_node(browser), browser.id))
    assert node.call(sessions.lookup_session, browser.id) is not None


def proxy_of_node(browser: Browser) -> vista.Ref:
    """The proxy of a session on this node."""
    found: vista.Ref = vista.service("sessions").lookup_session(browser.id).get_proxy()
    return found


def test_an_answer_goes_to_whoever_is_named_as_in_the_original(shop: Shop) -> None:
    def begin() -> Response | None:
        reply = vista.create("HTTPreply")
        vista.create(
            "ReplicaHTTPsession", "0" * 32, vista.service("sessions"), POOL, "SimulatedHTTPproxy",
            {"type": "shop"}, None, None, "send_result", reply,
        )  # fmt: skip
        answer: Response | None = reply.wait_for_answer()
        return answer

    answer = shop.pool.node(ONE).call(begin)
    assert answer is not None
    assert field_of(answer, "Location").endswith("/proxy?page=index.html")


# --- as in the original ----------------------------------------------------------------------


def proxy_of(shop: Shop, browser: Browser) -> vista.Ref:
    """The proxy of a session on a server."""
    made: vista.Ref = shop.pool.node(ONE).call(lambda: proxy_of_node(browser))
    return made


def test_a_page_is_made_once_and_registered(shop: Shop, browser: Browser) -> None:
    proxy, node = proxy_of(shop, browser), shop.pool.node(ONE)
    name = f"{browser.address}/receipt.html"
    told = {"status": 7, "reason": "<b>", "words": "tea"}
    made = node.call(lambda: proxy.load_and_register("error.html", SITE, name, told))
    assert node.call(lambda: proxy.load_and_register("error.html", SITE, name, {})) == made
    assert browser.ask(ONE, "GET", name).status == 200
    assert browser.text == "<h1>7 &lt;b&gt;</h1><p>tea</p>\n"
    assert shop.browser().ask(ONE, "GET", name).status == 403


@pytest.mark.parametrize(
    ("page", "host", "path"),
    [
        ("none.html", SITE, "/x"),
        ("error.html", "elsewhere.example", "/x"),
        ("error.html", SITE, "/../../x"),
    ],
    ids=["no template", "no site", "no address below"],
)
def test_a_page_that_cannot_be_registered_is_none(
    shop: Shop, browser: Browser, page: str, host: str, path: str
) -> None:
    proxy = proxy_of(shop, browser)
    name = f"{browser.address}{path}" if path == "/x" else f"/transactions{path}"
    assert shop.pool.node(ONE).call(lambda: proxy.load_and_register(page, host, name, {})) is None


def test_a_proxy_knows_the_sites_of_its_node(shop: Shop, browser: Browser) -> None:
    proxy, node = proxy_of(shop, browser), shop.pool.node(ONE)
    directory = node.call(vista.service, f"URLdirectory:{SITE}")
    assert node.call(proxy.note_server_name, SITE) == directory
    assert node.call(proxy.note_server_name, "elsewhere.example") is None


def test_a_proxy_asks_the_group_as_a_replica_client_proxy_does(
    shop: Shop, browser: Browser
) -> None:
    proxy, node = proxy_of(shop, browser), shop.pool.node(ONE)
    told = node.call(lambda: proxy.issue_request("processRequest", [{"name": "tea"}]))
    assert told == {"page": "index.html", "query": {"count": 1}}
