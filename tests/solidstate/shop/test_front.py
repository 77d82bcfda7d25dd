"""The front end of a pool and the page of its machines, which say what a test wants."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

import vista
from apps.http.objects.proxy import HTTPproxy
from apps.solidstate.objects.member import pool_service
from apps.solidstate.shop.front import ADDRESSES_MAX, ForwardToPool
from apps.solidstate.shop.machines import ShopMachines
from tests.http.objects.served import Site, served, wait_until

POOL = "carts"


class FrontOfTold(ForwardToPool):
    """A front end that is told what the machines say."""

    def place(self, machine: bytes, address: str) -> None:
        self._places.setdefault(address, set()).add(machine)
        self.add_server(address, address)

    def find(self, served: list[tuple[str, str]], *members: str, own: bool = True) -> None:
        """Hear which machines serve at which addresses, of all that are there; ``own`` is too."""
        nodes = {name: name.ljust(10).encode() for name in members}
        ids = {name: vista.Id.make(node, 1) for name, node in nodes.items()}
        rows = [
            vista.ServiceRow(f"HTTPdaemon:{address}", ids[name], "", name)
            for name, address in served
        ]
        here = vista.id_of(vista.here())
        there = {nodes[name]: id for name, id in ids.items()}
        self._find_servers(rows, there | ({here.node: here} if own else {}))

    def weigh(self, told: dict[bytes, dict[str, Any]], now: float) -> None:
        self._weigh(told, now)

    def look_at_pool(self) -> None:
        """It is not looked for."""


class ToldMember(vista.Object):
    """A machine of a pool; one that may fail notes how it is told to."""

    def create(self, status: dict[str, Any], fails: bool = True) -> None:
        self.status = status
        self.fails = fails
        self.told: list[Any] = []
        vista.register_service(pool_service(POOL), self)

    def get_status(self) -> dict[str, Any]:
        return self.status

    def fail(self, how: str) -> None:
        self.told.append(how)

    def wake(self, pid: int) -> None:
        self.told.append(pid)

    def fall_silent(self) -> None:
        """Say no longer how it is."""
        del self.status

    def get_told(self) -> list[Any]:
        return self.told


class ToldFront(vista.Object):
    """A front end at an address."""

    def create(self, address: str) -> None:
        self.address = address

    def get_address(self) -> str:
        return self.address

    def get_url(self) -> str:
        return "http://127.0.0.1:8090/"

    def get_servers(self) -> list[dict[str, Any]]:
        return [{"name": "town-2 at tcp:127.0.0.1:1", "state": "in", "open": 3}]


def status(node: str, replica: int | None, disagreed: dict[Any, Any], **more: Any) -> Any:
    """What a machine tells of itself."""
    server = {
        "group": POOL, "id": replica, "faults": 1, "runs": True, "voting": True, "view": 4,
        "primary": 2, "executed": 40, "stable": 32, "starts": 1, "ails": "", "reports": [],
    }  # fmt: skip
    return {
        "node": node, "pool": POOL, **more,
        "servers": {} if replica is None else {POOL: server},
        "proxies": {POOL: {"group": POOL, "enough": 2, "disagreed": disagreed}},
    }  # fmt: skip


@pytest.fixture
def site() -> Iterator[Site]:
    """A node with a site."""
    with served() as made:
        yield made


# --- who lies ------------------------------------------------------------------------------


class Town:
    """A front end, and machines A to D with replicas 0 to 3; the front end's own has none."""

    def __init__(self) -> None:
        self.front = vista.create(FrontOfTold, "tcp:127.0.0.1:0", POOL, "")
        self.own = vista.id_of(vista.here()).node
        for number, name in enumerate("ABCD"):
            self.front.place(name.encode(), f"tcp:127.0.0.1:{number + 1}")
        self.now = 100.0
        self.numbers = dict(zip("ABCD", range(4), strict=True))

    def say(self, own: Any = None, **counts: Any) -> dict[str, str]:
        """Have machines tell what they counted; return those that are accused, and why."""
        self.now += 1.0
        told = {self.own: status("town-front", None, own or {})}
        for name, number in self.numbers.items():
            told[name.encode()] = status(f"town-{name}", number, counts.get(name, {}))
        # How many have to agree is not what any of them says.
        told[b"D"]["proxies"][POOL]["enough"] = 99
        self.front.weigh(told, self.now)
        return {
            row["name"].partition(" ")[0]: row["state"]
            for row in self.front.get_servers()
            if "otherwise" in row["state"]
        }


