"""Access: per object, per user, per method; the first rule that matches decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import vista
from tests.kernel.cast import Counter, Gate, Journal, runs, until
from vista import AccessControlList, AccessDenied, BadValueError, Object

NodeMaker = Callable[..., vista.Node]

pytestmark = pytest.mark.usefixtures("node")


class Vault(Object):
    """Something to be guarded."""

    def create(self, content: str = "gold") -> None:
        self.content = content

    def get_content(self) -> str:
        return self.content

    def set_content(self, content: str) -> None:
        self.content = content

    @vista.preemptable
    def peek(self) -> str:
        return self.content[:1]

    async def fetch(self) -> str:
        return self.content

    @vista.native
    def weigh(self) -> int:
        return len(self.content)

    def protect(self, acl: Any) -> None:
        self.set_acl(acl)

    def protect_by_message(self, acl: Any) -> None:
        vista.send(self, "set_acl", acl)

    def close(self) -> None:
        self.delete_yourself()

    def close_by_message(self) -> None:
        vista.send(self, "delete_yourself")

    def ask_self(self) -> Any:
        return vista.send(self, "get_content")


class Agent(Object):
    """Sends in the name of whoever sent to it."""

    def ask(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def ask_later(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    def tell(self, target: Any, method: str, *args: Any) -> None:
        vista.post(target, method, *args)

    async def ask_async(self, target: Any, method: str, *args: Any) -> Any:
        return await vista.aio.send(target, method, *args)

    @vista.native
    def ask_native(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def make(self, name: str, *args: Any) -> Any:
        return vista.create(name, *args)

    def user(self) -> str:
        return vista.current_user()

    @vista.native
    def user_native(self) -> str:
        return vista.current_user()

    async def user_async(self) -> str:
        return vista.current_user()

    def note_user(self, journal: Any) -> None:
        journal.write(vista.current_user())


def guarded(*lines: str) -> vista.Ref:
    """Return a vault with an access list of these lines."""
    return vista.create(Vault, acl=AccessControlList.of(*lines))


def denied(node: vista.Node, user: str, target: Any, method: str, *args: Any) -> bool:
    """Return whether ``user`` is denied to send the message."""
    try:
        node.call(lambda: vista.send(target, method, *args), user=user)
    except AccessDenied:
        return True
    return False


# --- the list ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "method", "allowed"),
    [
        ("alice", "anything", True),
        ("bob", "get_total", True),
        ("bob", "set_total", False),
        ("eve", "get_total", False),
        ("guest-7", "get_total", False),
        ("guest-7", "peek", True),
        ("Alice", "anything", False),
    ],
)
def test_the_first_rule_that_matches_decides(user: str, method: str, allowed: bool) -> None:
    acl = AccessControlList.of(
        "allow alice *", "deny eve *", "allow guest-* peek", "deny guest-* *", "allow * get_*"
    )
    assert acl.allows(user, method) is allowed


def test_no_rule_that_matches_means_denied() -> None:
    assert not AccessControlList().allows("anybody", "anything")


def test_an_earlier_deny_wins_over_a_later_allow() -> None:
    acl = AccessControlList.of("deny * set_acl", "allow * *")
    assert (acl.allows("bob", "set_acl"), acl.allows("bob", "get")) == (False, True)


def test_a_method_may_be_named_as_the_original_did() -> None:
    by_line = AccessControlList.of("allow bob getTotal")
    by_rule = AccessControlList((("allow", "bob", "getTotal"),))
    assert by_line.allows("bob", "get_total") and by_rule.allows("bob", "get_total")


def test_rules_may_be_given_as_lists() -> None:
    acl: Any = AccessControlList([["allow", "bob", "*"]])  # type: ignore[arg-type, list-item]
    assert acl == AccessControlList.of("allow bob *")
    assert acl.rules == (("allow", "bob", "*"),)


@pytest.mark.parametrize("line", ["", "allow", "allow bob", "allow bob get now", "permit bob *"])
def test_a_line_that_is_no_rule_is_refused(line: str) -> None:
    with pytest.raises(BadValueError, match="access rule"):
        AccessControlList.of(line)


@pytest.mark.parametrize(
    "rules",
    [
        (("permit", "bob", "*"),),
        (("allow", "bob"),),
        (("allow", "", "*"),),
        (("allow", "bob", ""),),
        (("allow", 5, "*"),),
        (("allow", "bob", None),),
        (5,),
        ("allow",),
        "allow bob *",
        5,
        None,
    ],
)
def test_what_is_no_list_of_rules_is_refused(rules: Any) -> None:
    with pytest.raises(BadValueError, match="access"):
        AccessControlList(rules)


def test_the_default_list_denies_others_to_administer() -> None:
    acl = vista.make_default_acl("alice")
    administering = ("set_acl", "set_meta", "upgrade", "delete_yourself")
    assert all(acl.allows("alice", method) for method in administering)
    assert not any(acl.allows("bob", method) for method in administering)
    assert acl.allows("bob", "get_content") and acl.allows("bob", "get_acl")


def test_the_default_list_is_for_the_calling_user(node: vista.Node) -> None:
    assert vista.make_default_acl() == vista.make_default_acl(node.kernel.user)
    assert node.call(vista.make_default_acl, user="bob") == vista.make_default_acl("bob")


# --- what is denied ----------------------------------------------------------------------------


def test_a_call_is_denied_with_user_message_and_object(node: vista.Node) -> None:
    vault = guarded("deny bob get_content", "allow * *")
    with pytest.raises(AccessDenied) as caught:
        node.call(lambda: vault.get_content(), user="bob")
    text = str(caught.value)
    assert text == f"user 'bob' may not send get_content to Local.Vault {vista.id_of(vault)}"


def test_other_users_and_other_methods_are_not_denied(node: vista.Node) -> None:
    vault = guarded("deny bob get_content", "allow * *")
    assert not denied(node, "bob", vault, "peek")
    assert not denied(node, "alice", vault, "get_content")


def test_other_objects_of_the_class_are_not_denied(node: vista.Node) -> None:
    guarded("deny bob *", "allow * *")
    assert not denied(node, "bob", vista.create(Vault), "get_content")


@pytest.mark.parametrize("method", ["get_content", "peek", "fetch", "weigh", "describe", "methods"])
def test_methods_of_every_kind_are_guarded(node: vista.Node, method: str) -> None:
    assert denied(node, "bob", guarded("deny bob *", "allow * *"), method)


def test_looking_at_variables_and_encoding_are_guarded(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    assert denied(node, "bob", vault, "extract_instance_variables")
    assert denied(node, "bob", vault, "encode_object")


def test_the_original_name_of_a_message_is_guarded_alike(node: vista.Node) -> None:
    assert denied(node, "bob", guarded("deny bob get_content", "allow * *"), "getContent")


def test_a_denied_method_does_not_run(node: vista.Node) -> None:
    vault = guarded("deny bob set_content", "allow * *")
    assert denied(node, "bob", vault, "set_content", "lead")
    assert vault.get_content() == "gold"


def test_a_call_in_flight_is_denied(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    in_flight = node.call(lambda: vault.get_content.future(), user="bob")
    assert isinstance(in_flight.exception(), AccessDenied)


def test_a_post_that_is_denied_is_counted_and_its_sender_goes_on(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    before = vista.statistics()["posts_failed"]
    node.call(lambda: vault.set_content.post("lead"), user="bob")
    until(lambda: vista.statistics()["posts_failed"] == before + 1)
    assert vault.get_content() == "gold"


def test_a_message_queued_behind_others_is_denied(node: vista.Node) -> None:
    class Slow(Object):
        @vista.exclusive
        def hold(self, gate: Any) -> None:
            gate.pass_through()

        def get(self) -> int:
            return 1

    gate = vista.create(Gate)
    slow = vista.create(Slow, acl=AccessControlList.of("deny bob *", "allow * *"))
    holding = slow.hold.future(gate)
    until(lambda: gate.count() == 1)
    waiting = node.call(lambda: slow.get.future(), user="bob")
    gate.open()
    holding.result()
    assert isinstance(waiting.exception(), AccessDenied)


def test_a_function_saved_before_the_list_is_denied_after(node: vista.Node) -> None:
    vault = vista.create(Vault)
    get_content = vault.get_content
    assert node.call(lambda: get_content(), user="bob") == "gold"
    vault.set_acl(AccessControlList.of("deny bob *", "allow * *"))
    with pytest.raises(AccessDenied):
        node.call(lambda: get_content(), user="bob")


def test_unknown_messages_are_judged_by_their_own_name(node: vista.Node) -> None:
    class Answering(Object):
        def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> str:
            return name

    answering = vista.create(
        Answering, acl=AccessControlList.of("deny bob secret_*", "allow bob open_*")
    )
    assert denied(node, "bob", answering, "secret_door")
    assert not denied(node, "bob", answering, "open_door")
    assert denied(node, "bob", answering, "other_door")


def test_who_is_denied_does_not_learn_which_messages_there_are(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    assert denied(node, "bob", vault, "get_contend")
    with pytest.raises(vista.NoSuchMethod, match="did you mean get_content"):
        vault.get_contend()


def test_a_refusal_is_counted(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    before = vista.statistics()["access_denied"]
    denied(node, "bob", vault, "get_content")
    assert vista.statistics()["access_denied"] == before + 1


def test_a_refusal_is_logged(node: vista.Node, caplog: pytest.LogCaptureFixture) -> None:
    denied(node, "bob", guarded("deny bob *", "allow * *"), "get_content")
    assert "access denied: user 'bob' may not send get_content" in caplog.text


def test_who_is_refused_again_and_again_is_logged_once_and_counted_each_time(
    node: vista.Node, caplog: pytest.LogCaptureFixture
) -> None:
    vault = guarded("deny bob *", "allow * *")
    before = vista.statistics()["access_denied"]
    for _ in range(50):
        denied(node, "bob", vault, "get_content")
    assert caplog.text.count("access denied") == 1
    assert vista.statistics()["access_denied"] == before + 50


@pytest.mark.parametrize("method", ["delete_yourself", "set_acl", "set_meta", "upgrade"])
def test_a_refusal_to_administer_is_counted_and_logged(
    node: vista.Node, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    vault = vista.create(Vault)
    before = vista.statistics()["access_denied"]
    args = () if method in ("delete_yourself", "upgrade") else (None,)
    assert denied(node, "bob", vault, method, *args)
    assert vista.statistics()["access_denied"] == before + 1
    assert f"access denied: user 'bob' may not send {method}" in caplog.text


def test_an_object_goes_on_after_a_refusal(node: vista.Node) -> None:
    vault = guarded("deny bob *", "allow * *")
    assert denied(node, "bob", vault, "get_content")
    assert vault.get_content() == "gold"


# --- the user of a thread ----------------------------------------------------------------------


def test_code_outside_acts_as_the_user_of_the_node(make_node: NodeMaker) -> None:
    make_node(user="olga")
    assert vista.current_user() == vista.create(Agent).user() == "olga"


@pytest.mark.parametrize("method", ["user", "user_native", "user_async"])
def test_a_thread_acts_as_the_user_of_the_message(node: vista.Node, method: str) -> None:
    agent = vista.create(Agent)
    assert node.call(lambda: vista.send(agent, method), user="bob") == "bob"
    assert vista.send(agent, method) == node.kernel.user


@pytest.mark.parametrize("way", ["ask", "ask_later", "ask_async", "ask_native"])
def test_the_user_travels_through_calls_of_every_kind(node: vista.Node, way: str) -> None:
    first, second = vista.create(Agent), vista.create(Agent)
    assert node.call(lambda: vista.send(first, way, second, "user"), user="bob") == "bob"


@pytest.mark.parametrize("way", ["ask", "ask_later", "ask_async", "ask_native"])
def test_an_object_in_between_lends_no_rights(node: vista.Node, way: str) -> None:
    agent, vault = vista.create(Agent), guarded("deny bob *", "allow * *")
    assert denied(node, "bob", agent, way, vault, "get_content")
    assert vista.send(agent, way, vault, "get_content") == "gold"


def test_the_user_travels_with_posts(node: vista.Node) -> None:
    agent, journal = vista.create(Agent), vista.create(Journal)
    node.call(lambda: vista.create(Agent).tell(agent, "note_user", journal), user="bob")
    assert until(journal.read) == ["bob"]


def test_the_user_travels_into_create(node: vista.Node) -> None:
    class Owned(Object):
        def create(self) -> None:
            self.owner = vista.current_user()

    agent = vista.create(Agent)
    owned = node.call(lambda: agent.make("Owned"), user="bob")
    assert owned.extract_instance_variables() == {"owner": "bob"}


def test_the_user_of_a_thread_stays_while_others_run(node: vista.Node) -> None:
    class Waiting(Object):
        def user_after(self, gate: Any) -> str:
            gate.pass_through()
            return vista.current_user()

    gate, waiting = vista.create(Gate), vista.create(Waiting)
    bobs = node.call(lambda: waiting.user_after.future(gate), user="bob")
    annas = node.call(lambda: waiting.user_after.future(gate), user="anna")
    until(lambda: gate.count() == 2)
    gate.open()
    assert (bobs.result(), annas.result()) == ("bob", "anna")


def test_the_rows_of_threads_tell_the_user(node: vista.Node) -> None:
    gate = vista.create(Gate)
    waiting = node.call(lambda: gate.pass_through.future(), user="bob")
    until(lambda: runs("pass_through"))
    [row] = [row for row in vista.threads() if row.method == "pass_through"]
    assert row.user == "bob"
    gate.open()
    waiting.result()


# --- the node's default list -------------------------------------------------------------------


def test_objects_made_without_a_list_get_the_default_list_of_the_node(node: vista.Node) -> None:
    node.kernel.default_acl = AccessControlList.of("deny bob *", "allow * *")
    assert denied(node, "bob", vista.create(Vault), "get_content")


def test_a_list_of_ones_own_takes_the_place_of_the_default(node: vista.Node) -> None:
    node.kernel.default_acl = AccessControlList.of("deny bob *", "allow * *")
    assert not denied(node, "bob", guarded("allow * *"), "get_content")


def test_imported_objects_get_the_default_list_of_the_node(node: vista.Node) -> None:
    vault = vista.create(Vault)
    data = vista.encode_object(vault)
    vista.delete(vault)
    node.kernel.default_acl = AccessControlList.of("deny bob *", "allow * *")
    assert denied(node, "bob", vista.import_object(data), "get_content")


# --- cost --------------------------------------------------------------------------------------


def test_an_object_without_a_list_stays_on_the_hot_path(node: vista.Node) -> None:
    counter = vista.create(Counter)
    counter.increment()
    record = node.kernel.table.records[vista.id_of(counter)]
    assert record.guard is None and record.state is node.kernel


# --- the list of a node ------------------------------------------------------------------


def test_the_list_of_a_node_guards_objects_without_one() -> None:
    acl = AccessControlList.of("allow * get_*", "deny * *")
    with vista.Node("guarded", default_acl=acl):
        vault, open_vault = (
            vista.create(Vault),
            vista.create(Vault, acl=AccessControlList.of("allow * *")),
        )
        assert vault.get_content() == "gold"
        with pytest.raises(AccessDenied):
            vault.set_content("lead")
        open_vault.set_content("lead")


def test_what_is_no_list_is_refused_as_that_of_a_node() -> None:
    with pytest.raises(BadValueError, match=r"AccessControlList"):
        vista.Node("guarded", default_acl="allow * *")  # type: ignore[arg-type]
