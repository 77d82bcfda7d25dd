"""What administrators ask for besides reconfigurations: another primary, a restart, nothing."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.administering import PASS, HandOver, Renewal, read_wish
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.effects import Renew
from apps.solidstate.pbft.events import Ask
from apps.solidstate.pbft.membership import reconfiguration
from apps.solidstate.pbft.messages import Blobs
from apps.solidstate.pbft.service import Context
from tests.solidstate.lab import ROOT, Lab


@pytest.fixture(params=[{}, {"crash_only": True, "replicas": 3}, {"minbft": True, "replicas": 3}])
def lab(request: pytest.FixtureRequest) -> Lab:
    """A group of each mode, with an administrator."""
    return Lab(**request.param)


def wish(lab: Lab, operation: bytes) -> list[object]:
    """Have the administrator ask, and return the answer."""
    lab.handle(ROOT, Ask(operation))
    lab.run()
    return list(unpack(lab.answers[ROOT][-1]))


@pytest.mark.parametrize("one", [HandOver(3, 2), Renewal(1), PASS], ids=["over", "renew", "pass"])
def test_a_wish_comes_back_from_its_operation(one: HandOver | Renewal) -> None:
    assert read_wish(one.operation) == one


@pytest.mark.parametrize(
    "operation", [b"", b"\xc1", pack(["renew"]), pack(["hand-over", "x", 1]), pack(["put", 1])]
)
def test_what_is_no_wish_is_none(operation: bytes) -> None:
    assert read_wish(operation) is None


def test_another_replica_leads_at_once_and_nobody_is_suspected(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    before = lab.now
    assert wish(lab, HandOver(0, 2).operation)[:2] == ["done", 2]
    lab.ask("ann", "put", "a", b"2")
    # Every message arrives at once on the bench: no time has passed, so nothing waited for any.
    assert lab.now == before
    assert unpack(lab.answers["ann"][-1]) == ["ok", b"1"]
    assert set(lab.views()) == {2}
    for number, replica in lab.replicas.items():
        assert replica.primary == 2
        assert "suspect" not in lab.reports(number)
        assert replica.views.patience == lab.config.view_seconds


@pytest.mark.parametrize("view", [1, 9], ids=["next", "far"])
def test_a_view_that_is_not_the_present_one_is_not_left(lab: Lab, view: int) -> None:
    wish(lab, HandOver(view, 2).operation)
    assert set(lab.views()) == {0}


@pytest.mark.parametrize("successor", [0, 8], ids=["primary", "stranger"])
def test_a_successor_that_leads_already_or_is_unknown_changes_nothing(
    lab: Lab, successor: int
) -> None:
    wish(lab, HandOver(0, successor).operation)
    assert set(lab.views()) == {0}


def test_only_the_replica_that_is_meant_starts_anew(lab: Lab) -> None:
    wish(lab, Renewal(1).operation)
    assert [
        sum(isinstance(one, Renew) for one in lab.effects[number]) for number in lab.replicas
    ] == [number == 1 for number in lab.replicas]


def test_a_replica_that_started_anew_does_not_do_so_again(lab: Lab) -> None:
    wish(lab, Renewal(1).operation)
    lab.effects[1].clear()
    lab.restart(1)
    lab.pass_time(2.0)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [2] * len(lab.replicas)
    assert not any(isinstance(one, Renew) for one in lab.effects[1])


def test_a_wish_that_does_nothing_tells_the_number_and_the_group(lab: Lab) -> None:
    row = lab.replicas[0].epoch.membership.row
    assert [wish(lab, PASS.operation) for _ in range(2)] == [["done", 1, row], ["done", 2, row]]


def test_nobody_else_has_wishes_granted(lab: Lab) -> None:
    lab.ask("ann", "hand-over", 0, 2)
    lab.ask("bob", "renew", 1)
    assert set(lab.views()) == {0}
    assert not any(isinstance(one, Renew) for one in lab.effects[1])


def test_a_replica_without_a_trusted_counter_does_not_come_where_all_have_one() -> None:
    lab = Lab(minbft=True, replicas=3)
    operation = reconfiguration(lab.membership, {3: lab.authority.key(0)}, [2])
    said, words, _ = wish(lab, operation)
    expected = "the key of 3 is no public key with a trusted counter (usig.member_key)"
    assert (said, words) == ("refused", expected)


# --- clients that come and leave -----------------------------------------------------------


def admit(lab: Lab, **clients: bytes) -> None:
    """Have clients come, or leave where their key is empty."""
    operation = reconfiguration(lab.replicas[0].epoch.membership, clients=clients)
    assert wish(lab, operation)[0] == "ok"
    lab.pass_time(1.0)


def test_a_client_that_left_is_heard_no_more() -> None:
    lab = Lab()
    lab.ask("ann", "put", "a", b"1")
    admit(lab, ann=b"")
    lab.ask("ann", "put", "a", b"2")
    lab.pass_time(3.0)
    assert len(lab.answers["ann"]) == 1
    assert all(not replica.requests.pending for replica in lab.replicas.values())
    lab.ask("bob", "get", "a")
    assert unpack(lab.answers["bob"][-1]) == ["ok", b"1"]


def test_a_client_that_comes_again_is_heard() -> None:
    lab = Lab()
    admit(lab, ann=b"")
    admit(lab, ann=lab.authority.key("ann"))
    lab.ask("ann", "put", "a", b"1")
    assert len(lab.answers["ann"]) == 1


def test_what_a_leaving_client_asked_last_is_waited_for_by_nobody() -> None:
    lab = Lab()
    # Only a backup has it, and holds the primary to it.
    request = lab.request()
    lab.tell(1, "ann", request)
    assert lab.replicas[1].requests.pending
    admit(lab, ann=b"")
    lab.pass_time(5.0)
    assert not lab.replicas[1].requests.pending
    assert all(
        "suspect" not in lab.reports(number) and replica.epoch.number == 1
        for number, replica in lab.replicas.items()
    )


def test_administrators_cannot_be_sent_away() -> None:
    lab = Lab()
    admit(lab, **{ROOT: b""})
    admit(lab)
    assert set(lab.epochs().values()) == {2}


# --- a state that is wrong -----------------------------------------------------------------


def test_a_repair_goes_on_after_a_restart_in_the_middle_of_it() -> None:
    lab = Lab()
    lab.stores[2].execute(pack(["put", "a", b"stolen"]), Context("ann", 0, 0, b""))
    lab.drops = lambda sender, to, message: isinstance(message, Blobs)
    for number in range(4):
        lab.ask("bob", "put", "b", str(number).encode())
    lab.pass_time(0.5)
    assert lab.replicas[2].transfer.repairing
    lab.restart(2)
    # It answers nobody from the state that is known to be wrong.
    assert lab.replicas[2].transfer.repairing
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    assert not lab.replicas[2].transfer.repairing
    assert lab.stores[2].snapshot() == lab.stores[0].snapshot()
