"""Who is suspected, in the words of ``vista solidstate status``."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from apps.solidstate.objects.showing import in_words, variables_of_server
from apps.solidstate.pbft.membership import VIEWS_PER_EPOCH
from apps.solidstate.status import _is_status, ask, lines
from apps.solidstate.suspicions import suspicions
from tests.solidstate.objects.liars import LyingPoolMember
from tests.solidstate.objects.pool import Pool, make_world

AT = 1_700_000_000.5
EPOCH = 4 * VIEWS_PER_EPOCH


def row(id: int, *reports: list[Any], **changes: Any) -> dict[str, Any]:
    """What a replica of the fifth membership, of replicas 2 to 5, tells."""
    return {
        "group": "carts", "id": id, "mode": "byzantine", "faults": 1, "runs": True, "starts": 1,
        "ails": "", "reports": list(reports), "voting": True, "view": EPOCH + 2, "primary": 4,
        "executed": 100, "stable": 64, "members": [2, 3, 4, 5], "epoch": 4, "differences": [],
        "tolerates": 1, "node": f"node-{id}", **changes,
    }  # fmt: skip


def late(at: float, view: int) -> list[Any]:
    """The report of one that left a view."""
    return [at, "suspect", f"view {view} is left for {view + 1}: the primary is late", -1]


def told(*rows: dict[str, Any], **proxies: Any) -> list[dict[str, Any]]:
    """What machines tell that have these replicas, and proxies that disagreed with somebody."""
    machines = [{"node": one["node"], "servers": {"carts": one}} for one in rows]
    return machines + [
        {"node": node, "servers": {}, "proxies": {"carts": {"disagreed": counts}}}
        for node, counts in proxies.items()
    ]


def test_a_primary_that_was_late_is_named_with_those_who_say_so_and_since_when() -> None:
    rows = [row(2, late(AT, EPOCH + 3)), row(3, late(AT + 60, EPOCH + 3)), row(4)]
    assert suspicions(told(*rows), rows) == [
        "replica 5 was too late as primary, by the word of 2, 3; the last time 2023-11-14T22:14:20Z"
    ]


def test_of_a_group_that_was_changed_since_nobody_knows_who_led() -> None:
    rows = [row(2, late(AT, 3 * VIEWS_PER_EPOCH + 1), late(AT, 1)), row(3)]
    rows.append(row(4, late(AT, 3 * VIEWS_PER_EPOCH + 1), epoch=3, members=[0, 1, 2, 3]))
    assert suspicions(told(*rows), rows) == []


def test_who_was_caught_is_named() -> None:
    rows = [row(2, [AT, "faulty", "replica 4: two batches are number 1 of a view", 4])]
    assert suspicions(told(*rows), rows) == [
        "replica 4 was caught lying, by the word of 2; the last time 2023-11-14T22:13:20Z"
    ]


def test_who_answered_otherwise_than_was_proven_is_named_with_whose_proxies_say_so() -> None:
    rows = [row(2), row(3)]
    found = suspicions(told(*rows, front={3: 12}, shop={3: 1, 2: 0}), rows)
    assert found == [
        "replica 3 answered otherwise than was proven, by the word of front (12 times), "
        "shop (1 time)"
    ]


@pytest.mark.parametrize(
    "disagreed", [None, 7, {"3": 1}, {3: "1"}, {9: 1}, {True: 1}, {3: -1}], ids=str
)
def test_what_a_faulty_machine_says_of_its_proxy_accuses_nobody(disagreed: Any) -> None:
    rows = [row(2), row(3)]
    nonsense: list[Any] = [None, [], {"carts": None}]
    machines = told(*rows, front=disagreed)
    machines += [{"node": "x", "servers": {}, "proxies": said} for said in nonsense]
    assert suspicions(machines, rows) == []


def test_views_are_counted_within_their_epoch() -> None:
    words = f"view {EPOCH + 1} is left for {EPOCH + 2}: an administrator names another primary"
    assert in_words(words) == "view 1 is left for 2: an administrator names another primary"
    shown = lines(told(row(2), row(4, [AT, "turn", words, -1])))
    assert shown[0] == "group carts: byzantine, tolerates 1 fault, epoch 4"
    assert shown[2].split() == ["2", "node-2", "ok", "2", "100", "0", "64", "1"]
    assert shown[-1].endswith("replica 4: turn: view 1 is left for 2: an administrator names "
                              "another primary")  # fmt: skip
    seen = variables_of_server(row(4, [AT, "turn", words, -1]))
    assert (seen["view"], seen["epoch"]) == (2, 4)
    assert seen["report_0"].endswith(" turn: view 1 is left for 2: an administrator names "
                                     "another primary")  # fmt: skip


def test_one_that_boasts_has_nobody_else_be_behind() -> None:
    rows = [row(2), row(3, executed=10**12), row(4), row(5, executed=40)]
    behind = {line.split()[0]: line.split()[-3] for line in lines(told(*rows))[2:6]}
    assert behind == {"2": "0", "3": "0", "4": "0", "5": "60"}


@pytest.mark.parametrize("name", ["epoch", "executed", "differences", "view", "tolerates"])
def test_a_replica_that_does_not_run_tells_nothing_that_cannot_be_either(name: str) -> None:
    machine = {"node": "a", "servers": {"carts": row(2, runs=False, **{name: "x"})}}
    assert not _is_status(machine)


def test_the_status_of_a_group_names_the_one_that_lies() -> None:
    with make_world(6) as world:
        pool = Pool(world, members={"server-1": LyingPoolMember})
        cart = pool.found()
        for _ in range(5):
            pool.call(cart, "add", "tea")
        world.pass_time(1.0)
        shown = pool.front.call(lambda: lines(ask(vista.here())))
    accused = [line for line in shown if "otherwise than was proven" in line]
    assert len(accused) == 1
    assert accused[0].startswith("  replica 1 answered otherwise than was proven, by the word of ")
    assert "front (" in accused[0]
