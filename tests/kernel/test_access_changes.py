"""Access lists of running objects: who may change one, and what is allowed to the object itself."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from tests.kernel.test_access import Agent, Vault, denied, guarded
from vista import AccessControlList, AccessDenied, BadValueError, Object

pytestmark = pytest.mark.usefixtures("node")

# --- changing a list ---------------------------------------------------------------------------


def test_get_acl_gives_the_list() -> None:
    acl = AccessControlList.of("allow * *")
    assert vista.create(Vault).get_acl() is None
    assert vista.create(Vault, acl=acl).get_acl() == acl


def test_a_list_that_was_set_holds_at_once(node: vista.Node) -> None:
    vault = vista.create(Vault)
    vault.set_acl(AccessControlList.of("deny bob *", "allow * *"))
    assert denied(node, "bob", vault, "get_content")


def test_a_list_that_was_taken_away_holds_no_longer(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    vault.set_acl(None)
    assert not denied(node, "bob", vault, "get_content")


@pytest.mark.parametrize("method", ["set_acl", "set_meta", "upgrade", "delete_yourself"])
def test_without_a_list_only_the_user_of_the_node_administers(
    node: vista.Node, method: str
) -> None:
    args = () if method in ("delete_yourself", "upgrade") else (None,)
    assert denied(node, "bob", vista.create(Vault), method, *args)
    vista.send(vista.create(Vault), method, *args)


def test_a_list_may_let_another_user_administer(node: vista.Node) -> None:
    vault = guarded("allow bob *")
    node.call(lambda: vault.set_acl(AccessControlList.of("allow * *")), user="bob")
    assert not denied(node, "anna", vault, "get_content")


def test_a_list_may_let_another_user_delete(node: vista.Node) -> None:
    vault = guarded("allow bob delete_yourself")
    node.call(lambda: vista.delete(vault), user="bob")
    assert vista.id_of(vault) not in [row.id for row in vista.objects()]


def test_a_list_guards_itself(node: vista.Node) -> None:
    vault = guarded("deny bob set_acl", "allow * *")
    assert denied(node, "bob", vault, "set_acl", None)
    assert denied(node, "bob", vault, "get_content") is False


def test_the_operator_cannot_be_locked_out(node: vista.Node) -> None:
    vault = guarded("deny * *")
    with pytest.raises(AccessDenied):
        vault.get_content()
    assert vault.get_acl() == AccessControlList.of("deny * *")
    vault.set_acl(None)
    assert vault.get_content() == "gold"


def test_an_empty_list_denies_everybody_but_not_the_operator_to_change_it(
    node: vista.Node,
) -> None:
    vault = vista.create(Vault, acl=AccessControlList())
    assert denied(node, "bob", vault, "set_acl", None)
    with pytest.raises(AccessDenied):
        vault.get_content()
    vault.set_acl(None)


@pytest.mark.parametrize("acl", [5, "allow * *", ["allow * *"], {"bob": "*"}])
def test_what_is_no_list_is_refused(acl: Any) -> None:
    vault = vista.create(Vault)
    with pytest.raises(BadValueError, match="AccessControlList"):
        vault.set_acl(acl)
    with pytest.raises(BadValueError, match="AccessControlList"):
        vista.create(Vault, acl=acl)
    assert vault.get_content() == "gold"


def test_a_list_that_came_with_other_things_inside_is_refused() -> None:
    # A record in a message is made without its __init__: a peer may put anything into it.
    forged = AccessControlList()
    object.__setattr__(forged, "rules", (5, "x"))
    vault = vista.create(Vault)
    with pytest.raises(BadValueError, match="access rule 5"):
        vault.set_acl(forged)
    with pytest.raises(BadValueError, match="access rule 5"):
        vista.create(Vault, acl=forged)
    assert vault.get_content() == "gold"


def test_a_refused_list_leaves_no_object() -> None:
    before = len(vista.objects())
    with pytest.raises(BadValueError):
        vista.create(Vault, acl="everybody")  # type: ignore[arg-type]
    assert len(vista.objects()) == before


def test_a_list_set_while_a_thread_waits_inside_holds_from_its_next_message(
    node: vista.Node,
) -> None:
    class Waiting(Object):
        def wait_then_ask(self, gate: Any, vault: Any) -> list[Any]:
            first = vault.get_content()
            gate.pass_through()
            try:
                return [first, vault.get_content()]
            except AccessDenied:
                return [first, "denied"]

    gate, vault, waiting = vista.create(Gate), vista.create(Vault), vista.create(Waiting)
    asking = node.call(lambda: waiting.wait_then_ask.future(gate, vault), user="bob")
    until(lambda: gate.count() == 1)
    vault.set_acl(AccessControlList.of("deny bob *", "allow * *"))
    gate.open()
    assert asking.result() == ["gold", "denied"]


def test_a_list_set_by_a_call_in_the_middle_of_a_method_holds_for_its_next_one() -> None:
    class Locker(Object):
        def lock_and_ask(self, vault: Any) -> str:
            vault.get_content()
            vault.set_acl(AccessControlList.of("deny * get_content", "allow * *"))
            try:
                vault.get_content()
            except AccessDenied:
                return "denied"
            return "allowed"

    assert vista.create(Locker).lock_and_ask(vista.create(Vault)) == "denied"


# --- the object itself -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["protect", "protect_by_message"])
def test_an_object_without_a_list_may_give_itself_one(node: vista.Node, method: str) -> None:
    vault, acl = vista.create(Vault), AccessControlList.of("deny bob *", "allow * *")
    node.call(lambda: vista.send(vault, method, acl), user="bob")
    assert denied(node, "bob", vault, "get_content")


@pytest.mark.parametrize("method", ["close", "close_by_message"])
def test_an_object_without_a_list_may_delete_itself(node: vista.Node, method: str) -> None:
    vault = vista.create(Vault)
    node.call(lambda: vista.send(vault, method), user="bob")
    assert vista.id_of(vault) not in [row.id for row in vista.objects()]


def test_what_an_object_sends_to_itself_is_judged_by_its_list(node: vista.Node) -> None:
    vault = guarded("deny bob get_content", "allow * *")
    assert denied(node, "bob", vault, "ask_self")


def test_another_object_may_not_delete_in_the_name_of_a_stranger(node: vista.Node) -> None:
    agent, vault = vista.create(Agent), vista.create(Vault)
    assert denied(node, "bob", agent, "ask", vault, "delete_yourself")
    assert vault.get_content() == "gold"
