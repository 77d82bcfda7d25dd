"""Web sessions in storms: nodes with links, replicas, proxies, sites and browsers, from a seed.

Browsers of one person go from server to server while those crash, lose their disks' last writes and
are cut off, and in half of the runs one lies. Who gets no answer sends the same form to another
server, sometimes to two at once. What the pages said can have happened one after the other, each
form was carried out once, and in the calm everybody is answered. ``--seeds 2000`` runs 3,000.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.asking import ask
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import read_only
from apps.solidstate.simulator.linearizability import Operation, linearization
from apps.solidstate.web.state import HTTPreplicaStateVariable
from tests.conftest import share_of
from tests.solidstate.objects.pool import POOL
from tests.solidstate.objects.strategists import draw_liar
from tests.solidstate.objects.test_storms import faults_of
from tests.solidstate.web.shop import SITE, Browser, Shop, field_of, serve_site
from vista.testing import SimulatedNode, World, first_difference, run_seed

pytestmark = pytest.mark.usefixtures("quiet")

STORM_SECONDS = 5.0
CALM_SECONDS = 150.0
FORMS = 2
TRIES = 200
PATIENCE_SECONDS = 20.0
SETTLE_SECONDS = 5.0
INFINITE = float("inf")
SERVERS = [f"server-{number}" for number in range(4)]


class WebStore(HTTPreplicaStateVariable):
    """A session that keeps texts under names; its answers say what was there before."""

    def create(self) -> None:
        self.content: dict[str, str] = {}
        self.forms = 0

    @read_only
    def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        return {"value": self.content.get(query["name"], "-")}

    def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
        self.forms += 1
        old = self.content.pop(fields["name"], "-")
        if "value" in fields:
            self.content[fields["name"]] = fields["value"]
        return {"page": "value.html", "query": {"name": fields["name"], "old": old}}


class WebGate(vista.Object):
    """Lets the front end ask one server's site, as a connection would."""

    def create(self) -> None:
        vista.register_service(f"web/{vista.here().get_name()}", vista.self_ref(self))

    def answer(self, request: Request) -> Any:
        return ask(vista.service(f"URLdirectory:{SITE}"), request)


def serve() -> None:
    """What the rc file of a server does."""
    serve_site("WebStore")
    vista.create(WebGate)


class Visitor:
    """A browser window: looks at a page, sends a form, and notes what was answered."""

    def __init__(self, world: World, browser: Browser, name: str, seed: int) -> None:
        self.world = world
        self.browser = browser
        self.name = name
        self.sent = 0
        self.history: list[Operation] = []
        self._dice = Random(seed)

    def work(self, node: SimulatedNode) -> None:
        """Begin a session if there is none, look, and send forms."""
        if not self.browser.at:
            self.browser.at = field_of(self._insist(self._begin), "Location")
        for number in range(FORMS):
            key = self._look()
            self._send(key, number)
            vista.sleep(self._dice.choice((0.0, 0.3, 1.0)))
        self._look()

    def _begin(self, server: str) -> Response:
        answer = self._ask(server, self.browser.request("GET", "/transactions"))
        self.browser.take(answer)
        return answer

    def _look(self) -> str:
        """Look at a value; return the key of the form on the page."""
        name = self._dice.choice("ab")
        target = f"{self.browser.address}?page=value.html&name={name}"
        request = self.browser.request("GET", target)
        begin = self.world.hub.now
        answer = self._insist(lambda server: self._ask(server, request))
        assert isinstance(answer.body, str)
        value, key = re.findall(r"<b>(.*)</b>|\"([0-9a-f]{64})\"", answer.body)
        self._note(("get", self._place(name)), value[0], begin)
        return str(key[1])

    def _send(self, key: str, number: int) -> None:
        """Send a form until it is answered; sometimes to two servers at once."""
        name = self._dice.choice("ab")
        form = {"key": key, "name": name}
        call: tuple[str, ...] = ("remove", self._place(name))
        if self._dice.random() < 0.7:
            form["value"] = f"{self.name}.{number}"
            call = ("put", self._place(name), form["value"])
        self.sent += 1
        request = self.browser.request("POST", self.browser.address, form)
        begin, place = self.world.hub.now, len(self.history)
        self.history.append(Operation(self.name, call, None, begin, INFINITE))
        answer = self._insist(lambda server: self._ask(server, request, self._dice.random() < 0.3))
        led = urlsplit(field_of(answer, "Location"))
        self.history.pop(place)
        self._note(call, parse_qs(led.query)["old"][0], begin)

    def _note(self, call: tuple[str, ...], value: str, begin: float) -> None:
        said = None if value == "-" else value
        self.history.append(Operation(self.name, call, said, begin, self.world.hub.now))

    def _place(self, name: str) -> str:
        """A name in the store of all sessions."""
        return f"{self.browser.id}/{name}"

    def _insist(self, attempt: Any) -> Response:
        """Try one server after the other until one answers."""
        for _ in range(TRIES):
            try:
                answer: Response = attempt(self._dice.choice(SERVERS))
            except vista.CallError:
                vista.sleep(0.2)
                continue
            if answer.status in (200, 303):
                return answer
            assert answer.status == 503, answer
            vista.sleep(0.2)
        raise AssertionError(f"{self.name} is answered by nobody")

    def _ask(self, server: str, request: Request, twice: bool = False) -> Response:
        with vista.timeout(PATIENCE_SECONDS):
            asked = [vista.future(f"web/{server}", "answer", request)]
            if twice:
                other = self._dice.choice(SERVERS)
                asked.append(vista.future(f"web/{other}", "answer", request))
            answers = [one.result() for one in asked if one.exception() is None]
        if not answers:
            return Response("", 503)
        led = {field_of(one, "Location") for one in answers if one.status == 303}
        assert len(led) <= 1, led
        best: Response = next((one for one in answers if one.status != 503), answers[0])
        return best


