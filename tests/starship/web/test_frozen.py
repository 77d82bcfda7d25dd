"""A server that has lost the primary: it shows what it has, and takes no order."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.web.setup import StarshipHTTPsetup
from tests.http.objects.served import Site, wait_until
from tests.starship.web.played import GENEROUS, HOME, SEED, Game

KEY = {"secret_key": b"k" * 32}


@pytest.fixture
def far() -> Iterator[vista.Node]:
    """The node of the primary, which a test may stop."""
    node = vista.Node("far", settings=dict(KEY)).start()
    try:
        yield node
    finally:
        node.stop()


def joined(far: vista.Node, node: vista.Node) -> Game:
    """A game whose primary is on another node than the site."""
    url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
    for each in (far, node):
        each.call(vista.create, "PeerRegistry")
        each.call(vista.create, "AnnounceServices")
    primary = far.call(vista.create, StarshipPrimary, 0, SEED)
    daemon = vista.create(HTTPdaemon, "-", f"tcp:{HOME}:0", "localhost")
    setup = vista.create(StarshipHTTPsetup, "localhost", *GENEROUS)
    vista.create("ConnectToPeer", url).wait(30)
    vista.create("StarshipSecondary")
    wait_until(lambda: setup.get_server() is not None and setup.get_server().get_step() >= 0)
    return Game(Site(node, daemon, "localhost"), setup, vista.ref_of(vista.id_of(primary)))


def test_orders_go_to_the_primary_and_the_display_freezes_without_it(far: vista.Node) -> None:
    with vista.Node("near", settings=dict(KEY)) as node:
        game = joined(far, node)
        captain = game.captain("Bounty")
        assert captain.order("Bounty", "speed", "5.0").status == 200
        game.step()
        assert captain.state("Bounty")["nav"]["speed"] > 0
        with captain.listen("ship=Bounty") as stream:
            stream.next()
            far.stop()
            wait_until(lambda: game.server.is_frozen())
            update = stream.next()
        step = game.server.get_step()
        words = f"Link to the primary lost - display frozen at step {step}"
        assert any(words in text for text in update["panels"].values())
        refused = captain.order("Bounty", "speed", "0.0")
        assert (refused.status, json.loads(refused.body)["code"]) == (503, "E_LINK")
        page = captain.get("/starship/bridge?ship=Bounty")
        assert page.status == 200 and words.encode() in page.body
        login = captain.post("/starship/create", name="Late", race="F")
        assert login.status == 503 and b"The link to the primary is lost" in login.body
        assert captain.state("Bounty")["frozen"] is True
        assert captain.get("/starship/map").status == 200


def test_the_site_of_a_peer_is_left_alone(far: vista.Node) -> None:
    with vista.Node("near", settings=dict(KEY)):
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        far.call(vista.create, "PeerRegistry")
        far.call(vista.create, "AnnounceServices")
        far.call(vista.create, HTTPdaemon, "-", f"tcp:{HOME}:0", "localhost")
        vista.create("PeerRegistry")
        vista.create("ConnectToPeer", url).wait(30)
        wait_until(lambda: "URLdirectory:localhost" in {row.name for row in vista.services()})
        setup = vista.create(StarshipHTTPsetup, "localhost")
        setup.look()
        assert setup.get_site() is None