@pytest.mark.usefixtures("site")
def test_a_machine_that_enough_others_accuse_is_out_and_comes_back() -> None:
    town = Town()
    assert town.say() == {}
    assert town.say(A={1: 1}, own={1: 1}) == {
        "town-B": "out: replica 1 answers otherwise than was proven"
    }
    assert town.say(A={1: 1}, own={1: 1}) != {}
    town.now += 30.0
    assert town.say(A={1: 1}, own={1: 1}) == {}


@pytest.mark.usefixtures("site")
def test_a_machine_that_one_other_accuses_stays() -> None:
    town = Town()
    town.say()
    assert town.say(A={0: 9, 1: 5, 2: 5, 3: 5}) == {}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("nonsense", [None, [], {"1": 2}, {1: "2"}, {1: 2.5}, {True: 1}, "x"])
def test_what_a_machine_tells_may_be_anything(nonsense: Any) -> None:
    town = Town()
    town.say()
    assert town.say(A=nonsense, B=nonsense, C=nonsense) == {}


@pytest.mark.usefixtures("site")
def test_a_machine_that_lies_is_out_whatever_number_it_names() -> None:
    town = Town()
    town.say()
    town.numbers["B"] = 3
    assert list(town.say(A={1: 1}, own={1: 1})) == ["town-B"]


@pytest.mark.usefixtures("site")
def test_a_machine_that_names_the_address_of_another_one_takes_no_clients_from_it() -> None:
    town = Town()
    town.front.place(b"B", "tcp:127.0.0.1:3")  # which is C's
    town.say()
    assert list(town.say(A={1: 1}, own={1: 1})) == ["town-B"]


@pytest.mark.usefixtures("site")
def test_a_machine_stays_out_while_this_node_does_not_say_how_many_must_agree() -> None:
    town = Town()
    town.say()
    accused = town.say(A={1: 1}, own={1: 1})
    town.front.weigh({b"B": status("town-B", 1, {})}, town.now)
    assert "otherwise" in town.front.get_servers()[1]["state"]
    assert accused != {}


@pytest.mark.usefixtures("site")
def test_nobody_is_out_before_it_is_known_how_many_must_agree() -> None:
    town = Town()
    town.front.weigh({b"B": status("town-B", 1, {})}, town.now)
    assert "otherwise" not in town.front.get_servers()[1]["state"]


# --- which servers there are ---------------------------------------------------------------


def addresses(front: vista.Ref) -> list[str]:
    """Where a front end finds its servers."""
    return [row["address"] for row in front.get_servers()]


@pytest.fixture
def front(site: Site) -> vista.Ref:
    """A front end that is told which servers there are."""
    assert site.node is not None
    return vista.create(FrontOfTold, "tcp:127.0.0.1:0", POOL, "")


def test_all_sites_of_a_machine_are_its_servers(front: vista.Ref) -> None:
    both = [("A", "tcp:127.0.0.1:1"), ("A", "tcp:127.0.0.1:2")]
    front.find(both, "A")
    front.find(both, "A")
    assert addresses(front) == ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"]
    front.find(both[1:], "A")
    assert addresses(front) == ["tcp:127.0.0.1:2"]


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a server that is well."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as made:
        yield f"tcp:127.0.0.1:{made.getsockname()[1]}"


def test_a_site_that_a_machine_closed_is_left_at_once(front: vista.Ref, listening: str) -> None:
    front.find([("A", listening)], "A")
    front.find([], "A")
    assert addresses(front) == []


