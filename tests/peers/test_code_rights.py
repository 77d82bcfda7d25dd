"""Who may bring code: decided before any of it is read, also for those who act for a peer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.mobility.test_code import coded
from tests.peers.system import add_node, chain, ended, join, links, peering, stranger
from vista.kernel.kernel import creator_id
from vista.limits import Limits
from vista.mobility.code import ClassCode, check_code, class_code
from vista.peering import bringing
from vista.peering.bringing import fetch_class
from vista.peering.curve import public_key_of
from vista.peering.urls import key_text
from vista.standard import creator as creator_module
from vista.testing import SimulatedNode, World
from vista.wire.frames import CALL, HEAD, NOBODY

HOST = b"h" * 32
GUEST = b"g" * 32


def canary(directory: Path, name: str) -> tuple[ClassCode, Path]:
    """The code of a class whose module makes a directory when it is run, and that directory."""
    run = directory / f"run_{name}"
    source = f"import os, vista\nos.mkdir({str(run)!r})\nclass {name}(vista.Object): pass\n"
    return coded(name, source), run


def visit(world: World, directory: Path, guest: str, host: str) -> list[SimulatedNode]:
    """A host that grants a guest ``USER RIGHTS`` and a guest that grants the host the other."""
    made = [
        stranger(world, directory, "host", HOST, {GUEST: guest}),
        stranger(world, directory, "guest", GUEST, {HOST: host} if host else {}),
    ]
    join(made[1], made[0])
    return made


def creator(near: SimulatedNode, far: SimulatedNode) -> vista.Ref:
    """The ObjectCreator of a node as another one knows it."""
    return near.kernel.ref(creator_id(far.kernel.table.node))


# --- brought -------------------------------------------------------------------------------


def test_with_the_right_code_is_run(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call,create,code", "")
    code, run = canary(tmp_path, "WelcomeClass")
    assert str(creator(guest, host).offer_class_code(code)) == "Local.WelcomeClass version 0"
    assert run.is_dir()


def test_without_the_right_no_code_is_run(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call,create", "")
    code, run = canary(tmp_path, "UninvitedClass")
    with pytest.raises(vista.AccessDenied, match=r"user 'anna' has no right to bring code"):
        creator(guest, host).offer_class_code(code)
    assert not run.exists()


def test_the_refusal_says_what_to_type(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call,create", "")
    code, _ = canary(tmp_path, "TypeClass")
    words = f"vista authorize {key_text(public_key_of(GUEST))} anna call,create,code"
    with pytest.raises(vista.AccessDenied, match=words):
        creator(guest, host).offer_class_code(code)


@pytest.mark.parametrize("name", ["offer_class_code", "offerClassCode"])
def test_the_right_is_judged_before_anything_is_decoded(
    world: World, tmp_path: Path, name: str
) -> None:
    host, guest = visit(world, tmp_path, "anna call,create", "")
    future = peering(guest).calls.expect(host.kernel.table.node, name)
    head = HEAD.pack(future.number, 0, creator_id(host.kernel.table.node), NOBODY)
    (link,) = links(guest)
    link.append((CALL, head, name, "anna", b"", b"no value at all"), ())
    (answer,) = ended(world, [future])
    assert isinstance(answer, vista.AccessDenied)


def test_kin_may_bring_code(world: World, tmp_path: Path) -> None:
    near, far = chain(world, "ab")
    code, run = canary(tmp_path, "KinClass")
    creator(near, far).offer_class_code(code)
    assert run.is_dir()


def test_kin_may_not_bring_it_for_a_user_without_the_right(world: World, tmp_path: Path) -> None:
    near, far = chain(world, "ab", settings={"config_directory": str(tmp_path)})
    tmp_path.chmod(0o700)
    code, run = canary(tmp_path, "ForOthersClass")
    with pytest.raises(vista.AccessDenied, match=r"user 'bob' has no right to bring code"):
        near.call(lambda: creator(near, far).offer_class_code(code), user="bob")
    assert not run.exists()


def test_a_guest_without_the_right_loads_no_class_file(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call,create", "")
    run = tmp_path / "run"
    source = f"import os, vista\nos.mkdir({str(run)!r})\nclass FileClass(vista.Object): pass\n"
    with pytest.raises(vista.AccessDenied, match=r"no right to bring code"):
        creator(guest, host).create_object("LoadClassFile", None, source)
    assert not run.exists()


def test_a_guest_without_the_right_names_no_directory_of_classes(
    world: World, tmp_path: Path
) -> None:
    host, guest = visit(world, tmp_path, "anna call,create", "")
    with pytest.raises(vista.AccessDenied, match=r"no right to bring code"):
        creator(guest, host).create_object("AutomaticClassLoader", None, str(tmp_path))


def test_of_two_keys_of_one_user_both_need_the_right_to_load_a_file(
    world: World, tmp_path: Path
) -> None:
    lines = {GUEST: "anna call,create,code", b"o" * 32: "anna call,create"}
    host = stranger(world, tmp_path, "host", HOST, lines)
    guest = stranger(world, tmp_path, "guest", GUEST, {})
    join(guest, host)
    with pytest.raises(vista.AccessDenied, match=r"no right to bring code"):
        creator(guest, host).create_object("LoadClassFile", None, "a\nb\n")


# --- fetched -------------------------------------------------------------------------------


def fetch(node: SimulatedNode, far: SimulatedNode, name: str) -> Any:
    """Ask a node for a class, as a thread of another one."""
    return node.call(lambda: fetch_class(node.kernel, far.kernel.table.node, name))


def calls_of(node: SimulatedNode, method: str) -> int:
    """How many messages of a name the ObjectCreator of a node was sent."""
    return node.kernel.classes.resolve("ObjectCreator").methods[method].calls


class ServedClass(vista.Object):
    """Somebody whose class can be asked for."""


def test_code_is_asked_for_only_where_it_may_run(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call", "host call,create")
    with pytest.raises(vista.AccessDenied, match=r"user 'host' has no right to bring code"):
        fetch(guest, host, "ServedClass")
    assert calls_of(host, "get_class_code") == 0


def test_code_of_a_peer_with_the_right_is_taken(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call", "host call,code")
    assert fetch(guest, host, "ServedClass").cls is ServedClass


def test_code_of_kin_two_links_away_is_taken(world: World) -> None:
    near, _, far = chain(world, "abc")
    assert fetch(near, far, "ServedClass").cls is ServedClass


def test_the_code_of_a_class_is_collected_and_checked_beside_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _, far = chain(world, "abc")
    threads: dict[str, set[int]] = {"collects": set(), "checks": set()}

    def noted(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any) -> Any:
            threads[what].add(threading.get_ident())
            return function(*args)

        return noting

    monkeypatch.setattr(creator_module, "class_code", noted("collects", class_code))
    monkeypatch.setattr(bringing, "check_code", noted("checks", check_code))
    assert fetch(near, far, "ServedClass").cls is ServedClass
    for where in threads.values():
        assert where and threading.get_ident() not in where


def test_a_loader_asks_no_peer_whose_code_may_not_run(world: World, tmp_path: Path) -> None:
    host, guest = visit(world, tmp_path, "anna call", "host call,create")
    guest.call(vista.create, "AutomaticClassLoader", "peers:")
    with pytest.raises(vista.NoSuchClass, match=r"UnservedClass"):
        guest.call(vista.create, "UnservedClass")
    assert calls_of(host, "get_class_code") == calls_of(host, "list_classes") == 0


def test_a_loader_asks_no_more_peers_than_the_limit(world: World) -> None:
    limits = Limits(code_peers_asked_max=1)
    near, *others = chain(world, "abc", limits=limits)
    near.call(vista.create, "AutomaticClassLoader", "peers:")
    with pytest.raises(vista.NoSuchClass, match=r"UnservedClass"):
        near.call(vista.create, "UnservedClass")
    assert sum(calls_of(other, "get_class_code") for other in others) == 1


def test_what_came_is_kept_in_the_state_directory(world: World, tmp_path: Path) -> None:
    near, far = chain(world, "ab", settings={"state_directory": str(tmp_path)})
    code, _ = canary(tmp_path, "StateClass")
    creator(near, far).offer_class_code(code)
    fetch(near, far, "ServedClass")
    kept = sorted(path.name for path in (tmp_path / "code").iterdir())
    assert kept == ["Local.ServedClass.0.code", "Local.StateClass.0.code"]


def test_a_class_nobody_has_is_not_fetched(world: World) -> None:
    near, far = chain(world, "ab")
    with pytest.raises(vista.NoSuchClass, match=r"NobodysClass"):
        fetch(near, far, "NobodysClass")


class CodeLiar(vista.Object):
    """Answers in place of an ObjectCreator, with code that nobody asked for."""

    def create(self, code: ClassCode) -> None:
        self.code = code

    def forward_method_invocation(self, own: Any, name: str, args: Any, sender: Any) -> ClassCode:
        return self.code


def test_another_class_than_was_asked_for_is_refused(world: World, tmp_path: Path) -> None:
    near, far = chain(world, "ab")
    code, run = canary(tmp_path, "OtherThanAsked")
    far.call(lambda: vista.here().set_meta(vista.create(CodeLiar, code)))
    with pytest.raises(vista.RemoteProtocolError, match=r"sent something else"):
        fetch(near, far, "ServedClass")
    assert not run.exists()


def test_without_a_link_nothing_is_asked(world: World) -> None:
    node = add_node(world, "alone")
    other = add_node(world, "other")
    with pytest.raises(vista.AccessDenied, match=r"no link leads"):
        fetch(node, other, "ServedClass")
