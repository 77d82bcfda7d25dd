"""Acting in the name of another user: only the node's own user may, and only in the block."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from vista import AccessDenied, BadValueError, WrongContextError


class Understudy(vista.Object):
    """Acts as somebody else when it is told to."""

    def play(self, user: str, target: Any = None) -> Any:
        with vista.acting_as(user):
            return vista.current_user() if target is None else target.whoever()

    def play_and_fail(self, user: str) -> str:
        try:
            with vista.acting_as(user):
                raise ValueError("forgot the text")
        except ValueError:
            return vista.current_user()

    def play_within(self, outer: str, inner: str) -> str:
        with vista.acting_as(outer), vista.acting_as(inner):
            return vista.current_user()

    async def play_softly(self, user: str) -> str:
        with vista.acting_as(user):
            return vista.current_user()

    def play_and_wait(self, user: str) -> list[str]:
        with vista.acting_as(user):
            vista.sleep(0.0)
            during = vista.current_user()
        return [during, vista.current_user()]


class Spectator(vista.Object):
    """Says in whose name it was asked."""

    def whoever(self) -> str:
        return vista.current_user()


@pytest.fixture
def actor(node: vista.Node) -> vista.Ref:
    """An object that acts."""
    return vista.create(Understudy)


def test_what_is_sent_in_the_block_goes_in_the_users_name(actor: vista.Ref) -> None:
    assert actor.play("guest", vista.create(Spectator)) == "guest"


def test_access_lists_hold_for_the_user(actor: vista.Ref) -> None:
    acl = vista.AccessControlList.of("deny guest *", "allow * *")
    target = vista.create(Spectator, acl=acl)
    with pytest.raises(AccessDenied):
        actor.play("guest", target)
    assert actor.play("friend", target) == "friend"


def test_a_coroutine_may_act_too(actor: vista.Ref) -> None:
    assert actor.play_softly("guest") == "guest"


def test_the_user_stays_while_the_thread_waits_and_ends_with_the_block(
    actor: vista.Ref, node: vista.Node
) -> None:
    assert actor.play_and_wait("guest") == ["guest", node.kernel.user]


def test_an_error_ends_it(actor: vista.Ref, node: vista.Node) -> None:
    assert actor.play_and_fail("guest") == node.kernel.user


def test_nobody_takes_rights_by_it(actor: vista.Ref, node: vista.Node) -> None:
    with pytest.raises(AccessDenied, match=r"user 'mallory' may not act as"):
        node.call(lambda: actor.play(node.kernel.user), user="mallory")


def test_nobody_comes_back_from_less_rights(actor: vista.Ref, node: vista.Node) -> None:
    with pytest.raises(AccessDenied, match=r"user 'guest' may not act as"):
        actor.play_within("guest", node.kernel.user)


def test_everybody_may_act_as_they_are(actor: vista.Ref, node: vista.Node) -> None:
    assert node.call(lambda: actor.play("mallory"), user="mallory") == "mallory"


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_user_is_a_name(name: Any) -> None:
    with pytest.raises(BadValueError, match=r"a user is a name"):
        vista.acting_as(name)


def test_outside_of_threads_it_says_what_to_do(node: vista.Node) -> None:
    with pytest.raises(WrongContextError, match=r"Node\.call"), vista.acting_as("guest"):
        pass
