"""What peers may do whose key is another one: what their lines grant, and never more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import vista
from tests.peers.system import (
    PROMPT,
    add_node,
    bell,
    chain,
    dial,
    ended,
    join,
    links,
    listen,
    meet,
    peering,
    seen,
    stranger,
)
from vista.kernel.kernel import creator_id
from vista.peering.peering import REFUSED_MAX, REFUSED_SECONDS
from vista.peering.rights import refusal_of
from vista.testing import SimulatedNode, World
from vista.wire.frames import (
    CALL,
    HEAD,
    NOBODY,
    REPLY,
    ROUTED,
    ROUTES,
)

HOST = b"h" * 32
GUEST = b"g" * 32


@dataclass
class Visit:
    """A host and a guest with another key, linked."""

    world: World
    host: SimulatedNode
    guest: SimulatedNode


def visit(world: World, directory: Path, line: str) -> Visit:
    """Have a guest visit a host that grants it ``USER RIGHTS``."""
    host = stranger(world, directory, "host", HOST, {GUEST: line})
    guest = stranger(world, directory, "guest", GUEST, {})
    join(guest, host)
    return Visit(world, host, guest)


@pytest.fixture
def world() -> Iterator[World]:
    with World(1, conditions=PROMPT) as made:
        yield made


def test_a_guest_acts_as_the_user_of_its_line(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna call")
    assert seen(found.guest, bell(found.host)).whoever() == "anna"


def test_without_the_right_to_call_nothing_runs(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna create")
    own = bell(found.host)
    far = seen(found.guest, own)
    with pytest.raises(vista.AccessDenied, match=r"user 'anna' has no right to call"):
        far.hear(1)
    far.hear.post(2)
    world.pass_time(1.0)
    assert own.list_heard() == []


def test_a_peer_that_was_called_and_is_not_named_may_not_call(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna call")
    (link,) = links(found.guest)
    row = [CALL, (1, 0, bell(found.guest)._id, NOBODY), "ring", "", b"", [b""]]
    refusal = refusal_of(found.guest.kernel, link, row)
    assert "whose key authorized_peers does not name, has no right to call" in str(refusal)


def test_what_peerings_tell_each_other_needs_no_right_to_call(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = visit(world, tmp_path, "anna call")
    # Who does not name the host lets it call nothing, but hears that all of it has come.
    for near, far in ((found.guest, found.host), (found.host, found.guest)):
        (link,) = links(near)
        heard = peering(near).ways.ask_heard(far.kernel.table.node, link)
        assert ended(world, [heard], 1.0) == [None]
    assert "a post was lost" not in caplog.text
    for node in (found.guest, found.host):
        assert node.kernel.counters.access_denied == 0


def test_without_the_right_to_create_nothing_is_created(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = visit(world, tmp_path, "anna call")
    creator = found.guest.kernel.ref(creator_id(found.host.kernel.table.node))
    for _ in range(3):
        with pytest.raises(vista.AccessDenied, match=r"has no right to create"):
            creator.create_object("LinkedBell")
    logged = "access denied: the peer of user 'anna' has no right to create"
    assert caplog.text.count(logged) == 1
    assert found.host.kernel.counters.access_denied == 3
    assert seen(found.guest, bell(found.host)).echo(1) == 1


def test_with_the_right_to_create_objects_are_created(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna call,create")
    creator = found.guest.kernel.ref(creator_id(found.host.kernel.table.node))
    assert creator.create_object("LinkedBell").echo(1) == 1


def send_raw(found: Visit, target: bytes, method: str, user: str, *args: object) -> object:
    """Send a CALL as a guest could that does not keep to the rules."""
    calls = peering(found.guest).calls
    future = calls.expect(found.host.kernel.table.node, method)
    parts = found.guest.kernel.codec.encode_arguments(args, {})
    head = HEAD.pack(future.number, 0, target, NOBODY)
    links(found.guest)[0].append((CALL, head, method, user, b"", parts[0]), ())
    return ended(found.world, [future])[0]


@pytest.mark.parametrize("method", ["createObject", "create_object", "importObject"])
def test_no_spelling_goes_round_the_right_to_create(
    world: World, tmp_path: Path, method: str
) -> None:
    found = visit(world, tmp_path, "anna call")
    error = send_raw(found, creator_id(found.host.kernel.table.node), method, "", "LinkedBell")
    assert isinstance(error, vista.AccessDenied)


def test_a_post_does_not_go_round_the_right_to_create(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna call")
    creator = found.guest.kernel.ref(creator_id(found.host.kernel.table.node))
    creator.create_object.post("LinkedBell")
    found.world.pass_time(1.0)
    names = {record.entry.name for record in found.host.kernel.table.records.values()}
    assert "LinkedBell" not in names


def test_temporary_objects_of_another_peer_need_the_right_to_create(
    world: World, tmp_path: Path
) -> None:
    found = visit(world, tmp_path, "anna call")
    kin = add_node(world, "kin", HOST)
    join(kin, found.host)
    world.pass_time(1.0)
    standing = next(
        made
        for number, made in peering(found.host).connections.items()
        if peering(found.host).links[number].is_kin
    )
    with pytest.raises(vista.AccessDenied, match=r"no right to create"):
        seen(found.guest, standing).create_temporary_object("LinkedBell")


def test_a_forged_user_on_a_link_acts_as_the_user_of_the_link(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna call")
    own = bell(found.host)
    forged = found.host.kernel.user
    assert send_raw(found, own._id, "whoever", forged) == "anna"


def test_kin_may_name_another_user(world: World) -> None:
    a, b = chain(world, "ab")
    far = seen(a, bell(b))
    assert a.call(far.whoever, user="bert") == "bert"


def test_a_thread_of_another_user_may_not_use_a_link_to_another_key(
    world: World, tmp_path: Path
) -> None:
    found = visit(world, tmp_path, "anna call")
    own = bell(found.host)
    far = seen(found.guest, own)
    with pytest.raises(vista.AccessDenied, match=r"may not use the link"):
        found.guest.call(far.hear, 1, user="mallory")
    assert own.list_heard() == []


def test_a_guest_that_passes_on_messages_is_cut_off(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna all")
    own = bell(found.host)
    parts = found.guest.kernel.codec.encode_arguments((1,), {})
    inner = (CALL, HEAD.pack(7, 0, own._id, NOBODY), "hear", "", b"", parts[0])
    before = links(found.host)
    node = found.host.kernel.table.node
    links(found.guest)[0].append((ROUTED, node, b"o" * 10, 5, inner), ())
    world.pass_time(1.0)
    assert own.list_heard() == []
    assert all(link.ended for link in before)


def test_routes_that_a_guest_tells_lead_nowhere(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna all")
    told = [[b"e" * 8, found.guest.kernel.table.node + b"invented!!"]], []
    links(found.guest)[0].append((ROUTES, list(told)), ())
    world.pass_time(1.0)
    assert peering(found.host).nodes() == [found.guest.kernel.table.node]


def test_guests_do_not_reach_the_kin_of_their_host(world: World, tmp_path: Path) -> None:
    found = visit(world, tmp_path, "anna all")
    kin = add_node(world, "kin", HOST)
    join(kin, found.host)
    world.pass_time(1.0)
    assert peering(found.guest).nodes() == [found.host.kernel.table.node]
    assert peering(kin).nodes() == [found.host.kernel.table.node]
    with pytest.raises(vista.NoSuchObject):
        seen(found.guest, bell(kin)).echo(1)


def test_what_kin_send_for_a_guest_is_not_passed_on_over_its_link(
    world: World, tmp_path: Path
) -> None:
    found = visit(world, tmp_path, "anna all")
    kin = add_node(world, "kin", HOST)
    join(kin, found.host)
    meet(kin, [found.host])
    row = (REPLY, 1, 0, kin.kernel.codec.encode(1))
    guest, own = found.guest.kernel.table.node, kin.kernel.table.node
    standing = links(found.guest)
    links(kin)[0].append((ROUTED, guest, own, 5, row), ())
    world.pass_time(1.0)
    assert links(found.guest) == standing


def test_an_unknown_key_is_refused_and_let_in_once_it_is_authorized(
    world: World, tmp_path: Path
) -> None:
    host = stranger(world, tmp_path, "host", HOST, {})
    guest = stranger(world, tmp_path, "guest", GUEST, {})
    kept = dial(guest, listen(host))
    world.pass_time(5.0)
    assert not kept.get_state()["linked"]
    authorize(tmp_path)
    guest.call(lambda: kept.wait(60.0))
    assert seen(guest, bell(host)).whoever() == "anna"


def authorize(directory: Path) -> None:
    """Let the guest in at the host."""
    from vista.peering.curve import public_key_of
    from vista.peering.trust import ALL_RIGHTS, PEERS_FILE, authorize_peer

    authorize_peer(directory / "host" / PEERS_FILE, public_key_of(GUEST), "anna", ALL_RIGHTS)


def test_a_peer_that_is_refused_again_and_again_is_logged_after_ten_minutes_again(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = stranger(world, tmp_path, "host", HOST, {})
    guest = stranger(world, tmp_path, "guest", GUEST, {})
    dial(guest, listen(host))

    def told() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        return [line for line in lines if line.startswith("refused a peer")]

    world.pass_time(REFUSED_SECONDS - 1.0)
    (first,) = told()
    assert first.startswith("refused a peer: guest has the unknown key ")
    world.pass_time(2 * host.kernel.limits.reconnect_seconds_max)
    _, second = told()
    assert re.sub(r", after \d+ more for this reason", "", second) == first != second


def test_of_very_many_keys_that_are_refused_some_are_logged_and_that_there_are_more(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = stranger(world, tmp_path, "host", HOST, {})
    listen(host)
    for number in range(10 * REFUSED_MAX):
        peering(host)._admits(number.to_bytes(32, "big"), "tcp 10.0.0.9")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == REFUSED_MAX
    assert lines[-1].startswith("refused a peer: for other reasons")


def test_whom_peers_send_as_is_asked_in_a_vista_thread(world: World) -> None:
    lonely = world.node("lonely")
    assert not lonely.call(vista.is_peers_user, "ann")
    with pytest.raises(vista.WrongContextError):
        vista.is_peers_user("ann")
