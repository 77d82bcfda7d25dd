"""Calls that are to be probed soon, and get another number before that."""

from __future__ import annotations

from typing import Any

from tests.peers.system import bell, peering, seen
from tests.peers.test_moves import creator
from vista.peering.waiting import Fence
from vista.testing import SimulatedNode, World
from vista.wire.frames import CALL, HEAD, NOBODY, PROBE


def probed(node: SimulatedNode) -> list[int]:
    """The numbers of the calls that a node probes from here on."""
    found: list[int] = []
    send = peering(node).send

    def note(to: bytes, row: Any, *rest: Any) -> None:
        if row[0] == PROBE:
            found.append(row[3])
        send(to, row, *rest)

    peering(node).send = note  # type: ignore[method-assign]
    return found


def test_one_that_gets_another_number_is_probed_by_that(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    calls, probes = peering(a).calls, probed(a)
    call: Any = seen(a, bell(b)).ring.future(1_000.0)
    calls.rings.suspect(call)
    row = (CALL, HEAD.pack(call.number, 0, call.target, NOBODY), "ring", "", b"", b"")
    calls.renumbered(row, call)
    calls.rings._sweep()
    assert probes == [call.number]
    call.cancel()


def test_one_that_is_held_is_probed_when_it_has_left(
    world: World, pair: list[SimulatedNode]
) -> None:
    a, b = pair
    calls, far, home = peering(a).calls, seen(a, bell(b)), creator(b).node
    probes = probed(a)
    a.call(lambda: peering(a).moves.send_fence(Fence(far._id, home, home)))
    call: Any = a.call(lambda: far.ring.future(1_000.0))
    assert far._id in peering(a).moves.fences
    calls.rings.suspect(call)
    calls.rings._sweep()
    assert probes == []
    world.drive(lambda: not peering(a).moves.fences, 10.0)
    calls.rings._sweep()
    assert probes == [call.number]
    call.cancel()