def test_a_machine_whose_link_broke_is_used_while_it_is_well(
    front: vista.Ref, listening: str
) -> None:
    front.find([("A", listening)], "A")
    front.find([])
    assert addresses(front) == [listening]


def test_a_machine_that_is_gone_is_left(front: vista.Ref) -> None:
    front.find([("A", "tcp:127.0.0.1:1")], "A")
    wait_until(lambda: front.get_servers()[0]["state"] != "in")  # nobody listens there
    front.find([])
    assert addresses(front) == []


def test_a_machine_that_began_again_at_its_address_stays(front: vista.Ref) -> None:
    old, again = ("A", "tcp:127.0.0.1:1"), ("A2", "tcp:127.0.0.1:1")
    front.find([old], "A")
    front.find([old, again], "A", "A2")
    wait_until(lambda: front.get_servers()[0]["state"] != "in")  # nobody listens there
    front.find([again], "A2")
    assert addresses(front) == ["tcp:127.0.0.1:1"]


@pytest.mark.parametrize("words", ["tcp:nowhere", "tcp:a..b:80", f"tcp:{'x' * 70}:80"])
def test_a_machine_that_names_no_address_does_not_keep_others_away(
    front: vista.Ref, words: str
) -> None:
    front.find([("A", words), ("B", "tcp:127.0.0.1:2")], "A", "B")
    assert addresses(front) == ["tcp:127.0.0.1:2"]


@pytest.mark.parametrize("own", [True, False], ids=["member", "no member"])
def test_a_front_end_that_hears_of_no_lies_says_so_once(
    front: vista.Ref, own: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.solidstate")
    for _ in range(4):
        front.find([], "A", own=own)
    said = [record.getMessage() for record in caplog.records if POOL in record.getMessage()]
    words = (
        "pool carts: this node has no line ReplicaPoolMember carts, so machines that lie keep "
        "their clients"
    )
    assert said == ([] if own else [words])


def test_a_machine_that_names_addresses_without_end_gets_some(front: vista.Ref) -> None:
    front.find([("A", f"tcp:127.0.0.1:{port}") for port in range(1, 99)], "A")
    assert len(addresses(front)) == ADDRESSES_MAX


# --- the page of the machines --------------------------------------------------------------


@pytest.fixture
def member(site: Site) -> vista.Ref:
    """The only machine."""
    assert site.node is not None
    return vista.create(ToldMember, status("town-2", 1, {}, pid=4711, lies=False))


def machines(switches: bool, address: str = "tcp:127.0.0.1:8090") -> None:
    """The page, at the site."""
    vista.create(ShopMachines, POOL, vista.create(ToldFront, address), switches)
    vista.create(HTTPproxy, "localhost", "/machines", "machines")


def post(site: Site, fields: dict[str, str], *more: str) -> int:
    """Send a form; return the status of the answer."""
    head = ("Content-Type: application/x-www-form-urlencoded", *more)
    body = urlencode(fields).encode()
    return site.get("/machines", *head, method="POST", body=body).status


def key_of(site: Site) -> str:
    """The key in the page."""
    found = re.search(rb'name="key" value="([\w-]+)"', site.get("/machines").body)
    return "" if found is None else found[1].decode()


@pytest.mark.usefixtures("member")
def test_the_page_tells_how_each_machine_is(site: Site) -> None:
    machines(switches=False)
    page = site.get("/machines").body.decode()
    assert "<h2>town-2</h2>" in page
    words = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"well\s+Replica\s+1\s+View\s+4\s+Executed\s+40\s+Behind\s+0", words)
    assert re.search(r"Front end\s+in\s+Clients\s+3", words)
    assert "All of them are well." in words
    assert "<!--" not in page


def test_the_page_has_no_switches_unless_they_are_wanted(site: Site, member: vista.Ref) -> None:
    machines(switches=False)
    assert key_of(site) == ""
    assert post(site, {"key": "", "do": "kill town-2"}) == 403
    assert member.get_told() == []


