"""An access list guards an object the same, wherever it lives."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, until
from tests.peers.places import Place
from tests.peers.travellers import (
    Chamber,
)
from vista.errors import (
    AccessDenied,
)
from vista.kernel.access import AccessControlList

RULES = AccessControlList.of("allow anna *", "deny eve *", "allow * get", "deny * *")


@pytest.mark.parametrize(
    ("user", "method", "args", "allowed"),
    [
        ("anna", "increment", [1], True),
        ("anna", "get", [], True),
        ("bob", "get", [], True),
        ("bob", "increment", [1], False),
        ("eve", "get", [], False),
        ("eve", "nonsense", [], False),
        ("eve", "describe", [], False),
    ],
)
def test_the_access_list_decides_by_the_sending_user(
    place: Place, user: str, method: str, args: list[Any], allowed: bool
) -> None:
    counter = place.create(Counter, acl=RULES)

    def work() -> bool:
        try:
            vista.send(counter, method, *args)
        except AccessDenied:
            return False
        return True

    assert place.run(work, user=user) is allowed


def test_a_denied_call_says_who_may_not_do_what(place: Place) -> None:
    counter, local = place.create(Counter, acl=RULES), vista.create(Counter, acl=RULES)

    def words(target: vista.Ref) -> str:
        with pytest.raises(AccessDenied) as raised:
            place.run(lambda: target.get(), user="eve")
        return str(raised.value).replace(str(vista.id_of(target)), "ID")

    assert words(counter) == words(local)


def test_a_denied_post_does_nothing_and_is_counted(place: Place) -> None:
    counter = place.create(Counter, acl=RULES)
    before = place.far.call(vista.statistics)["access_denied"]

    def work() -> None:
        try:
            counter.increment.post(1)
        except AccessDenied:
            assert not place.hops

    place.run(work, user="bob")
    until(lambda: place.far.call(vista.statistics)["access_denied"] == before + 1)
    assert place.run(lambda: counter.get(), user="anna") == 0


def test_a_denied_future_ends_with_the_denial(place: Place) -> None:
    counter = place.create(Counter, acl=RULES)

    def work() -> Any:
        try:
            return counter.increment.future(1).exception()
        except AccessDenied as error:
            return error

    assert isinstance(place.run(work, user="bob"), AccessDenied)


def test_the_user_goes_along_through_every_object(place: Place) -> None:
    counter, between = vista.create(Counter, acl=RULES), place.create(Chamber)
    assert place.run(lambda: between.call(counter, "increment", 2), user="anna") == 2
    with pytest.raises(AccessDenied):
        place.run(lambda: between.call(counter, "increment", 2), user="bob")


def test_an_access_list_may_be_set_and_taken_away(place: Place) -> None:
    counter = place.create(Counter)
    counter.set_acl(RULES)
    assert counter.get_acl() == RULES
    with pytest.raises(AccessDenied):
        place.run(lambda: counter.increment(), user="bob")
    counter.set_acl(None)
    assert place.run(lambda: counter.increment(), user="bob") == 1


@pytest.mark.parametrize(("message", "args"), [("set_acl", [RULES]), ("delete_yourself", [])])
def test_only_the_nodes_user_administers(place: Place, message: str, args: list[Any]) -> None:
    counter = place.create(Counter)
    with pytest.raises(AccessDenied):
        place.run(lambda: vista.send(counter, message, *args), user="bob")
    vista.send(counter, message, *args)


def test_an_object_made_by_another_user_is_made_in_his_name(place: Place) -> None:
    acl = vista.make_default_acl("anna")
    counter = place.run(lambda: place.create(Counter, acl=acl), user="anna")
    with pytest.raises(AccessDenied):
        place.run(lambda: vista.delete(counter), user="bob")
    place.run(lambda: vista.delete(counter), user="anna")
