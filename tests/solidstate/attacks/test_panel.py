"""The page of the machines behind a shop, where machines lie about who they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

import vista
from apps.http.objects.proxy import HTTPproxy
from apps.solidstate.operating import printable
from apps.solidstate.shop.machines import ShopMachines
from tests.http.objects.served import Site, served
from tests.solidstate.shop.test_front import POOL, ToldFront, ToldMember, status


class PanelMember(ToldMember):
    """A machine of a pool that stands beside others on one node."""

    def create(self, name: str, number: int) -> None:
        self.status = status(name, number, {}, pid=4711)
        self.told: list[object] = []


class PanelOfTwo(ShopMachines):
    """The page of two machines, which the test tells where they are."""

    def place(self, machines: dict[bytes, vista.Ref]) -> None:
        self._told_of = {node: vista.id_of(ref) for node, ref in machines.items()}

    def _members(self) -> dict[bytes, vista.Id]:
        return self._told_of


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        yield made


def switch(site: Site, name: str) -> int:
    """Have a machine killed by the switch of a name."""
    key = re.search(rb'name="key" value="([\w-]+)"', site.get("/machines").body)
    assert key is not None
    form = urlencode({"key": key[1].decode(), "do": f"kill {name}"}).encode()
    head = "Content-Type: application/x-www-form-urlencoded"
    return site.get("/machines", head, method="POST", body=form).status


def test_a_machine_that_takes_the_name_of_another_does_not_take_its_place(site: Site) -> None:
    good, evil = (vista.create(PanelMember, "town-1", number) for number in (1, 2))
    front = vista.create(ToldFront, "tcp:127.0.0.1:8090")
    panel = vista.create(PanelOfTwo, POOL, front, True)
    panel.place({b"g" * 10: good, b"e" * 10: evil})
    vista.create(HTTPproxy, "localhost", "/machines", "machines")
    assert site.get("/machines").body.count(b"<h2>town-1</h2>") >= 2
    assert switch(site, "town-1") == 409
    assert (good.get_told(), evil.get_told()) == ([], [])
    # One that is gone and came again has one place.
    panel.place({b"a" * 10: good})
    assert switch(site, "town-1") == 303
    assert good.get_told() == ["kill"]


def test_what_a_machine_is_called_tells_a_terminal_nothing() -> None:
    assert printable("no machine \x1b]0;owned\x07\x9b2J\nline") == "no machine ?]0;owned??2J\nline"