def test_a_switch_tells_the_machine(site: Site, member: vista.Ref) -> None:
    machines(switches=True)
    key = key_of(site)
    for how in ("kill", "stop", "lie", "well"):
        assert post(site, {"key": key, "do": f"{how} town-2"}) == 303
    assert member.get_told() == ["kill", "stop", "lie", 4711, "well"]


def test_a_form_that_is_sent_again_when_its_machine_stopped_does_not_stop_it_once_more(
    site: Site, member: vista.Ref
) -> None:
    # A browser does that by itself where the page was served by the machine that stopped.
    machines(switches=True)
    form = {"key": key_of(site), "do": "stop town-2"}
    assert post(site, form) == 303
    member.fall_silent()
    assert post(site, form) == 303
    words = re.sub(r"<[^>]+>", " ", site.get("/machines?did=nothing&machine=1").body.decode())
    assert "town-2: does not answer, so it is told nothing; make it well again first." in words
    assert post(site, form | {"do": "well town-2"}) == 303
    assert member.get_told() == ["stop", 4711, "well"]


@pytest.mark.parametrize("field", ["Origin: http://elsewhere.example", "Host: shop.example"])
def test_a_form_of_another_site_throws_no_switch(site: Site, member: vista.Ref, field: str) -> None:
    machines(switches=True)
    key = key_of(site)
    body = urlencode({"key": key, "do": "kill town-2"}).encode()
    lines = ["POST /machines HTTP/1.1", field, f"Content-Length: {len(body)}"]
    if not field.startswith("Host"):
        lines.insert(1, "Host: localhost")
    lines.append("Content-Type: application/x-www-form-urlencoded")
    answer = site.talk("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert member.get_told() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"do": "kill town-2"}, 403),
        ({"do": "kill town-2", "key": "guessed"}, 403),
        ({"do": "kill town-9", "key": "right"}, 404),
        ({"do": "melt town-2", "key": "right"}, 404),
        ({"key": "right"}, 404),
    ],
    ids=["no key", "wrong key", "no machine", "no such switch", "no switch"],
)
def test_a_form_that_is_none_throws_no_switch(
    site: Site, member: vista.Ref, fields: dict[str, str], code: int
) -> None:
    machines(switches=True)
    if fields.get("key") == "right":
        fields = {**fields, "key": key_of(site)}
    assert post(site, fields) == code
    assert member.get_told() == []


@pytest.mark.usefixtures("site", "member")
@pytest.mark.parametrize("address", ["tcp:0.0.0.0:80", "tcp:192.0.2.7:80", "tcp:[::]:80"])
def test_there_are_no_switches_where_others_reach_them(address: str) -> None:
    with pytest.raises(vista.BadValueError, match=r"for a front end at a loopback address"):
        machines(switches=True, address=address)


def test_a_machine_that_lies_is_shown_as_one(site: Site) -> None:
    vista.create(ToldMember, status("town-2", 1, {}, lies=True))
    machines(switches=False)
    words = re.sub(r"<[^>]+>", " ", site.get("/machines").body.decode())
    assert re.search(r"town-2\s+lies", words)
    assert "One of them is not well." in words


def test_a_machine_that_left_is_still_shown(site: Site, member: vista.Ref) -> None:
    machines(switches=False)
    site.get("/machines")
    member.delete_yourself()
    words = re.sub(r"<[^>]+>", " ", site.get("/machines").body.decode())
    assert re.search(r"town-2\s+does not answer", words)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"servers": None},
        {"servers": {POOL: None}},
        {"servers": {POOL: {}}},
        {"servers": {POOL: {"id": [], "faults": "many", "runs": True, "executed": "x"}}},
        {"node": {"x": 1}, "servers": 7},
    ],
    ids=str,
)
def test_a_machine_that_tells_anything_does_not_break_the_page(site: Site, told: Any) -> None:
    vista.create(ToldMember, told)
    machines(switches=False)
    assert site.get("/machines").status == 200
