"""``vista solidstate status``: what it shows of what the machines of a pool tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.solidstate.errors import SolidStateError
from apps.solidstate.status import (
    _is_status,
    all_well,
    ask,
    is_well,
    lines,
    main,
    of_group,
    replicas,
)
from tests.solidstate.objects.pool import Pool, make_world
from vista.testing import World

ROW: dict[str, Any] = {
    "group": "carts", "id": 0, "mode": "crash", "faults": 1, "runs": False, "starts": 1,
    "ails": "its disk fails", "reports": [],
}  # fmt: skip
"""What a machine tells of a replica that does not run."""


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(5) as made:
        yield made


def told_by(pool: Pool) -> list[dict[str, Any]]:
    """What the machines tell the front end."""

    found: list[dict[str, Any]] = pool.front.call(lambda: ask(vista.here()))
    return found


def test_it_shows_every_replica_and_who_leads(world: World) -> None:
    pool = Pool(world)
    pool.call(pool.found(), "add", "tea")
    world.pass_time(1.0)
    told = told_by(pool)
    assert all(map(is_well, replicas(told)))
    shown = lines(told)
    assert shown[0] == "group carts: byzantine, tolerates 1 fault"
    assert shown[1].split() == [
        "replica", "node", "state", "view", "executed", "behind", "checkpoint", "starts"
    ]  # fmt: skip
    assert shown[2].startswith("  0        server-0  ok, primary  0     ")
    assert [line.split()[1] for line in shown[2:6]] == [f"server-{number}" for number in range(4)]


def test_it_shows_what_ails_a_replica(world: World) -> None:
    pool = Pool(world)
    cart = pool.found()
    world.medium("server-1").fill()
    pool.call(cart, "add", "tea")
    world.pass_time(0.5)
    told = told_by(pool)
    assert [is_well(row) for row in replicas(told)] == [True, False, True, True]
    assert "its disk fails: [Errno 28] " in lines(told)[3]


def test_before_a_group_is_founded_it_says_so(world: World) -> None:
    assert lines(told_by(Pool(world, servers=1))) == ["no group was founded yet"]


def test_one_group_alone_is_shown_where_it_is_asked_for() -> None:
    silent: dict[str, Any] = {"node": "far", "ails": "does not answer"}
    rows = {"carts": ROW, "books": {**ROW, "group": "books"}}
    told: list[dict[str, Any]] = [{"node": "near", "servers": rows}, silent]
    assert of_group(told, "books") == [
        {"node": "near", "servers": {"books": rows["books"]}},
        silent,
    ]
    words = r"^no replica of group 'x' is reached; those that are, are of: books, carts$"
    with pytest.raises(SolidStateError, match=words):
        of_group(told, "x")


def test_machines_that_do_not_answer_are_shown() -> None:
    told = [{"node": "far", "ails": "does not answer: gone"}]
    assert lines(told) == ["far: does not answer: gone"]


def test_reports_are_shown_with_their_times() -> None:
    row = {
        "group": "carts", "id": 2, "mode": "crash", "faults": 2, "runs": True, "voting": False,
        "ails": "", "starts": 3, "view": 1, "primary": 1, "executed": 7, "stable": 4,
        "epoch": 0, "members": [2], "tolerates": 2,
        "differences": ["cart: variable items is 1, and 2 elsewhere"],
        "reports": [[1_700_000_000.5, "diverged", "the state was wrong", -1]],
    }  # fmt: skip
    shown = lines([{"node": "near", "servers": {"carts": row}}])
    assert shown[0] == "group carts: crash, tolerates 2 faults"
    assert shown[2].split() == ["2", "near", *"follows without a vote 1 7 0 4 3".split()]
    assert shown[3:] == [
        "  2023-11-14T22:13:20Z replica 2: diverged: the state was wrong",
        "  replica 2 differed: cart: variable items is 1, and 2 elsewhere",
    ]


def test_all_is_well_while_every_replica_is(world: World) -> None:
    pool = Pool(world)
    pool.call(pool.found(), "add", "tea")
    told = told_by(pool)
    assert all(map(_is_status, told))
    assert all_well(told) and not all_well([])


def test_a_replica_whose_machine_is_down_is_shown_and_not_well(world: World) -> None:
    pool = Pool(world)
    cart = pool.found()
    pool.call(cart, "add", "tea")
    world.crash("server-3")
    pool.call(cart, "add", "tea")
    told = [row for row in told_by(pool) if "servers" in row]
    assert not all_well(told)
    assert lines(told)[5].split() == ["3", *"no machine tells of it".split()]


@pytest.mark.parametrize(
    "said",
    [
        None, {"node": 7}, {"node": "a"}, {"node": "a", "servers": {"carts": None}},
        {"node": "a", "servers": {"carts": ROW | {"id": "0"}}},
        {"node": "a", "servers": {"carts": ROW | {"runs": True}}},
        {"node": "a", "servers": {"carts": ROW | {"reports": [["soon", "kind", "words", 1]]}}},
        {"node": "a", "servers": {"carts": ROW | {"reports": [[1e20, "kind", "words", 1]]}}},
    ],
    ids=["none", "node", "no servers", "no row", "id", "runs", "time", "year"],
)  # fmt: skip
def test_what_a_faulty_machine_tells_is_not_believed_to_be_a_status(said: Any) -> None:
    assert not _is_status(said)
    assert _is_status({"node": "a", "servers": {"carts": ROW}})


@pytest.mark.parametrize("words", [[], ["status"], ["stop", "ipc:x"], ["status", "a", "b"]])
def test_mistakes_in_the_command_line_are_told(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: vista solidstate" in capsys.readouterr().err