@dataclass(frozen=True)
class Aftermath:
    """What visitors were answered; of each session the forms sent and what correct servers hold."""

    history: list[Operation]
    sessions: list[tuple[int, list[Any]]]


def storm(world: World) -> Aftermath:
    """One run; raises when something was not answered."""
    dice = Random(world.seed)
    liar = dice.randrange(4) if dice.random() < 0.5 else None
    members: dict[str, type[ReplicaPoolMember]] = (
        {} if liar is None else {f"server-{liar}": draw_liar(dice)}
    )
    shop = Shop(world, SERVERS, serve, WebStore, members=members)
    known = shop.browser()
    known.ask("server-0", "GET", "/transactions")
    visitors = [
        Visitor(world, browser, f"v{number}", dice.randrange(2**32))
        for number, browser in enumerate((known, known, shop.browser()))
    ]
    world.storm(STORM_SECONDS, faults_of(dice, liar is not None, len(SERVERS)))
    front = shop.pool.front
    started = [front.spawn(visitor.work, front) for visitor in visitors]
    world.pass_time(STORM_SECONDS)
    world.calm()
    world.drive(lambda: all(future.done() for future in started), CALM_SECONDS)
    for future in started:
        future.result()
    world.pass_time(SETTLE_SECONDS)
    history = [one for visitor in visitors for one in visitor.history]
    return Aftermath(history, sessions_of(shop, visitors, liar))


def sessions_of(
    shop: Shop, visitors: list[Visitor], liar: int | None
) -> list[tuple[int, list[Any]]]:
    """Of each session how many forms were sent and what each correct server holds."""
    sent: dict[str, int] = {}
    for visitor in visitors:
        sent[visitor.browser.id] = sent.get(visitor.browser.id, 0) + visitor.sent
    found = []
    for id, count in sent.items():
        held: list[Any] = []
        for number in range(4):
            if number != liar:
                replica = service_name(POOL, number)
                held.append(
                    shop.pool.node(f"server-{number}").call(
                        lambda id=id, replica=replica: vista.service(replica).get_variables(
                            f"sessions/{id}"
                        )
                    )
                )
        found.append((count, held))
    return found


PARTS = 60
"""Tests that share the seeds, so that none of them takes long."""

SEEDS = 300
"""Five minutes of one processor."""

REPLAY = "pytest tests/solidstate/web/test_storms.py --seeds-from {seed} --seeds 1"


@pytest.mark.parametrize("part", range(PARTS))
def test_sessions_are_linearizable_and_each_form_is_carried_out_once(
    seeds: range, part: int
) -> None:
    def scenario(world: World) -> None:
        after = storm(world)
        assert linearization(after.history) is not None, after.history
        for forms, held in after.sessions:
            assert held == held[:1] * len(held)
            assert held[0]["forms"] == forms

    for seed in share_of(seeds, SEEDS, part, PARTS):
        run_seed(scenario, seed, REPLAY)


def test_one_seed_is_one_run(seeds: range) -> None:
    one, other = (run_seed(storm, seeds[0], REPLAY) for _ in range(2))
    assert first_difference(one, other) == ""
